/** Compares and searches texts in records without making strings of them. Pure. */
import { type Extent, FORM, HEADER } from './record-bytes.ts';
import type { UserView } from './user-view.ts';

type Place = NonNullable<Extent>;

const QUOTE = 34;
/** The first byte, in UTF-8, of characters beyond U+DFFF. */
const BEYOND = 0xee;
/** The bytes do not tell the order. */
export const DOUBT = Number.NaN;

/** The order of a value that is a text without escapes; undefined when it is none. */
export function orderOfText(bytes: Uint8Array, { start, end }: Place, wanted: Uint8Array): number | undefined {
  if (bytes[start] !== QUOTE) return undefined;
  const length = end - start - 2;
  const common = Math.min(length, wanted.length);
  for (let at = 0; at < common; at++) {
    const one = bytes[start + 1 + at] ?? 0;
    const other = wanted[at] ?? 0;
    if (one === other) continue;
    return one >= BEYOND && other >= BEYOND ? DOUBT : one < other ? -1 : 1;
  }
  return length - wanted.length;
}

/** Whether a value is a text that JSON writes as it is. */
export function isPlainText({ slab: { bytes, view }, at }: UserView, { start }: Place): boolean {
  return bytes[start] === QUOTE && (view.getUint8(at + HEADER.form) & FORM.escaped) === 0;
}
