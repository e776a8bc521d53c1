/** The key of unique names and the folding of searches: NM1–NM6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldText, hasWordPrefix, nameKey, wordsOf } from '../../../protocol/users/names.ts';
import { isLong } from '../../support/long.ts';

function assertSameKey(...names: readonly string[]): void {
  const [first = '', ...others] = names;
  for (const other of others) assert.equal(nameKey(other), nameKey(first), `${JSON.stringify(other)} and ${JSON.stringify(first)}`);
}

test('NM1 white space, punctuation and case make no other name', () => {
  assertSameKey('John Doe', 'john doe', 'john.doe', ' JOHN_DOE! ', 'john\tdoe', 'John\u00a0Doe');
  assert.equal(nameKey('John Doe'), 'johndoe');
  assert.notEqual(nameKey('John Doe'), nameKey('John Doe 2'));
});

test('NM2 accents make another name, however they are composed', () => {
  assertSameKey('José', 'Jose\u0301', 'JOSÉ', 'JOSE\u0301');
  assert.notEqual(nameKey('José'), nameKey('Jose'));
  assertSameKey('ｊｏｈｎ', 'john');
  assertSameKey('ﬁn', 'fin');
});

test('NM3 case folds beyond ASCII: ß, the final sigma and the Turkish i', () => {
  assertSameKey('Straße', 'STRASSE', 'strasse');
  assertSameKey('ΣΑΣ', 'σας', 'σασ');
  assertSameKey('İstanbul', 'istanbul', 'ISTANBUL', 'ıstanbul');
});

test('NM3 the capital ẞ folds like ß', () => {
  assertSameKey('STRAẞE', 'Straße');
});

test('NM2 vowel signs of Indic scripts tell names apart', () => {
  assert.notEqual(nameKey('राम'), nameKey('रमा'));
});

test('NM4 a name without letters or digits has an empty key, and a key is its own key', () => {
  for (const name of ['', ' ', '🎉', '❤️', '...', '\u200b']) assert.equal(nameKey(name), '', JSON.stringify(name));
  for (const name of ['John Doe', 'José', 'Straße', 'Олег Ёлкин', '王小明', '김철수']) assert.equal(nameKey(nameKey(name)), nameKey(name));
});

test('NM5 a search ignores case and accents, and looks at the beginnings of words', () => {
  assert.equal(foldText('ZOË'), foldText('zoe'));
  assert.equal(foldText('Jose\u0301'), foldText('josé'));
  assert.deepEqual(wordsOf(foldText("Zoë  O'Neil")), ['zoe', 'o', 'neil']);
  assert.equal(hasWordPrefix(foldText('John Doe'), 'do'), true);
  assert.equal(hasWordPrefix(foldText('John Doe'), 'john d'), true);
  assert.equal(hasWordPrefix(foldText('John Doe'), 'ohn'), false);
  assert.equal(hasWordPrefix(foldText('Анна Каренина'), foldText('КАР')), true);
  assert.equal(hasWordPrefix(foldText('Анна Каренина'), foldText('ренина')), false);
});

test('NM1 special characters of every kind make no other name', () => {
  const same = [
    'John Doe',
    'john-doe',
    "j'o'h'n (doe)",
    'john\u200bdoe',
    'john\u00addoe',
    'ＪＯＨＮ　ＤＯＥ',
    '🎉 John Doe 🎉',
    'John\nDoe',
    '\u202ejohn doe',
  ];
  assertSameKey(...same);
  assertSameKey('Ann ２', 'ann2', 'ann②');
  assert.notEqual(nameKey('ann2'), nameKey('ann٢'), 'digits of another script are other digits');
});

test('NM2 points that are written or left out at will make no other name', () => {
  assertSameKey('محمد', 'مُحَمَّد');
  assertSameKey('שלום', 'שָׁלוֹם');
  assert.notEqual(nameKey('กิ'), nameKey('กุ'));
});

test('NM3 keys do not depend on the case that a name is written in', () => {
  for (const name of ['Straße', 'ẞ', 'ΟΔΥΣΣΕΥΣ', 'İğdır', 'ǅungla', 'ﬂoß', 'ᏣᎳᎩ', '𐐔𐐯𐑅']) {
    assertSameKey(name, name.toLowerCase(), name.toUpperCase(), name.toLowerCase().toUpperCase());
  }
});

test('NM5 a search looks into scripts, pairs and letters that fold to several', () => {
  const cases: readonly [string, string, boolean][] = [
    ['Straße', 'strasse', true],
    ['STRAẞE', 'straß', true],
    ['İstanbul', 'ist', true],
    ['Ｊohn', 'jo', true],
    ['ΟΔΥΣΣΕΥΣ', 'Οδυσσευς', true],
    ['Jose\u0301 Maria', 'josé m', true],
    ['von Ünal', 'una', true],
    ['ﬃ', 'ff', true],
    ['ﬃ', 'i', false],
    ['𐐔𐐯𐑅 𐐔x', '𐐼x', true],
    ['𐐔x', 'x', false],
    ['🎉x', 'x', true],
    ['ann🎉', '🎉', false],
    ['ann', '', false],
    ['', 'a', false],
    ['\ud83c', 'a', false],
    ['\udf89a', 'a', true],
    ['ﷺ'.repeat(300), 'ﷺ'.repeat(300), true],
    [`${'ﷺ '.repeat(300)}end`, 'end', true],
    [`${'a'.repeat(5_000)} b`, 'b', true],
    ['short', 'a', false],
  ];
  for (const [text, prefix, expected] of cases) {
    assert.equal(hasWordPrefix(text, foldText(prefix)), expected, `${text.slice(0, 20)} ${prefix}`);
    assert.equal(hasWordPrefix(foldText(text), foldText(prefix)), expected, `folded ${text.slice(0, 20)} ${prefix}`);
  }
  assert.deepEqual(wordsOf(''), []);
  assert.deepEqual(wordsOf(foldText('🎉 -')), []);
});

/** Characters of kinds that hold very many, which are all treated alike: by default one of them in so many is looked at. */
const IS_ALIKE = /[\p{Unassigned}\p{Private_Use}\p{Script=Han}\p{Script=Hangul}]/u;
const ALIKE_STEP = 61;

test('NM6 no character escapes: keys and folded texts are final, and do not depend on case or composition', () => {
  const wrong: string[] = [];
  for (let code = 1; code < 0x11_0000; code++) {
    if (code === 0xd800) code = 0xe000;
    const character = String.fromCodePoint(code);
    if (!isLong && IS_ALIKE.test(character) && code % ALIKE_STEP !== 0) continue;
    const name = `x${character}y`;
    const key = nameKey(name);
    const others = [key, name.toUpperCase(), name.toLowerCase(), name.normalize('NFD'), name.normalize('NFKC')];
    const folded = foldText(name);
    if (others.some((other) => nameKey(other) !== key) || foldText(folded) !== folded) wrong.push(code.toString(16));
    if (!hasWordPrefix(name, folded)) wrong.push(`${code.toString(16)} is not found`);
  }
  assert.deepEqual(wrong, []);
});
