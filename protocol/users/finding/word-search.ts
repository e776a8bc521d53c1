/** Finds words in texts by how they begin, as `$autocomplete` and `$q` do, without making the folded text. Pure. */
import { LIMITS } from '../../base/limits.ts';
import { foldText } from '../names.ts';

/**
 * Whether a word of a text begins with `prefix`. `prefix` is folded and may hold several consecutive words. The text need not be
 * folded: the function folds it without making a string, because a scan calls it for a million names. In scripts that are written
 * without spaces, each character may begin a word. Each unit of the text is looked at once (Knuth, Morris and Pratt), whatever it repeats.
 */
export function wordPrefix(prefix: string): (text: string) => boolean {
  const isFound = foldedPrefix(prefix);
  return (text) => isFound(foldInto(text));
}

/** `wordPrefix` for the text that was folded last, whose fold is so long. */
export function foldedPrefix(prefix: string): (length: number) => boolean {
  const units = Uint16Array.from({ length: prefix.length }, (_, at) => prefix.charCodeAt(at));
  const [first] = units;
  const isAnywhere = UNSPACED.test(prefix);
  const shorter = bordersOf(units);
  return (length) => {
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

/**
 * Folds a text in UTF-8, and gives the length for `foldedPrefix`, which is that of the text, too. -1 where it has a character that is to
 * be folded with its neighbours, or is long.
 */
export function foldUtf8(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > LIMITS.searchedChars) return -1;
  scratchText = '';
  scratchLength = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const first = bytes[at] ?? 0;
    if (first < 0x80) {
      scratch[length++] = first >= 0x41 && first <= 0x5a ? first + 0x20 : first;
      continue;
    }
    if (first >= 0xf0) return -1;
    let unit = ((first & (first < 0xe0 ? 0x1f : 0x0f)) << 6) | ((bytes[++at] ?? 0) & 0x3f);
    if (first >= 0xe0) unit = (unit << 6) | ((bytes[++at] ?? 0) & 0x3f);
    const folded = foldedUnits[unit] || foldedUnit(unit);
    if (folded === OTHER || kindOf(folded) === MARK) return -1;
    scratch[length++] = folded;
  }
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
