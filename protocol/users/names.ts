/**
 * Names as people compare them: the key under which a name is unique, and the
 * words that `$autocomplete` and `$q` compare. Pure.
 */
import { LIMITS } from '../base/limits.ts';

const ASCII = /^[\x20-\x7e]*$/;
const ASCII_NOT_LETTER_OR_DIGIT = /[^a-z0-9]+/g;

/** The version of `nameKey`. Raise it when two names get the same key that had different ones: the next start then reports them. */
export const NAME_KEY_VERSION = 3;

/**
 * Points that are written or left out at will, and frames around a character. In all other scripts the marks are part of the spelling: vowel signs, viramas, tone
 * marks, nuktas, and accents.
 */
const OPTIONAL_POINTS =
  /\p{Me}|(?=[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Samaritan}\p{Script=Mandaic}\u064b-\u0655\u0670])\p{M}/gu;
/** Characters without a sign of their own: joiners, variation selectors, fillers; and tatweels, which only stretch a word. */
const NO_SIGN = /[\p{Default_Ignorable_Code_Point}\u0640\u07fa]+/gu;
/** All but letters, digits and the marks on them. A mark on anything else goes with it. */
const NOT_OF_NAME = /^\p{M}+|[^\p{L}\p{N}\p{M}]+\p{M}*/gu;

/**
 * The key under which names are equal: NFKC, lower case, and only letters and digits with their marks, so that "John Doe", "john doe"
 * and "john.doe" are one name. Letters keep their accents ("José" is not "Jose", however it is composed), "ß" equals "ss", and a
 * final sigma equals any other. Empty when the name has no letter or digit: such names need not be unique.
 */
export function nameKey(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase().replace(ASCII_NOT_LETTER_OR_DIGIT, '');
  const known = recentKeys.get(name);
  if (known !== undefined) return known;
  if (recentKeys.size >= KEYS_KEPT) recentKeys.clear();
  const key = keyOf(name);
  recentKeys.set(name, key);
  return key;
}

/** The keys of the last names: each step of a write asks for the key of the same name, and a long one takes a tenth of a millisecond. */
const recentKeys = new Map<string, string>();
const KEYS_KEPT = 512;

function keyOf(name: string): string {
  // Taken apart first, as Unicode's caseless matching (D146) asks: the capital of an iota subscript is a letter, which no mark may follow.
  const folded = foldCase(name.normalize('NFKD')).normalize('NFKC');
  const spelled = folded.replace(NO_SIGN, '').replace(OPTIONAL_POINTS, '').replace(NOT_OF_NAME, '').normalize('NFD');
  // The lower case of a Turkish İ is an i with a dot above. Marks that a character without a sign kept apart are in order now.
  return spelled.replace(/i\u0307+/g, 'i').normalize('NFKC');
}

/**
 * Marks that a search ignores: accents of alphabets, and optional points. The voiced marks of Kana (U+3099, U+309A) make another
 * character, like the marks of all other scripts.
 */
const ACCENTS =
  /(?=[\p{Script=Inherited}\p{Script=Common}\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Coptic}\p{Script=Glagolitic}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Samaritan}\p{Script=Mandaic}])(?![\u3099\u309a])\p{M}/gu;
/** Soft hyphens, joiners and tatweels. */
const UNSEARCHED = /\u00ad|\u200c|\u200d|\u2060|\u0640|\u07fa/g;

/** Letters that people without their keyboard write with others, and that have no decomposition. */
const PLAIN_LETTERS: ReadonlyMap<string, string> = new Map(
  'æae œoe øo łl đd ðd ɖd ɗd þth ħh ŋn ŧt ƀb ɓb ƈc ȼc əe ɛe ɇe ƒf ǥg ɠg ɣg ɨi ɉj ƙk ƚl ɲn ɔo ɵo ƥp ɍr ƭt ʉu ʋv ƴy ƶz ⱥa ⱦt'
    .split(' ')
    .map((pair) => [pair.charAt(0), pair.slice(1)]),
);
const PLAIN = new RegExp(`[${[...PLAIN_LETTERS.keys()].join('')}]`, 'g');

/**
 * The form in which `$autocomplete` and `$q` compare the name and the searched text: lower case without accents, and with plain
 * letters ("Łukasz" is found by "lukasz").
 */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  const bare = text.normalize('NFKD').replace(UNSEARCHED, '').replace(ACCENTS, '');
  const folded = foldCase(bare).replace(PLAIN, (letter) => PLAIN_LETTERS.get(letter) ?? letter);
  // Marks that a joiner kept apart are in order now, too.
  return folded.normalize('NFD');
}

