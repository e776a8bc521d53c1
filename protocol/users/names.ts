/**
 * Names as people compare them: the key under which a name is unique, and the
 * words that `$autocomplete` and `$q` look at. Pure.
 */

const ASCII = /^[\x20-\x7e]*$/;
/**
 * What the key drops: all but letters, digits and the vowel signs that Indic and other scripts write as marks, without which
 * many names would be one. Points that are written or left out at will are dropped, too.
 */
const NOT_OF_NAME =
  /(?:[^\p{L}\p{N}\p{M}]|(?!\p{Alphabetic})\p{M}|(?=[\p{Script=Inherited}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}])\p{M})+/gu;
const ASCII_NOT_LETTER_OR_DIGIT = /[^a-z0-9]+/g;
const MARKS = /\p{M}+/gu;

/**
 * The key under which names are the same: NFKC, lower case, and only letters, digits and vowel signs, so that "John Doe", "john doe" and
 * "john.doe" are one name. Letters keep their accents ("José" is not "Jose", however it is composed), "ß" equals "ss" and a
 * final sigma equals any other. Empty when the name has no letter or digit: such names are not held to be unique.
 */
export function nameKey(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase().replace(ASCII_NOT_LETTER_OR_DIGIT, '');
  // The dot of a Turkish İ is a mark and is dropped.
  return foldCase(name.normalize('NFKC')).normalize('NFKC').replace(NOT_OF_NAME, '');
}

/** Lower case without accents: how `$autocomplete` and `$q` read both the name and what they look for. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return foldCase(text.normalize('NFKD').replace(MARKS, ''));
}

/** Upper case folds what lower case alone keeps apart (ß and SS, ς and σ); lower case before it, since ẞ has no other upper case. */
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a folded text. */
export function wordsOf(folded: string): string[] {
  return folded.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/**
 * Whether a word of `text` begins with `prefix`. `prefix` is folded and may hold several words as they follow one another;
 * `text` need not be: it is folded on the way, without making a string, because a scan asks this of a million names.
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

/** The text last folded, in UTF-16 units, and how many they are: a search for several words asks for the same text again. */
let scratch = new Uint16Array(256);
let scratchText = '';
let scratchLength = 0;

/** What a UTF-16 unit folds to when that is one unit again, filled as units are met; 0 is not known yet, 1 anything else. */
const foldedUnits = new Uint16Array(0x10000);
const OTHER = 1;

/** Unit for unit the same as `foldText`: folding a text is folding each of its characters alone. Gives the length in `scratch`. */
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

/** The longest that one character folds to (the ligature U+FDFA). */
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
  // The second half of a pair belongs to the letter that began with the first.
  const isSecond = unit >= 0xdc00 && unit < 0xe000 && at > 0;
  return LETTER_OR_DIGIT.test(isSecond ? String.fromCharCode(scratch[at - 1] ?? 0, unit) : String.fromCharCode(unit));
}
