/** JSON values, and the comparison that decides whether a record would change. Pure. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON object in `text`, or undefined when `text` is anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A string, or one of the marks that structure a JSON text. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/** Whether an object in `text`, which must be JSON, names a key twice: JSON.parse keeps the last one, and other readers the first. */
export function hasRepeatedKey(text: string): boolean {
  /** The keys of the open objects; undefined for an open list. Innermost last. */
  const open: (Set<unknown> | undefined)[] = [];
  let isKey = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    const keys = open.at(-1);
    if (token.startsWith('"') && isKey && keys !== undefined) {
      const key: unknown = JSON.parse(token);
      if (keys.has(key)) return true;
      keys.add(key);
    }
    isKey = token === '{' || token === ',';
  }
  return false;
}

/** The work of comparing an object or a list, without what it holds, in units of about ten nanoseconds. */
const COMPOUND_UNITS = 3;

/**
 * Deep equality of JSON values. The order of keys does not matter; `undefined` equals only `undefined`. What is looked at in lists and
 * objects is counted in `work`, all keys of an object too: to count it beforehand would take longer than to compare.
 */
export function jsonEquals(a: unknown, b: unknown, work?: { units: number }): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (work !== undefined) work.units += COMPOUND_UNITS;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    if (work !== undefined) work.units += a.length;
    for (let i = 0; i < a.length; i++) if (!jsonEquals(a[i], b[i], work)) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  const { length } = Object.keys(right);
  if (work !== undefined) work.units += keys.length + length;
  if (keys.length !== length) return false;
  for (const key of keys) if (!Object.hasOwn(right, key) || !jsonEquals(left[key], right[key], work)) return false;
  return true;
}

/**
 * Length of `text` in UTF-8 bytes, without encoding it. Uses no Buffer, because it also runs in a browser.
 * A lone surrogate counts as the three bytes of U+FFFD, as every encoder writes it.
 */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/**
 * A copy of `object` with these fields, as `{ ...object, ...fields }` makes it. Before V8 12 (Node 22), an object that begins with a spread
 * and gets a further key has a hidden class of its own, 360 bytes that stay as long as it does, and takes ten times as long: what is kept in
 * numbers, or made for every request, is copied with this.
 */
export function withFields<T extends object, Fields extends object>(object: T, fields: Fields): T & Fields {
  return { ...{}, ...object, ...fields };
}

type Defined<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** A copy without the fields that are undefined. */
export function definedFields<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
