/**
 * Names as people compare them: the key under which a name is unique, and the
 * words that `$autocomplete` and `$q` look at. Pure.
 */

const ASCII = /^[\x20-\x7e]*$/;
const NOT_LETTER_OR_DIGIT = /[^\p{L}\p{N}]+/gu;
const ASCII_NOT_LETTER_OR_DIGIT = /[^a-z0-9]+/g;
const MARKS = /\p{M}+/gu;

/**
 * The key under which names are the same: NFKC, lower case, and only letters and digits, so that "John Doe", "john doe" and
 * "john.doe" are one name. Letters keep their accents ("José" is not "Jose", however it is composed), "ß" equals "ss" and a
 * final sigma equals any other. Empty when the name has no letter or digit: such names are not held to be unique.
 */
export function nameKey(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase().replace(ASCII_NOT_LETTER_OR_DIGIT, '');
  // Upper case first folds what lower case alone keeps apart: ß and SS, ς and σ. The dot of a Turkish İ is a mark and is dropped.
  const folded = name.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
  return folded.replace(NOT_LETTER_OR_DIGIT, '');
}

/** Lower case without accents: how `$autocomplete` and `$q` read both the name and what they look for. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text.normalize('NFKD').replace(MARKS, '').toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a folded text. */
export function wordsOf(folded: string): string[] {
  return folded.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/** Whether a word of `folded` begins with `prefix`. Both are folded; `prefix` may hold several words as they follow one another. */
export function hasWordPrefix(folded: string, prefix: string): boolean {
  for (let at = folded.indexOf(prefix); at !== -1; at = folded.indexOf(prefix, at + 1)) {
    if (at === 0 || !isWordUnit(folded, at - 1)) return true;
  }
  return false;
}

const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

function isWordUnit(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
  // The second half of a pair belongs to the letter that began with the first.
  const start = unit >= 0xdc00 && unit < 0xe000 ? at - 1 : at;
  return LETTER_OR_DIGIT.test(String.fromCodePoint(text.codePointAt(start) ?? 0));
}
