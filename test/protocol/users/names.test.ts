/** The key of unique names and the folding of searches: NM1–NM6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { searchedUnits, wordPrefix } from '../../../protocol/users/finding/word-search.ts';
import { foldText, nameKey, wordsOf } from '../../../protocol/users/names.ts';
import { isLong } from '../../support/long.ts';

const hasWordPrefix = (text: string, prefix: string): boolean => wordPrefix(prefix)(text);

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
    ['ﷺ'.repeat(50), 'ﷺ'.repeat(50), true],
    [`${'ﷺ '.repeat(50)}end`, 'end', true],
    [`${'a'.repeat(1_000)} b`, 'b', true],
    ['aab aaab', 'aaab', true],
    ['xaab aab', 'aab', true],
    ['aaaab', 'aab', false],
    ['a a b a a a b', 'a a a b', true],
    ['一一二一一一二', '一一一二', true],
    ['かか\u3099かか', 'かか', true],
    ['short', 'a', false],
  ];
  for (const [text, prefix, expected] of cases) {
    assert.equal(hasWordPrefix(text, foldText(prefix)), expected, `${text.slice(0, 20)} ${prefix}`);
    assert.equal(hasWordPrefix(foldText(text), foldText(prefix)), expected, `folded ${text.slice(0, 20)} ${prefix}`);
  }
  assert.deepEqual(wordsOf(''), []);
  assert.deepEqual(wordsOf(foldText('🎉 -')), []);
});

test('NM5 a Kana is not found by the one without its voiced or semi-voiced mark, nor at the end of a longer search', () => {
  for (const [text, search, expected] of [
    ['はな', 'は', true],
    ['ばな', 'は', false],
    ['ぱな', 'は', false],
    ['ぱな', 'ぱ', true],
    ['はぱ', 'はは', false],
    ['はぱ', 'はぱ', true],
    ['パン', 'ハ', false],
  ] as const) {
    assert.equal(hasWordPrefix(text, foldText(search)), expected, `${text} ${search}`);
  }
});

test('NM5 a letter of two units is one letter, the first and the last of each thousand too', () => {
  // Linear B, Deseret, Cuneiform, and a digit; the last two end a block of surrogates.
  for (const letter of ['\u{10000}', '\u{10400}', '\u{12000}', '\u{1d7ff}', '\u{207ff}']) {
    assert.equal(hasWordPrefix(`${letter}abc`, 'abc'), false, letter);
    assert.equal(hasWordPrefix(`${letter} abc`, 'abc'), true, letter);
    assert.equal(hasWordPrefix(`x ${letter}abc`, foldText(`${letter}a`)), true, letter);
  }
  // What is no letter does not begin a word, and ends one: emoji, private use, lone halves of a pair.
  for (const other of ['\u{1f3ff}', '\u{e000}', '\u{10fc00}', '\udc00', '\udfff', '\ud800', '\ufffd']) {
    assert.equal(hasWordPrefix(`x${other}abc`, 'abc'), true, other.codePointAt(0)?.toString(16));
    assert.equal(hasWordPrefix(`${other}abc`, 'abc'), true, other.codePointAt(0)?.toString(16));
  }
});

test('NM5 the same answer comes again, whatever was asked in between: other texts, other prefixes, longer and shorter ones', () => {
  const texts = ['Ann Bell', '王小明', 'Łukasz', '\u{10000}a b', 'e\u0301\u0323 x', 'e\u0323\u0301 x', `${'ﷺ '.repeat(40)}end`, ''];
  const prefixes = ['ann', 'bell', '小', 'luk', 'b', 'x', 'end', 'ẹ'].map(foldText);
  const asked = () => texts.map((text) => prefixes.map((prefix) => hasWordPrefix(text, prefix)));
  const expected = texts.map((text) =>
    prefixes.map((prefix) => {
      const folded = foldText(text);
      return prefix === '小' ? folded.includes(prefix) : wordsOf(folded).some((word) => word.startsWith(prefix));
    }),
  );
  for (let round = 0; round < 3; round++) assert.deepEqual(asked(), expected);
  for (const [at, prefix] of prefixes.entries()) {
    assert.deepEqual(
      texts.map((text) => hasWordPrefix(text, prefix)),
      expected.map((row) => row[at]),
    );
  }
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

/** Names that differ only in marks of the spelling. */
const SPELLED_APART: readonly (readonly [string, string])[] = [
  ['सत्य', 'सतय'],
  ['கண்ணன்', 'கணணன'],
  ['অর্ক', 'অরক'],
  ['ป้า', 'ปา'],
  ['ศักดิ์', 'ศักดิ'],
  ['အောင်', 'အောင'],
  ['ස්රි', 'සරි'],
  ['కృష్ణ', 'కృషణ'],
  ['क़लम', 'कलम'],
  ['សុខ', 'សខ'],
  ['ស្រី', 'សរី'],
  ['ਸਿੰਘ', 'ਸਿਘ'],
  ['བོད', 'བད'],
  ['ߒߞߏ߫', 'ߒߞߏ'],
  ['x̂y', 'xy'],
];