/** Upper case merges letters that lower case alone keeps apart (ß and SS, ς and σ). Lower case comes first because of ẞ. */
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a folded text. */
export function wordsOf(folded: string): string[] {
  return folded.split(/[^\p{L}\p{N}\p{M}]+/u).filter((word) => word !== '');
}

/**
 * Whether a word of a text begins with `prefix`. `prefix` is folded and may hold several consecutive words. The text need not be
 * folded: the function folds it without making a string, because a scan calls it for a million names. In scripts that are written
 * without spaces, each character may begin a word. Each unit of the text is looked at once (Knuth, Morris and Pratt), whatever it repeats.
 */
export function wordPrefix(prefix: string): (text: string) => boolean {
  const units = Uint16Array.from({ length: prefix.length }, (_, at) => prefix.charCodeAt(at));
  const [first] = units;
  const isAnywhere = UNSPACED.test(prefix);
  const shorter = bordersOf(units);
  return (text) => {
    const length = foldInto(text);
    const last = length - units.length;
    for (let at = 0; at <= last; ) {
      if (scratch[at++] !== first || !(isAnywhere || isWordStart(at - 1))) continue;
      /** How many units of the prefix are found before `at`. */
      let held = 1;
      while (held > 0) {
        if (held === units.length) {
          // Without its voiced mark, a Kana is another character.
          const next = at < length ? scratch[at] : 0;
          if (next !== 0x3099 && next !== 0x309a && (isAnywhere || isWordStart(at - held))) return true;
        } else if (at < length && units[held] === scratch[at]) {
          held++;
          at++;
          continue;
        }
        held = shorter[held - 1] ?? 0;
      }
    }
    return false;
  };
}

/** For each beginning of `units`, the length of the longest shorter one that it ends with. */
function bordersOf(units: Uint16Array): Uint16Array {
  const borders = new Uint16Array(units.length);
  let length = 0;
  for (let at = 1; at < units.length; at++) {
    while (length > 0 && units[at] !== units[length]) length = borders[length - 1] ?? 0;
    if (units[at] === units[length]) length++;
    borders[at] = length;
  }
  return borders;
}

function isWordStart(at: number): boolean {
  return at === 0 || !isWordUnit(at - 1);
}

/** How many units of a text are folded or searched, whichever are more. */
export function searchedUnits(text: string): number {
  return Math.max(foldInto(text), Math.min(text.length, LIMITS.searchedChars));
}

const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** The longest fold of one character, in UTF-16 units (the ligature U+FDFA). */
const FOLDED_UNITS_MAX = 18;

/** The last folded text, in UTF-16 units, and its length: a search for several words uses the same text again. */
const scratch = new Uint16Array(LIMITS.searchedChars + FOLDED_UNITS_MAX);
let scratchText = '';
let scratchLength = 0;

/** The single unit that each UTF-16 unit folds to, filled on first use; 0: not known yet; 1: it does not fold to a single unit. */
const foldedUnits = new Uint16Array(0x10000);
const OTHER = 1;

/**
 * Folds the beginning of a text like `foldText`, one character at a time: folding depends on neighbours only where two marks are not in
 * their canonical order. Returns the length in `scratch`.
 */
function foldInto(text: string): number {
  if (text === scratchText) return scratchLength;
  let length = 0;
  /** The last character, if it is a mark. */
  let mark = 0;
  let end = Math.min(text.length, LIMITS.searchedChars);
  for (let i = 0; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      scratch[length++] = unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
      mark = 0;
      continue;
    }
    const folded = foldedUnits[unit] || foldedUnit(unit);
    if (folded !== OTHER) {
      if (kindOf(folded) !== MARK) mark = 0;
      else if (mark !== 0 && isSwapped(mark, folded)) return foldWhole(text);
      else mark = folded;
      scratch[length++] = folded;
      continue;
    }
    const code = text.codePointAt(i) ?? unit;
    if (code > 0xffff) i++;
    for (const part of foldedCharacter(code)) {
      if (part.isMark && mark !== 0 && isSwapped(mark, part.code)) return foldWhole(text);
      mark = part.isMark ? part.code : 0;
      for (let k = 0; k < part.text.length; k++) scratch[length++] = part.text.charCodeAt(k);
    }
    // Each unit that follows becomes one or more.
    end = Math.min(end, i + 1 + LIMITS.searchedChars - length);
  }
  scratchText = text;
  scratchLength = length;
  return length;
}

