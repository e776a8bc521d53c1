/** Restore: RS1–RS4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderEvent } from '../../../protocol/live/user-events.ts';
import { decodeRestoreUsers } from '../../../protocol/users/lifecycle.ts';
import { idsOf } from '../../support/decide-bench.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('RS1 a soft-deleted user comes back with all it had, as a new revision', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann', image: 'a.png', role: 'admin', teams: ['red'], custom: { color: 'blue' } }]);
  bench.connect('ann');
  bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  const { rev, updated_at, ...before } = bench.user('ann');
  bench.delete('ann');
  const { users } = bench.run({ kind: 'restore', ids: ['ann'] });
  const { rev: newRev, updated_at: newTime, ...after } = bench.user('ann');
  assert.deepEqual(after, before);
  assert.ok(newRev > rev + 1 && newTime > updated_at);
  assert.deepEqual(
    users.map(({ change }) => change),
    ['updated'],
  );
  assert.deepEqual(idsOf(bench.directory, bench.directory.lookup.names.rows('ann')), ['ann']);
  assert.deepEqual(idsOf(bench.directory, bench.directory.lookup.teams.rows('red')), ['ann']);
});

test('RS1 it is told as user.updated with restored: true', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }]);
  bench.delete('ann');
  const [fact] = bench.factsOf(() => bench.run({ kind: 'restore', ids: ['ann'] }));
  assert.ok(fact?.t === 'user');
  const event = renderEvent('user.updated', fact, 3, bench.now, { online: false, reader: 'server' }, 'live');
  assert.equal(Object.entries(event).find(([key]) => key === 'restored')?.[1], true);
});

test('RS2 one that cannot be restored refuses them all, and each is named with its reason', () => {
  const bench = new RulesBench();
  bench.upsert(['soft', 'alive', 'pruned', 'hard'].map((id) => ({ id })));
  bench.delete('soft');
  bench.delete('pruned', 'pruning');
  bench.delete('hard', 'hard');
  const seq = bench.directory.seq;
  const error = refusal(() => bench.run({ kind: 'restore', ids: ['soft', 'alive', 'pruned', 'hard', 'nobody'] }));
  assert.equal(error.kind, 'input');
  assert.deepEqual(
    error.fields.map(({ path, message, code }) => [path, message, code]),
    [
      ['user_ids[alive]', 'user alive cannot be restored: not deleted', 4],
      ['user_ids[pruned]', 'user pruned cannot be restored: pruned', 4],
      ['user_ids[hard]', 'user hard cannot be restored: hard deleted', 4],
      ['user_ids[nobody]', 'user nobody cannot be restored: does not exist', 4],
    ],
  );
  assert.equal(bench.directory.seq, seq);
  assert.equal(bench.directory.user('soft'), undefined);
});

test('RS3 a name that was given away meanwhile, or is claimed twice by one restore, refuses it', () => {
  const bench = new RulesBench();
  bench.settings({ enforce_unique_usernames: 'app' });
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  bench.delete('ann');
  bench.upsert([{ id: 'other', name: 'ann' }]);
  const taken = refusal(() => bench.run({ kind: 'restore', ids: ['ann'] }));
  assert.deepEqual([taken.kind, taken.fields[0]?.path], ['duplicate_username', 'users[ann].name']);
  bench.delete('other');
  const twice = refusal(() => bench.run({ kind: 'restore', ids: ['ann', 'other'] }));
  assert.equal(twice.kind, 'duplicate_username');
  assert.equal(bench.directory.size, 0);
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.equal(bench.user('ann').name, 'Ann');
});

test('RS3 a role that was removed meanwhile refuses it', () => {
  const bench = new RulesBench();
  bench.run({ kind: 'role-create', name: 'editor' });
  bench.upsert([{ id: 'ann', role: 'editor' }]);
  bench.delete('ann');
  bench.run({ kind: 'role-delete', name: 'editor' });
  const error = refusal(() => bench.run({ kind: 'restore', ids: ['ann'] }));
  assert.equal(error.kind, 'input');
  assert.match(error.message, /users\[ann\]\.role.*"editor" does not exist/);
  bench.run({ kind: 'role-create', name: 'editor' });
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.equal(bench.user('ann').role, 'editor');
});

test('RS4 the body: 1 to 100 ids, each once', () => {
  assert.deepEqual(decodeRestoreUsers({ user_ids: ['a', 'b', 'a'] }), { kind: 'restore', ids: ['a', 'b'] });
  const wrong = [{}, { user_ids: null }, { user_ids: [] }, { user_ids: 'a' }, { user_ids: [7] }, { user_ids: ['a b'] }];
  for (const body of [...wrong, { user_ids: Array.from({ length: 101 }, (_, i) => `u${i}`) }]) {
    assert.match(refusedFields(() => decodeRestoreUsers(body))[0]?.path ?? '', /^user_ids/, JSON.stringify(body).slice(0, 60));
  }
});