test('NM2 viramas, tone marks, nuktas, vowel signs and accents are part of the spelling', () => {
  for (const [one, other] of SPELLED_APART) assert.notEqual(nameKey(one), nameKey(other), `${one} and ${other}`);
});

test('NM2 optional points, tatweels, joiners and variation selectors make no other name', () => {
  assertSameKey('محمد', 'محـــمد', 'مُحَمَّد', 'ﻣﺤﻤﺪ');
  assertSameKey('ܫܠܡܐ', 'ܫܠܳܡܳܐ');
  assertSameKey('क्ष', 'क्‍ष', 'क्‌ष');
  assertSameKey('র‍্য', 'র্য');
  assertSameKey('ann', 'an\u034fn', 'ann\ufe0f', '\u2060ann');
});

test('NM4 marks on nothing, and fillers, are no name', () => {
  for (const name of ['\u0301', ' \u0301', '-\u094d', '\u3164', '\u115f', '1\ufe0f\u20e3'.slice(1)])
    assert.equal(nameKey(name), '', JSON.stringify(name));
  assert.equal(nameKey('1\ufe0f\u20e3'), '1');
});

test('NM5 letters without a decomposition are found by plain ones', () => {
  for (const [search, name] of [
    ['lukasz', 'Łukasz'],
    ['oster', 'Øster'],
    ['dang', 'Đặng'],
    ['aero', 'Ærø'],
    ['oeuvre', 'Œuvre'],
    ['thor', 'Þór'],
    ['gudrun', 'Guðrún'],
    ['hal', 'Ħal'],
    ['nan', 'ŋan'],
    ['isik', 'Işık'],
    ['strasse', 'Straße'],
    ['łuk', 'Lukasz'],
  ] as const) {
    assert.ok(hasWordPrefix(name, foldText(search)), `${search} finds ${name}`);
  }
});

test('NM5 a search does not ignore marks that are spelling', () => {
  for (const [one, other] of SPELLED_APART.slice(0, -1)) assert.ok(!hasWordPrefix(other, foldText(one)), `${one} does not find ${other}`);
  assert.ok(!hasWordPrefix('がく', foldText('かく')));
  assert.ok(!hasWordPrefix('がく', foldText('か')));
  assert.ok(hasWordPrefix('か\u3099く', foldText('が')));
  assert.ok(hasWordPrefix('किरण', foldText('क')), 'a consonant is the beginning of its syllable');
  assert.ok(!hasWordPrefix('नमस्ते', foldText('ते')), 'a mark ends no word');
  assert.deepEqual(wordsOf(foldText('नमस्ते दुनिया')).length, 2);
});

