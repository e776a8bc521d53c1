/**
 * Names as people compare them: the key under which a name is unique, and the
 * words that `$autocomplete` and `$q` compare (finding/word-search.ts). Pure.
 */
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
