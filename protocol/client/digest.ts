/** A short text that is the same for two copies of the same users, whatever their order. */

/** FNV-1a, 32 bits, with one of two beginnings; and the finish of MurmurHash3, so that near inputs lie far apart. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

const SEEDS = [0x811c9dc5, 0x9e3779b9] as const;

/**
 * `<count>-<16 hexadecimal digits>`. For each user the text `id:rev` is hashed twice to 32 bits; each of the two is added up
 * over all users modulo 2^32. Ids are ASCII, so a character is a byte. Presence is no part of it: a revision is.
 */
export function digest(users: Iterable<{ readonly id: string; readonly rev: number }>): string {
  const sums = [0, 0];
  let count = 0;
  for (const { id, rev } of users) {
    count++;
    for (const [at, seed] of SEEDS.entries()) sums[at] = ((sums[at] ?? 0) + hash(`${id}:${rev}`, seed)) >>> 0;
  }
  return `${count}-${sums.map((sum) => sum.toString(16).padStart(8, '0')).join('')}`;
}
