/**
 * A digest of the content of users, added one at a time; their order does not matter. As text: `<count>-<64 hexadecimal digits>`.
 * For each user, the SHA-256 of its content (protocol/users/content.ts) in UTF-8 is split into eight 32-bit numbers, big-endian;
 * each of the eight is summed over all users modulo 2^32. It detects accidental differences, not deliberate ones.
 */
import { hash } from 'node:crypto';
import { userContent } from '../../protocol/users/content.ts';
import type { StoredUser } from '../../protocol/users/user.ts';

const LANES = 8;

export class ContentDigest {
  readonly #sums = new Uint32Array(LANES);
  #count = 0;

  add(user: StoredUser): void {
    this.#count++;
    // One call per user takes half the time of a hash object. 'binary' is one character per byte.
    const bytes = hash('sha256', userContent(user), 'binary');
    for (let lane = 0; lane < LANES; lane++) {
      const at = lane * 4;
      const high = (bytes.charCodeAt(at) << 24) | (bytes.charCodeAt(at + 1) << 16);
      // An element of a Uint32Array keeps the value modulo 2^32.
      this.#sums[lane] = (this.#sums[lane] ?? 0) + (high | (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3));
    }
  }

  toString(): string {
    return `${this.#count}-${[...this.#sums].map((sum) => sum.toString(16).padStart(8, '0')).join('')}`;
  }
}
