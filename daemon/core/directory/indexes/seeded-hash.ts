/** Hashes of texts that clients choose. Pure. */

const COMPRESSIONS = 2;
const FINALIZATIONS = 4;

/** Unsigned, of 32 bits. Nobody who does not know the seed, a number of 32 bits, can find texts that share a hash more often than others. */
export function seededHash(text: string, seed: number): number {
  return halfSipHash(text, seed, Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b));
}

/** HalfSipHash-2-4 (Aumasson and Bernstein) of the UTF-16 units of a text, the lower byte of each first, with the two words of a key. */
export function halfSipHash(text: string, key0: number, key1: number): number {
  let [v0, v1, v2, v3] = [key0, key1, key0 ^ 0x6c796765, key1 ^ 0x74656462];
  // Words of two units. The last one holds a unit that is left, and the number of bytes; those after it only mix.
  const last = text.length & ~1;
  const lastWord = ((2 * text.length) << 24) | (last < text.length ? text.charCodeAt(last) : 0);
  for (let at = 0; at <= last + 2; at += 2) {
    const word = at < last ? text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16) : at === last ? lastWord : 0;
    if (at > last) v2 ^= 0xff;
    v3 ^= word;
    for (let round = at > last ? FINALIZATIONS : COMPRESSIONS; round > 0; round--) {
      v0 = (v0 + v1) | 0;
      v1 = rotated(v1, 5) ^ v0;
      v0 = rotated(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotated(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotated(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotated(v1, 13) ^ v2;
      v2 = rotated(v2, 16);
    }
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
