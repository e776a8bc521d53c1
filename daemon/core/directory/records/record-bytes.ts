/**
 * A record as bytes: a header with what most records have, then the other values as a JSON list, whose keys are those of a shape. Pure.
 *
 * Header, little-endian:
 *
 *    0 u32 size, a multiple of 8    4 u32 row             8 u32 bytes of the list
 *   12 u16 shape of the record     14 u16 shape of `custom`
 *   16 u32 code of the teams       20 u16 code of the role
 *   22 u8  its state               23 u8  the form of the list
 *   24 f64 rev
 *   32 f64 created_at              40 f64 updated_at     48 f64 last_active; NaN when absent
 *   56 u16 bytes of the id         58 u16 entries of the table
 *   60 the table: where in the list each value begins; none for a long list. Then the list
 *
 * The list: the id; role and teams, where they have no code; the other values in the order of their keys; then those of `custom`, which
 * without a shape is one value. A record without a shape is the second and last value.
 */
import type { Slab } from './slabs.ts';

/** Where in the header each value is. */
export const HEADER = {
  row: 4,
  listBytes: 8,
  shape: 12,
  customShape: 14,
  teams: 16,
  role: 20,
  state: 22,
  form: 23,
  rev: 24,
  created: 32,
  updated: 40,
  lastActive: 48,
  idBytes: 56,
  entries: 58,
  end: 60,
} as const;

/** What walks ask of every record. */
export const STATE = { gone: 1, deleted: 2, deactivated: 4, invisible: 8, banned: 16, shadowBanned: 32 } as const;

/** The list is ASCII; a text in it may be escaped; the record has a shape and a table, so that single values can be read. */
export const FORM = { ascii: 1, escaped: 2, tabled: 4 } as const;

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const ZERO = 48;
/** Digits of a number that is exact whatever they are. */
const DIGITS_MAX = 15;

/** Where the list begins. */
export function listAt(view: DataView, at: number): number {
  return at + HEADER.end + 2 * view.getUint16(at + HEADER.entries, true);
}

/** Some bytes of the list of the record at `at`. */
export function listText({ bytes, view }: Slab, at: number, start: number, end: number): string {
  return (view.getUint8(at + HEADER.form) & FORM.ascii) !== 0 ? bytes.latin1Slice(start, end) : bytes.utf8Slice(start, end);
}

/** Where a value of the list begins. */
export function valueStartAt(view: DataView, at: number, index: number): number {
  return listAt(view, at) + view.getUint16(at + HEADER.end + 2 * index, true);
}

/** Where it ends. */
export function valueEndAt(view: DataView, at: number, index: number): number {
  const isLast = index + 1 === view.getUint16(at + HEADER.entries, true);
  return (isLast ? listAt(view, at) + view.getUint32(at + HEADER.listBytes, true) : valueStartAt(view, at, index + 1)) - 1;
}

/** One value of the list of a record that has a table. */
export function valueAt(slab: Slab, at: number, index: number): unknown {
  return valueIn(slab, at, valueStartAt(slab.view, at, index), valueEndAt(slab.view, at, index));
}

/** A value in the list, or in a value of it. */
export function valueIn(slab: Slab, at: number, start: number, end: number): unknown {
  const { bytes, view } = slab;
  if (bytes[start] === QUOTE) {
    const text = listText(slab, at, start + 1, end - 1);
    if ((view.getUint8(at + HEADER.form) & FORM.escaped) === 0 || !text.includes('\\')) return text;
  } else if (end - start <= DIGITS_MAX) {
    let number = 0;
    let i = start;
    for (; i < end; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    if (i === end) return number;
  }
  return JSON.parse(listText(slab, at, start, end));
}

/** Whether these bytes stand there. */
export function holdsBytes(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

/** The end of the JSON value that begins at `start`. */
function valueEnd(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; ; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
      if (depth === 0) return at + 1;
    } else if (byte === 91 || byte === 123) depth++;
    else if (byte === 93 || byte === 125) {
      // The end of what holds a number, a boolean or null.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) return at;
  }
}

/** Where something in a list of values stands. Undefined: nowhere. */
export type Extent = { readonly start: number; readonly end: number; readonly key: number } | undefined;

/** The value of the first of these keys, each as JSON writes it, that the object at `start` has. */
export function memberOf(bytes: Uint8Array, start: number, keys: readonly { readonly bytes: Uint8Array }[]): Extent {
  let found: Extent;
  if (bytes[start] !== 123 || bytes[start + 1] === 125) return undefined;
  for (let at = start + 1; ; at++) {
    const colon = valueEnd(bytes, at);
    const end = valueEnd(bytes, colon + 1);
    for (let key = 0; key < (found?.key ?? keys.length); key++) {
      const wanted = keys[key]?.bytes;
      if (wanted !== undefined && holdsBytes(bytes, at, colon, wanted)) found = { start: colon + 1, end, key };
    }
    if (found?.key === 0 || bytes[end] !== COMMA) return found;
    at = end;
  }
}

/** Writes where each value of the list begins: after the bracket, and after each comma that is in no text and no inner list or object. */
export function tabulate(bytes: Buffer, view: DataView, table: number, start: number, end: number): void {
  let entry = table;
  view.setUint16(entry, 1, true);
  let depth = 0;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === COMMA) {
      if (depth > 0) continue;
      entry += 2;
      view.setUint16(entry, at + 1 - start, true);
    } else if (byte === 91 || byte === 123) depth++;
    else if (byte === 93 || byte === 125) depth--;
  }
}
