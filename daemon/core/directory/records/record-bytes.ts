/**
 * A record as bytes: a header with what most records have, then the other values as a JSON list, whose keys are those of a shape. Pure.
 *
 * Header, little-endian:
 *
 *    0 u32 size, a multiple of 8    4 u32 row             8 u32 bytes of the list
 *   12 u16 shape of the record     14 u16 shape of `custom`
 *   16 u32 code of the teams       20 u16 code of the role
 *   22 u8  flags                   24 f64 rev
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
  flags: 22,
  rev: 24,
  created: 32,
  updated: 40,
  lastActive: 48,
  idBytes: 56,
  entries: 58,
  end: 60,
} as const;

/** A flag: the list is ASCII. */
export const ASCII_LIST = 1;

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;

/** Where the list begins. */
export function listAt(view: DataView, at: number): number {
  return at + HEADER.end + 2 * view.getUint16(at + HEADER.entries, true);
}

/** Some bytes of the list of the record at `at`. */
export function listText({ bytes, view }: Slab, at: number, start: number, length: number): string {
  return bytes.toString((view.getUint8(at + HEADER.flags) & ASCII_LIST) !== 0 ? 'latin1' : 'utf8', start, start + length);
}

/** One value of the list. */
export function valueAt(slab: Slab, at: number, index: number): unknown {
  const { bytes, view } = slab;
  const entries = view.getUint16(at + HEADER.entries, true);
  const entry = at + HEADER.end + 2 * index;
  const from = view.getUint16(entry, true);
  const to = (index + 1 < entries ? view.getUint16(entry + 2, true) : view.getUint32(at + HEADER.listBytes, true)) - 1;
  const start = listAt(view, at) + from;
  if (bytes[start] === QUOTE) {
    const text = listText(slab, at, start + 1, to - from - 2);
    if (!text.includes('\\')) return text;
  }
  return JSON.parse(listText(slab, at, start, to - from));
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