interface FoldedPart {
  readonly text: string;
  readonly code: number;
  readonly isMark: boolean;
}

/** The folds of characters that do not fold to a single unit: making one takes microseconds. */
const foldedCharacters = new Map<number, readonly FoldedPart[]>();
const CHARACTERS_KEPT = 65_536;

function foldedCharacter(code: number): readonly FoldedPart[] {
  const known = foldedCharacters.get(code);
  if (known !== undefined) return known;
  const parts = [...foldText(String.fromCodePoint(code))].map((text) => ({
    text,
    code: text.codePointAt(0) ?? 0,
    isMark: IS_MARK.test(text),
  }));
  if (foldedCharacters.size < CHARACTERS_KEPT) foldedCharacters.set(code, parts);
  return parts;
}

function foldedUnit(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit < 0xe000;
  const text = isSurrogate ? '' : foldText(String.fromCharCode(unit));
  const folded = text.length === 1 ? text.charCodeAt(0) : OTHER;
  foldedUnits[unit] = folded;
  return folded;
}

function foldWhole(text: string): number {
  const folded = wholeFold(text);
  for (let k = 0; k < folded.length; k++) scratch[k] = folded.charCodeAt(k);
  scratchText = text;
  scratchLength = folded.length;
  return folded.length;
}

/** The folds of the last names whose marks are not in order, which are rare: a filter on two fields asks for them in turn. */
const wholeFolds = new Map<string, string>();
const WHOLE_FOLDS_KEPT = 64;

function wholeFold(text: string): string {
  const known = wholeFolds.get(text);
  if (known !== undefined) return known;
  const folded = foldText(text.slice(0, LIMITS.searchedChars)).slice(0, LIMITS.searchedChars);
  if (wholeFolds.size >= WHOLE_FOLDS_KEPT) wholeFolds.clear();
  wholeFolds.set(text, folded);
  return folded;
}

/** Pairs of marks, each with whether the canonical order is the other one. Few pairs ever occur. */
const swapped = new Map<number, boolean>();
const PAIRS_KEPT = 10_000;

function isSwapped(first: number, second: number): boolean {
  const key = first * 0x11_0000 + second;
  const known = swapped.get(key);
  if (known !== undefined) return known;
  const pair = String.fromCodePoint(first, second);
  const is = pair.normalize('NFD') !== pair;
  if (swapped.size < PAIRS_KEPT) swapped.set(key, is);
  return is;
}

const IS_MARK = /^\p{M}/u;
const LETTER_OR_DIGIT = /^[\p{L}\p{N}]/u;

/** The kind of each UTF-16 unit that is a character, filled on first use; 0: not known yet. */
const kinds = new Uint8Array(0x10000);
const WORD = 1;
const MARK = 2;
const BETWEEN = 3;

function kindOf(unit: number): number {
  return kinds[unit] || newKind(unit);
}

function newKind(unit: number): number {
  const text = String.fromCharCode(unit);
  const kind = LETTER_OR_DIGIT.test(text) ? WORD : IS_MARK.test(text) ? MARK : BETWEEN;
  kinds[unit] = kind;
  return kind;
}

/** Surrogate pairs, each with whether it belongs to a word. */
const pairsOfWords = new Map<number, boolean>();

/** Whether the unit of `scratch` at `at` belongs to a word. */
function isWordUnit(at: number): boolean {
  const unit = scratch[at] ?? 0;
  if (unit < 0xdc00 || unit >= 0xe000 || at === 0) return kindOf(unit) !== BETWEEN;
  // The second half of a surrogate pair belongs to the same character as the first.
  const key = (scratch[at - 1] ?? 0) * 0x1_0000 + unit;
  const known = pairsOfWords.get(key);
  if (known !== undefined) return known;
  const pair = String.fromCharCode(scratch[at - 1] ?? 0, unit);
  // Without its first half, it is no character, whatever stands before it.
  const isOfWord = [...pair].length === 1 && (LETTER_OR_DIGIT.test(pair) || IS_MARK.test(pair));
  if (pairsOfWords.size < PAIRS_KEPT) pairsOfWords.set(key, isOfWord);
  return isOfWord;
}
