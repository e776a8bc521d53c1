/** SN7: the hash of ids, names and teams. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesHash, byteTextHash, type HashKey, textHash } from '../../../daemon/core/directory/keyed-hash.ts';

/** Of its authors: hashes of the bytes 00, 01, 02 …, of none of them and more each time, with this key. */
const PUBLISHED = [
  ...[0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a, 0x69b6fac5, 0x23fc6358, 0xc563cf8b],
  ...[0x8f84b8d0, 0x79e706f8, 0x3479b094, 0x50300808, 0x2f87f057, 0xff63e677, 0x7cf8ffd6, 0x972bfe74],
];
const KEY: HashKey = [0x03020100, 0x07060504];

test('SN7 ids, names and teams are hashed by HalfSipHash-2-4, whose published hashes it gives', () => {
  for (const [length, hash] of PUBLISHED.entries()) {
    const bytes = Buffer.from(Array.from({ length }, (_, at) => at));
    assert.equal(byteTextHash(bytes.toString('latin1'), KEY), hash);
    assert.equal(bytesHash(Buffer.concat([Buffer.from('..'), bytes, Buffer.from('.')]), 2, length, KEY), hash);
    if (length % 2 === 0) assert.equal(textHash(bytes.toString('utf16le'), KEY), hash);
  }
});

test('SN7 a long text has a hash of all of it, and another key gives another one', () => {
  const long = 'x'.repeat(5_000);
  const hashes = [
    textHash(long, KEY),
    byteTextHash(long, KEY),
    textHash(`${long.slice(1)}y`, KEY),
    textHash(long, [1, 2]),
    textHash(long, [2, 1]),
  ];
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(bytesHash(Buffer.from(long), 0, long.length, KEY), byteTextHash(long, KEY));
});
