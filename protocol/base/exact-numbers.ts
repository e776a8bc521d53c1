/**
 * Finds the whole numbers of a JSON text that would silently become other numbers: JSON has no bound, JavaScript's numbers do.
 *
 * The rule: a number written without fraction and exponent must keep its digits when it is read and written again.
 * 9007199254740993 does not, 9007199254740992 does. A number with a fraction or an exponent may be rounded: nobody counts
 * on its last digit. A number beyond every bound (1e400) is refused where custom data is checked. Pure.
 */
import type { FieldError } from './errors.ts';
import { clip, fieldPath, itemPath } from './explain.ts';

/** A number has room for every whole number with fewer digits. */
const DIGITS_AT_RISK = 16;
const ZERO = 0x30;
const NINE = 0x39;

/** A whole number that cannot be kept, in the place of its value. */
export class InexactNumber {
  /** Keys and indexes that lead to it. */
  readonly path: readonly (string | number)[];
  readonly digits: string;
  /** Where its digits begin in the text. */
  readonly at: number;

  constructor(path: readonly (string | number)[], digits: string, at: number) {
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

/** `text` is valid JSON. Costs next to nothing when no number or text in it has 16 digits in a row. */
export function inexactNumbers(text: string): readonly InexactNumber[] {
  return hasLongRun(text) ? scanned(text) : [];
}

/** Like JSON.parse, with an InexactNumber in the place of each number that cannot be kept. Throws SyntaxError. */
export function parseExact(text: string): { readonly value: unknown; readonly isExact: boolean } {
  const value: unknown = JSON.parse(text);
  const found = inexactNumbers(text);
  let root = value;
  for (const number of found) {
    const last = number.path.at(-1);
    if (last === undefined) root = number;
    else {
      const holder = number.path.slice(0, -1).reduce<unknown>((at, key) => Object(at)[key], value);
      // Defined, not assigned: the key may be `__proto__`.
      if (typeof holder === 'object' && holder !== null)
        Object.defineProperty(holder, last, { value: number, enumerable: true, configurable: true, writable: true });
    }
  }
  return { value: root, isExact: found.length === 0 };
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

/** Looks at every sixteenth character: no run of sixteen digits can lie between two of them. */
function hasLongRun(text: string): boolean {
  for (let at = DIGITS_AT_RISK - 1; at < text.length; at += DIGITS_AT_RISK) {
    if (!isDigit(text, at)) continue;
    let from = at;
    let to = at + 1;
    while (from > 0 && isDigit(text, from - 1)) from--;
    while (isDigit(text, to)) to++;
    if (to - from >= DIGITS_AT_RISK) return true;
  }
  return false;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= ZERO && code <= NINE;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[[\]{},:]/gs;

interface Container {
  readonly isList: boolean;
  /** The index, or the key as it is written, of the value that is being read. */
  at: number | string;
}

function scanned(text: string): InexactNumber[] {
  const found: InexactNumber[] = [];
  const open: Container[] = [];
  let isKey = false;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const inner = open.at(-1);
    if (token === '{' || token === '[') {
      isKey = token === '{';
      open.push({ isList: !isKey, at: isKey ? '""' : 0 });
    } else if (token === '}' || token === ']') open.pop();
    else if (token === ':') isKey = false;
    else if (token === ',') {
      isKey = inner?.isList === false;
      if (typeof inner?.at === 'number') inner.at++;
    } else if (token.startsWith('"')) {
      if (isKey && inner !== undefined) inner.at = token;
    } else if (isInexact(token)) found.push(new InexactNumber(open.map(keyOf), token, index));
  }
  return found;
}

function keyOf({ at }: Container): string | number {
  return typeof at === 'number' ? at : String(JSON.parse(at));
}

function isInexact(token: string): boolean {
  return token.length >= DIGITS_AT_RISK && /^-?\d+$/.test(token) && String(Number(token)) !== token;
}

/** `users[ann].address.zip`. */
function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, key, at) => {
    const isItem = typeof key === 'number' || (at === 1 && path[0] === 'users');
    return isItem ? itemPath(text, key) : fieldPath(text, key);
  }, '');
}
