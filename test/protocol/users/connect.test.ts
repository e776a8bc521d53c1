/** The details of a connect: RQ41. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConnect } from '../../../protocol/users/connect.ts';
import { refusedFields } from '../../support/http/refusal.ts';

test('RQ41 details of a connect: both places for custom data, the own id at most repeated', () => {
  assert.deepEqual(decodeConnect('ann', { id: 'ann', name: 'Ann', color: 'blue', custom: { a: 1 }, role: 'user', online: true }), {
    custom: { color: 'blue', a: 1 },
    name: 'Ann',
    role: 'user',
  });
  assert.deepEqual(decodeConnect('ann', []), { custom: {} });
  assert.deepEqual(
    refusedFields(() => decodeConnect('ann', { id: 'bob' })).map(({ path }) => path),
    ['user.id'],
  );
  assert.deepEqual(
    refusedFields(() => decodeConnect('ann', { name: 'x'.repeat(6_000) })).map(({ path }) => path),
    ['user'],
  );
  assert.deepEqual(
    refusedFields(() => decodeConnect('ann', null)).map(({ path }) => path),
    ['user'],
  );
});
