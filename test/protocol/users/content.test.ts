/** BK11: the content of a user. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, userContent } from '../../../protocol/users/content.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const ANN: StoredUser = { id: 'ann', rev: 7, name: 'Ann', role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 2 };

test('BK11 the content of a user is what the application made it, and nothing else', () => {
  assert.equal(userContent(ANN), '{"id":"ann","name":"Ann","role":"user"}');
  const same: readonly Partial<StoredUser>[] = [
    { rev: 9 },
    { created_at: 5, updated_at: 6, last_active: 7 },
    { revoke_tokens_issued_before: 3 },
    { bans: [{ created_at: 1 }], mutes: [{ id: 'x', created_at: 1, updated_at: 1 }], blocks: [], flags: [], devices: [], push: {} },
    { sent: '{}' },
    { invisible: false },
    { language: '' },
    { teams_role: {} },
  ];
  for (const change of same) assert.equal(userContent({ ...ANN, ...change }), userContent(ANN), JSON.stringify(change));
  const other: readonly Partial<StoredUser>[] = [
    { id: 'bob' },
    { name: 'Anne' },
    { image: 'https://x' },
    { role: 'admin' },
    { teams: ['red'] },
    { teams_role: { red: 'admin' } },
    { language: 'nl' },
    { invisible: true },
    { privacy_settings: { read_receipts: { enabled: false } } },
    { custom: { a: null } },
    { deactivated_at: 4 },
  ];
  const texts = new Set(other.map((change) => userContent({ ...ANN, ...change })));
  assert.equal(texts.size, other.length);
  assert.ok(!texts.has(userContent(ANN)));
  const all: StoredUser = Object.assign({}, ANN, ...other.slice(1));
  // Its keys are in the order of RFC 8785.
  assert.equal(userContent(all), canonicalJson(JSON.parse(userContent(all))));
});
