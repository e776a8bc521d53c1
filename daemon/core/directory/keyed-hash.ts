/**
 * Hashes of what clients choose: HalfSipHash-2-4 (Aumasson and Bernstein). Nobody who does not know the key can find values that share a
 * hash more often than others. Unsigned, of 32 bits. Pure.
 */

/** Two numbers of 32 bits. */
export type HashKey = readonly [number, number];

/** Where nobody chooses what is hashed. */
export const NO_KEY: HashKey = [0, 0];

const COMPRESSIONS = 2;
const FINALIZATIONS = 4;

/** What is being hashed, in words of four bytes. The last one has what is left of them, and their number. */
let words = new Uint32Array(256);

function withRoom(count: number): Uint32Array {
  if (count > words.length) words = new Uint32Array(2 * count);
  return words;
}

/** Of the UTF-16 units of a text, the lower byte of each first. */
export function textHash(text: string, key: HashKey): number {
  const last = text.length >>> 1;
  const into = withRoom(last + 1);
  for (let word = 0; word < last; word++) into[word] = text.charCodeAt(2 * word) | (text.charCodeAt(2 * word + 1) << 16);
  into[last] = ((2 * text.length) << 24) | ((text.length & 1) === 0 ? 0 : text.charCodeAt(2 * last));
  return halfSipHash(last + 1, key);
}

/** Of a text in which each unit is a byte. */
export function byteTextHash(text: string, key: HashKey): number {
  const { length } = text;
  const last = length >>> 2;
  const into = withRoom(last + 1);
  let at = 0;
  for (let word = 0; word < last; word++, at += 4) {
    into[word] = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8) | (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24);
  }
  let rest = length << 24;
  for (let shift = 0; at < length; at++, shift += 8) rest |= text.charCodeAt(at) << shift;
  into[last] = rest;
  return halfSipHash(last + 1, key);
}

/** `byteTextHash` of the text with these bytes. */
export function bytesHash(bytes: Uint8Array, start: number, length: number, key: HashKey): number {
  const last = length >>> 2;
  const into = withRoom(last + 1);
  let at = start;
  for (let word = 0; word < last; word++, at += 4) {
    into[word] = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  }
  let rest = length << 24;
  for (let shift = 0; at < start + length; at++, shift += 8) rest |= (bytes[at] ?? 0) << shift;
  into[last] = rest;
  return halfSipHash(last + 1, key);
}

/** Of so many words. */
function halfSipHash(count: number, [key0, key1]: HashKey): number {
  let [v0, v1, v2, v3] = [key0 | 0, key1 | 0, key0 ^ 0x6c796765, key1 ^ 0x74656462];
  for (let at = 0; at <= count; at++) {
    const word = at < count ? (words[at] ?? 0) | 0 : 0;
    if (at === count) v2 ^= 0xff;
    v3 ^= word;
    for (let round = at === count ? FINALIZATIONS : COMPRESSIONS; round > 0; round--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}