test('NM7 in scripts without spaces, any part of a name is found', () => {
  for (const [search, name] of [
    ['小明', '王小明'],
    ['太郎', '山田太郎'],
    ['たろう', 'やまだたろう'],
    ['ロウ', 'タロウ'],
    ['ชาย', 'สมชาย'],
    ['ລາວ', 'ສາວລາວ'],
    ['ខា', 'សុខា'],
    ['အောင်', 'ကိုအောင်'],
    ['𠮷', '大𠮷'],
  ] as const) {
    assert.ok(hasWordPrefix(name, foldText(search)), `${search} finds ${name}`);
  }
  assert.ok(!hasWordPrefix('王小明', foldText('王明')));
  assert.ok(!hasWordPrefix('Anna', foldText('nna')));
});

test('FL23 a text is searched in the first 1,024 characters of a field, folded or not', () => {
  for (const [text, search] of [
    ['a', 'b'],
    ['一', '二'],
    ['ﷺ', 'b'],
    ['\u094d\u093c', 'b'],
    ['\u0301\u0323', 'b'],
  ] as const) {
    const rows = text.repeat(2_000);
    assert.ok(searchedUnits(rows) >= 1_024 && searchedUnits(rows) <= 1_024 + 18, foldText(text));
    assert.ok(!hasWordPrefix(`${rows} ${search}`, search), text);
  }
  assert.ok(hasWordPrefix(`${'a'.repeat(1_022)} b`, 'b'));
  assert.ok(!hasWordPrefix(`${'a'.repeat(1_023)} b`, 'b'));
});

/** Every kind of mark and joiner, and letters of every script. */
function pool(): string[] {
  const found: string[] = [];
  for (let code = 0x20; code < 0xe_0200; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const character = String.fromCodePoint(code);
    const isKept = /[\p{M}\p{Cf}\p{Lm}]/u.test(character) || (/[\p{L}\p{N}]/u.test(character) && (code < 0x2000 || code % 97 === 0));
    if (isKept) found.push(character);
  }
  return found;
}

test('NM6 marks that a character without a sign keeps apart, and the mark that becomes a letter, are put in order', () => {
  // The dot of the İ is found behind a mark that only stands before it because of the selector between them.
  assertSameKey('\u0130\u1dcd\u{e0101}\u0307', '\u0130\u1dcd', 'i\u1dcd');
  assertSameKey('\u1fbc\u0342', '\u1fb3\u0342', '\u1fb7');
});

test('NM6 the same holds for any row of characters and marks, and a search folds names as it folds what it looks for', () => {
  const characters = pool();
  const some = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...characters) },
    { weight: 2, arbitrary: fc.constantFrom(...characters.filter((one) => /\p{M}/u.test(one))) },
    { weight: 1, arbitrary: fc.constantFrom(' ', '-', 'a', 'I', 'i', 'İ', 'ß', 'Σ', 'ᾼ', 'ﷺ', '각', 'が', '\u200d', '\u0307') },
  );
  const text = fc.array(some, { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.nat(), fc.nat(), (name, from, length) => {
      const key = nameKey(name);
      assert.equal(nameKey(key), key, 'the key is final');
      assert.equal(key.normalize('NFKC'), key, 'the key is in NFKC');
      for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const) assert.equal(nameKey(name.normalize(form)), key, form);
      const apart = name.normalize('NFKD');
      for (const cased of [apart.toUpperCase(), apart.toLowerCase()]) assert.equal(nameKey(cased), key, 'in another case');
      const folded = foldText(name);
      assert.equal(foldText(folded), folded, 'the folded text is final');
      if (folded !== '' && !/^[\u3099\u309a]/.test(folded)) assert.ok(hasWordPrefix(name, folded), 'a name is found by itself');
      const part = folded.slice(from % (folded.length + 1)).slice(0, 1 + (length % 4));
      assert.equal(hasWordPrefix(name, part), hasWordPrefix(` ${folded}`.slice(1), part), 'folded at once or one character at a time');
    }),
    { numRuns: isLong ? 300_000 : 10_000 },
  );
});
