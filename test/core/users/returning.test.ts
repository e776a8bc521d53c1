/** UP7: users that a sync took out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Returns } from '../../../protocol/users/upsert.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

const NAMES = ['byPeople', 'bySync'] as const;

/** Users out for each reason: deactivated and deleted, by people and by a sync. */
function outBench(): Bench {
  const bench = new Bench();
  for (const by of NAMES) {
    for (const how of ['off', 'gone', 'both']) bench.upsert([{ id: `${how}-${by}`, name: how, role: 'admin', custom: { a: 1 } }]);
    const bySync = by === 'bySync';
    bench.run({ kind: 'deactivate', ids: [`off-${by}`, `both-${by}`], options: {}, bySync });
    bench.run({ kind: 'delete', ids: [`gone-${by}`, `both-${by}`], mode: 'soft', options: {}, bySync });
  }
  return bench;
}

function write(bench: Bench, id: string, returning?: Returns, more: { name?: string; custom?: Record<string, number> } = {}) {
  const input = { id, name: id.split('-')[0] ?? '', custom: { a: 1 }, ...more };
  const sent = returning === undefined ? {} : { returning };
  return bench.run({ kind: 'upsert', actor: { kind: 'server' }, users: [input], problems: [], ...sent }).users[0];
}

test('UP7 `reactivate` brings back the users that a sync deactivated, and `restore` those that it deleted too', () => {
  const bench = outBench();
  assert.equal(write(bench, 'off-bySync', 'leave')?.change, 'unchanged');
  assert.equal(write(bench, 'off-bySync')?.user.deactivated_by_sync, true);
  const back = write(bench, 'off-bySync', 'reactivate', { custom: { a: 2 } });
  assert.deepEqual([back?.change, back?.user.deactivated_at, back?.user.deactivated_by_sync], ['reactivated', undefined, undefined]);
  assert.deepEqual([bench.user('off-bySync').custom, bench.user('off-bySync').role], [{ a: 2 }, 'admin']);
  assert.equal(write(bench, 'off-bySync', 'reactivate', { custom: { a: 2 } })?.change, 'unchanged', 'again');
  for (const id of ['gone-bySync', 'both-bySync']) {
    for (const returning of [undefined, 'leave', 'reactivate'] as const) {
      assert.equal(refusal(() => write(bench, id, returning)).message, `the user ${id} was deleted by a sync`);
    }
    assert.equal(write(bench, id, 'restore')?.change, 'restored');
    const { deactivated_at, deleted_at, deleted_by_sync, role } = bench.user(id);
    assert.deepEqual([deactivated_at, deleted_at, deleted_by_sync, role], [undefined, undefined, undefined, 'admin']);
  }
});

test('UP7 users that people took out stay out, whatever a sync did before or after', () => {
  const bench = outBench();
  assert.equal(write(bench, 'off-byPeople', 'restore')?.change, 'unchanged');
  for (const id of ['gone-byPeople', 'both-byPeople']) {
    assert.equal(refusal(() => write(bench, id, 'restore')).message, `the user ${id} was deleted`);
  }
  // Deactivated by people, then deleted by a sync: it comes back as people left it.
  bench.run({ kind: 'delete', ids: ['off-byPeople'], mode: 'soft', options: {}, bySync: true });
  assert.equal(write(bench, 'off-byPeople', 'restore')?.change, 'restored');
  assert.ok(bench.user('off-byPeople').deactivated_at !== undefined);
  // Deactivated by a sync, reactivated and deactivated again by people: the mark is gone.
  bench.run({ kind: 'reactivate', ids: ['off-bySync'], options: {} });
  bench.run({ kind: 'deactivate', ids: ['off-bySync'], options: {} });
  assert.equal(write(bench, 'off-bySync', 'restore')?.change, 'unchanged');
  // Restored and deleted again by people.
  bench.run({ kind: 'restore', ids: ['gone-bySync'] });
  bench.run({ kind: 'delete', ids: ['gone-bySync'], mode: 'soft', options: {} });
  assert.equal(refusal(() => write(bench, 'gone-bySync', 'restore')).message, 'the user gone-bySync was deleted');
  // Pruned after a sync deleted it: nothing is left to bring back.
  bench.run({ kind: 'delete', ids: ['both-bySync'], mode: 'pruning', options: {} });
  assert.equal(refusal(() => write(bench, 'both-bySync', 'restore')).message, 'the user both-bySync was deleted');
});

test('UP7 a client can set no mark and bring nobody back', () => {
  const bench = outBench();
  const command = {
    kind: 'upsert',
    users: [{ id: 'off-bySync', name: 'off', custom: { a: 1 } }],
    problems: [],
    returning: 'restore',
  } as const;
  assert.equal(refusal(() => bench.run({ ...command, actor: { kind: 'user', id: 'off-bySync' } })).kind, 'not_allowed');
  assert.ok(bench.user('off-bySync').deactivated_at !== undefined);
});

test('UP7 a returning user is held to the revision, the names and the roles like any other', () => {
  const bench = outBench();
  const { rev } = bench.user('off-bySync');
  const users = [{ id: 'off-bySync', name: 'off', custom: { a: 1 } }];
  const command = { kind: 'upsert', actor: { kind: 'server' }, users, problems: [], returning: 'reactivate' } as const;
  assert.equal(refusal(() => bench.run({ ...command, ifRev: new Map([['off-bySync', rev + 1]]) })).kind, 'precondition');
  assert.equal(bench.run({ ...command, ifRev: new Map([['off-bySync', rev]]) }).users[0]?.change, 'reactivated');
  const names = new Bench();
  names.run({ kind: 'role-create', name: 'boss' });
  names.upsert([{ id: 'a', role: 'boss' }]);
  names.run({ kind: 'delete', ids: ['a'], mode: 'soft', options: {}, bySync: true });
  names.run({ kind: 'role-delete', name: 'boss' });
  const restore = { ...command, returning: 'restore', users: [{ id: 'a', custom: {} }] } as const;
  assert.equal(refusal(() => names.run(restore)).message, 'users[a].role: role "boss" does not exist');
  assert.equal(names.directory.user('a'), undefined);
});
