/**
 * Names as people compare them: the key under which a name is unique, and the
 * words that `$autocomplete` and `$q` compare. Pure.
 */

const ASCII = /^[\x20-\x7e]*$/;
/**
 * The characters that the key drops: all but letters, digits and the vowel signs that Indic and other scripts write as marks;
 * without those signs, many different names would have the same key. Optional points are dropped, too.
 */
const NOT_OF_NAME =
  /(?:[^\p{L}\p{N}\p{M}]|(?!\p{Alphabetic})\p{M}|(?=[\p{Script=Inherited}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}])\p{M})+/gu;
const ASCII_NOT_LETTER_OR_DIGIT = /[^a-z0-9]+/g;
const MARKS = /\p{M}+/gu;

/**
 * The key under which names are equal: NFKC, lower case, and only letters, digits and vowel signs, so that "John Doe", "john doe"
 * and "john.doe" are one name. Letters keep their accents ("José" is not "Jose", however it is composed), "ß" equals "ss", and a
 * final sigma equals any other. Empty when the name has no letter or digit: such names need not be unique.
 */
export function nameKey(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase().replace(ASCII_NOT_LETTER_OR_DIGIT, '');
  // The dot of a Turkish İ is a mark and is dropped.
  return foldCase(name.normalize('NFKC')).normalize('NFKC').replace(NOT_OF_NAME, '');
}

/** Lower case without accents: the form in which `$autocomplete` and `$q` compare the name and the searched text. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return foldCase(text.normalize('NFKD').replace(MARKS, ''));
}

/** Upper case merges letters that lower case alone keeps apart (ß and SS, ς and σ). Lower case comes first because of ẞ. */
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a folded text. */
export function wordsOf(folded: string): string[] {
  return folded.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/**
 * Whether a word of `text` begins with `prefix`. `prefix` is folded and may hold several consecutive words. `text` need not be
 * folded: this function folds it without making a string, because a scan calls it for a million names.
 */
export function hasWordPrefix(text: string, prefix: string): boolean {
  const length = foldInto(text);
  const first = prefix.charCodeAt(0);
  for (let at = 0; at <= length - prefix.length; at++) {
    if (scratch[at] === first && (at === 0 || !isWordUnit(at - 1)) && isPrefixAt(at, prefix)) return true;
  }
  return false;
}

function isPrefixAt(at: number, prefix: string): boolean {
  for (let i = 1; i < prefix.length; i++) if (scratch[at + i] !== prefix.charCodeAt(i)) return false;
  return true;
}

/** The last folded text, in UTF-16 units, and its length: a search for several words uses the same text again. */
let scratch = new Uint16Array(256);
let scratchText = '';
let scratchLength = 0;

/** The single unit that each UTF-16 unit folds to, filled on first use; 0: not known yet; 1: it does not fold to a single unit. */
const foldedUnits = new Uint16Array(0x10000);
const OTHER = 1;

/** Folds like `foldText`, one character at a time, since folding does not depend on neighbours. Returns the length in `scratch`. */
function foldInto(text: string): number {
  if (text === scratchText) return scratchLength;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (length + FOLDED_UNITS_MAX > scratch.length) scratch = grown(scratch);
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      scratch[length++] = unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
      continue;
    }
    const folded = foldedUnits[unit] || foldedUnit(unit);
    if (folded !== OTHER) {
      scratch[length++] = folded;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(i) ?? unit);
    i += character.length - 1;
    const several = foldText(character);
    for (let k = 0; k < several.length; k++) scratch[length++] = several.charCodeAt(k);
  }
  scratchText = text;
  scratchLength = length;
  return length;
}

/** The longest fold of one character, in UTF-16 units (the ligature U+FDFA). */
const FOLDED_UNITS_MAX = 18;

function foldedUnit(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit < 0xe000;
  const text = isSurrogate ? '' : foldText(String.fromCharCode(unit));
  const folded = text.length === 1 ? text.charCodeAt(0) : OTHER;
  foldedUnits[unit] = folded;
  return folded;
}

function grown(units: Uint16Array): Uint16Array<ArrayBuffer> {
  const larger = new Uint16Array(units.length * 2);
  larger.set(units);
  return larger;
}

const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** Whether the unit of `scratch` at `at` belongs to a word. */
function isWordUnit(at: number): boolean {
  const unit = scratch[at] ?? 0;
  if (unit < 0x80) return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
  // The second half of a surrogate pair belongs to the same letter as the first.
  const isSecond = unit >= 0xdc00 && unit < 0xe000 && at > 0;
  return LETTER_OR_DIGIT.test(isSecond ? String.fromCharCode(scratch[at - 1] ?? 0, unit) : String.fromCharCode(unit));
}
