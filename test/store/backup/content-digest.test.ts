/** BK11: the digest of content. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { canonicalJson, userContent } from '../../../protocol/users/content.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { ContentDigest } from '../../../store/backup/content-digest.ts';

const ANN: StoredUser = { id: 'ann', rev: 7, name: 'Ann', role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 2 };

test('BK11 canonical JSON is that of RFC 8785', () => {
  assert.equal(
    canonicalJson({ b: [1, { z: 1, a: 'é\n"' }], a: null, 10: 1, 9: 2, '\u20ac': 1e21, '': 0.1 }),
    '{"":0.1,"10":1,"9":2,"a":null,"b":[1,{"a":"é\\n\\"","z":1}],"€":1e+21}',
  );
});

test('BK11 the digest of content is the sum of SHA-256 in eight lanes, in any order', () => {
  const users = ['ann', 'bob', 'carl'].map((id) => ({ ...ANN, id, name: `É ${id}` }));
  const sums = Array.from({ length: 8 }, () => 0);
  for (const user of users) {
    const hash = createHash('sha256').update(userContent(user)).digest();
    for (const lane of sums.keys()) sums[lane] = ((sums[lane] ?? 0) + hash.readUInt32BE(lane * 4)) % 2 ** 32;
  }
  const expected = `3-${sums.map((sum) => sum.toString(16).padStart(8, '0')).join('')}`;
  for (const order of [users, users.toReversed()]) {
    const sum = new ContentDigest();
    for (const user of order) sum.add(user);
    assert.equal(sum.toString(), expected);
  }
});
