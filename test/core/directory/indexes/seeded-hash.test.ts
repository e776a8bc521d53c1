/** SN7: the hash of names and teams. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { halfSipHash, seededHash } from '../../../../daemon/core/directory/indexes/seeded-hash.ts';

/** Of its authors: hashes of the bytes 00, 01, 02 … with the key 00 … 07, for each even number of them. */
const PUBLISHED = [0x5b9f35a9, 0x03a662fa, 0x89466e2a, 0x23fc6358, 0x8f84b8d0, 0x3479b094, 0x2f87f057, 0x7cf8ffd6];

test('SN7 names and teams are hashed by HalfSipHash-2-4, whose published hashes it gives', () => {
  for (const [units, hash] of PUBLISHED.entries()) {
    const text = String.fromCharCode(...Array.from({ length: units }, (_, at) => (2 * at) | ((2 * at + 1) << 8)));
    assert.equal(halfSipHash(text, 0x03020100, 0x07060504), hash);
  }
  assert.notEqual(seededHash('guest', 1), seededHash('guest', 2));
});
