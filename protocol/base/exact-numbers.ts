/**
 * Finds the whole numbers of a JSON text that would silently become other numbers: JSON has no bound, JavaScript's numbers do.
 *
 * The rule: a number written without fraction and exponent must keep its digits when it is read and written again.
 * 9007199254740993 does not, 9007199254740992 does. A number with a fraction or an exponent may be rounded: nobody counts
 * on its last digit. A number beyond every bound (1e400) is refused where custom data is checked. Pure.
 */
import type { FieldError } from './errors.ts';
import { clip, fieldPath, itemPath } from './field-path.ts';

/** A number has room for every whole number with fewer digits. */
const DIGITS_AT_RISK = 16;
/** A number with more of them is written with an exponent. */
const DIGITS_WRITTEN = 22;
/** Keys and indexes of a path. Nothing that may be stored nests deeper; the work for a number must not grow with its depth. */
const PATH_MAX = 64;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** The bit that makes a letter a small one. */
const LOWER_CASE = 0x20;
const LOWER_E = 0x65;

/** Keys and indexes that lead to a value. */
export type Path = readonly (string | number)[];

/** A whole number that cannot be kept, in the place of its value. */
export class InexactNumber {
  /** To one that lies deeper than any value may, only the first keys and indexes. */
  readonly path: Path;
  readonly digits: string;
  /** Where its digits begin in the text. */
  readonly at: number;

  constructor(path: Path, digits: string, at: number) {
    this.path = path;
    this.digits = digits;
    this.at = at;
  }

  get problem(): FieldError {
    return { path: pathText(this.path), message: `${clip(this.digits)} ${NOT_EXACT}` };
  }

  /** `uid: 9007199254740993 is too big …`. */
  get text(): string {
    const { path, message } = this.problem;
    return path === '' ? message : `${path}: ${message}`;
  }
}

export const NOT_EXACT = 'is too big to be an exact number; write it as text';

/**
 * `text` is valid JSON. Costs next to nothing unless something in it looks like a number of 16 digits. Where `mayRound` says so, digits are
 * not looked at.
 */
export function inexactNumbers(text: string, mayRound: (path: Path) => boolean = () => false): Iterable<InexactNumber> {
  return mayHoldSome(text) ? scanned(text, mayRound) : [];
}

/** Like JSON.parse, with an InexactNumber in the place of each number that cannot be kept. Throws SyntaxError. */
export function parseExact(text: string): { readonly value: unknown; readonly isExact: boolean } {
  const value: unknown = JSON.parse(text);
  let root = value;
  let isExact = true;
  for (const number of inexactNumbers(text)) {
    isExact = false;
    const last = number.path.at(-1);
    if (last === undefined) root = number;
    else {
      const holder = number.path.slice(0, -1).reduce<unknown>(ownOf, value);
      // Of a key that comes twice, the value is the last one, which may be anything. Defined, not assigned: the key may be `__proto__`.
      if (ownOf(holder, last) !== undefined)
        Object.defineProperty(holder, last, { value: number, enumerable: true, configurable: true, writable: true });
    }
  }
  return { value: root, isExact };
}

/** What the text put there; undefined for what every object inherits, and for the length of a list. */
function ownOf(holder: unknown, key: string | number): unknown {
  if (typeof holder !== 'object' || holder === null || Array.isArray(holder) !== (typeof key === 'number')) return undefined;
  return Object.getOwnPropertyDescriptor(holder, key)?.value;
}

/** The numbers that `parseExact` could not keep, anywhere in `value`. */
export function inexactIn(value: unknown): readonly InexactNumber[] {
  const found: InexactNumber[] = [];
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (next instanceof InexactNumber) found.push(next);
    else if (typeof next === 'object' && next !== null) open.push(...Object.values(next).reverse());
  }
  return found;
}

/**
 * Whether the text may hold such a number. Looks at every sixteenth character: no run of sixteen digits lies between two of them.
 * Most long runs are in texts and have a letter or a quote beside them, which no number has.
 */
function mayHoldSome(text: string): boolean {
  for (let at = DIGITS_AT_RISK - 1; at < text.length; at += DIGITS_AT_RISK) {
    if (!isDigit(text.charCodeAt(at))) continue;
    let from = at;
    let to = at + 1;
    while (isDigit(text.charCodeAt(from - 1))) from--;
    while (isDigit(text.charCodeAt(to))) to++;
    if (to - from >= DIGITS_AT_RISK && BEFORE.test(text.charAt(from - 1)) && AFTER.test(text.charAt(to))) return true;
    at = to - 1;
  }
  return false;
}

/** The beginning and the end of the text are empty. */
const BEFORE = /^[\s:,[-]?$/;
const AFTER = /^[\s,\]}]?$/;

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

interface Container {
  readonly isList: boolean;
  /** The index of the value that is being read, or the place of its key. */
  at: number;
  /** The key, once something asked for it. */
  key?: string | undefined;
  /** The path of the container itself, once something asked for it. */
  path?: Path | undefined;
}

/** One pass over the text, however its quotes, blanks and digits lie. */
function* scanned(text: string, mayRound: (path: Path) => boolean): Generator<InexactNumber, void> {
  const open: Container[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= SPACE) continue;
    const inner = open.at(-1);
    switch (code) {
      case OPEN_OBJECT:
        open.push({ isList: false, at });
        isKey = true;
        break;
      case OPEN_LIST:
        open.push({ isList: true, at: 0 });
        isKey = false;
        break;
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        open.pop();
        break;
      case COLON:
        isKey = false;
        break;
      case COMMA:
        isKey = inner?.isList === false;
        if (inner?.isList === true) inner.at++;
        break;
      case QUOTE:
        if (isKey && inner !== undefined) {
          inner.at = at;
          inner.key = undefined;
        }
        at = endOfText(text, at);
        break;
      default: {
        if (code !== MINUS && !isDigit(code)) break;
        const end = endOfDigits(text, at + 1);
        const isWhole = !isFraction(text.charCodeAt(end));
        if (isWhole && end - at >= DIGITS_AT_RISK) {
          const path = pathIn(text, open);
          if (!mayRound(path) && isInexact(text, at, end)) yield new InexactNumber(path, text.slice(at, end), at);
        }
        at = (isWhole ? end : endOfFraction(text, end)) - 1;
      }
    }
  }
}

/** The place of the quote that ends the text which begins at `start`. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

function endOfDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** Whether a fraction or an exponent follows. */
function isFraction(code: number): boolean {
  return code === POINT || (code | LOWER_CASE) === LOWER_E;
}

function endOfFraction(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); isDigit(code) || isFraction(code) || code === PLUS || code === MINUS; code = text.charCodeAt(at))
    at++;
  return at;
}

/** The path of the value that is being read. Containers share the paths of those around them. */
function pathIn(text: string, open: readonly Container[]): Path {
  let known = Math.min(open.length, PATH_MAX) - 1;
  while (known > 0 && open[known]?.path === undefined) known--;
  let path: Path = open[known]?.path ?? [];
  for (const container of open.slice(Math.max(known, 0), PATH_MAX)) {
    container.path = path;
    path = [...path, keyOf(text, container)];
  }
  return path;
}

function keyOf(text: string, container: Container): string | number {
  const { isList, at } = container;
  if (isList) return at;
  container.key ??= String(JSON.parse(text.slice(at, endOfText(text, at) + 1)));
  return container.key;
}

function isInexact(text: string, from: number, to: number): boolean {
  if (to - from > DIGITS_WRITTEN) return true;
  const token = text.slice(from, to);
  return String(Number(token)) !== token;
}

/** `users[ann].address.zip`. */
function pathText(path: Path): string {
  return path.reduce<string>((text, key, at) => {
    const isItem = typeof key === 'number' || (at === 1 && path[0] === 'users');
    return isItem ? itemPath(text, key) : fieldPath(text, key);
  }, '');
}
