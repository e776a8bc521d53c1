/** The life of a user: US9–US11, DO1, DO3–DO5, and what stays of one that deletes itself: MD18. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

test('US9 deactivate keeps the data and refuses connects; reactivate may rename; twice is an error', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann', custom: { a: 1 } }]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: { created_by_id: 'root' } });
  assert.equal(refusal(() => bench.connect('ann')).message, 'the user ann was deactivated');
  assert.equal(refusal(() => bench.run({ kind: 'deactivate', ids: ['ann'], options: {} })).spec.code, 4);
  bench.run({ kind: 'reactivate', ids: ['ann'], name: 'Anna', options: {} });
  assert.equal(bench.user('ann').name, 'Anna');
  assert.equal(bench.user('ann').deactivated_at, undefined);
  assert.equal(refusal(() => bench.run({ kind: 'reactivate', ids: ['ann'], options: {} })).spec.code, 4);
  assert.equal(refusal(() => bench.run({ kind: 'deactivate', ids: ['nobody'], options: {} })).spec.code, 16);
});

test('US10 soft keeps the record, pruning empties it, hard removes it, each may follow a weaker one, and the id stays burned', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann', image: 'i', teams: ['red'], role: 'admin', custom: { a: 1 } }]);
  const remove = (mode: 'soft' | 'pruning' | 'hard') =>
    bench.run({ kind: 'delete', ids: ['ann'], mode, options: mode === 'hard' ? HARD_OPTIONS : {} });
  const record = () => bench.directory.record('ann') as Partial<StoredUser> & { gone_at?: number };
  remove('soft');
  assert.equal(bench.directory.user('ann'), undefined);
  assert.equal(record().name, 'Ann');
  assert.equal(refusal(() => remove('soft')).message, 'the user ann was deleted');
  remove('pruning');
  assert.deepEqual(
    [record().name, record().image, record().custom, record().teams, record().role],
    [undefined, undefined, {}, [], 'admin'],
  );
  remove('hard');
  assert.ok(record().gone_at !== undefined);
  for (const act of [
    () => remove('hard'),
    () => bench.connect('ann'),
    () => bench.upsert([{ id: 'ann' }]),
    () => bench.patch('ann', { a: 1 }),
  ]) {
    assert.equal(refusal(act).spec.code, 16);
  }
  const reusing = new Bench({ reuseHardDeleted: true });
  reusing.upsert([{ id: 'ann' }]);
  reusing.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS });
  assert.equal(reusing.upsert([{ id: 'ann' }]).users[0]?.change, 'created');
});

test('US11 with a task each user succeeds or fails alone, and the finished task comes in the same entry', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  bench.run({ kind: 'delete', ids: ['ann', 'nobody', 'bob'], mode: 'soft', options: {}, task: 't1' });
  assert.deepEqual(bench.directory.docs.get('task', 't1')?.result, {
    ann: { status: 'ok' },
    nobody: { status: 'error', error: 'the user nobody does not exist' },
    bob: { status: 'ok' },
  });
  assert.equal(bench.directory.docs.get('task', 't1')?.status, 'completed');
  assert.equal(bench.directory.size, 0);
});

test('DO5 a hard delete must be hard for messages and for conversations, and the field is named', () => {
  for (const [field, options] of [
    ['messages', { conversations: 'hard' }],
    ['messages', { messages: 'soft', conversations: 'hard' }],
    ['conversations', { messages: 'hard' }],
    ['conversations', { messages: 'hard', conversations: 'soft' }],
  ] as const) {
    const bench = new Bench();
    bench.upsert([{ id: 'ann' }]);
    const message = `the user ann cannot be hard deleted unless ${field} is "hard", too`;
    const error = refusal(() => bench.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options }));
    assert.deepEqual([error.kind, error.fields], ['input', [{ path: field, message }]]);
    bench.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options, task: 't' });
    assert.deepEqual(bench.directory.docs.get('task', 't')?.result, { ann: { status: 'error', error: `${field}: ${message}` } });
    bench.run({ kind: 'delete', ids: ['ann'], mode: 'pruning', options });
  }
});

test('FD29 a client deletes itself only if its role is granted to change itself; a server needs no grant', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'mod', role: 'moderator' }]);
  bench.run({ kind: 'settings', set: { grants: { user: ['search-user'] } } });
  const remove = (id: string, by?: string) => bench.run({ kind: 'delete', ids: [id], mode: 'soft', options: {} }, by);
  const error = refusal(() => remove('ann', 'ann'));
  assert.deepEqual([error.kind, error.message], ['not_allowed', "User 'ann' with role 'user' is not allowed to perform action DeleteUser"]);
  remove('mod', 'mod');
  remove('bob');
  assert.deepEqual(
    [...bench.directory.users()].map(({ id }) => id),
    ['ann'],
  );
});

test('MD18 the bans and reports of a user that deletes itself stay with its id; those of one that a server deletes do not', () => {
  for (const [by, kept] of [
    ['ann', ['bans', 'flags']],
    [undefined, []],
  ] as const) {
    const bench = new Bench({ reuseHardDeleted: true });
    bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
    bench.run({ kind: 'ban', actor: { kind: 'server' }, target: 'ann' });
    bench.run({ kind: 'flag', actor: { kind: 'server' }, target: 'ann', itemId: 'i' });
    const { bans, flags } = bench.user('ann');
    bench.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS }, by);
    assert.deepEqual(
      Object.keys(bench.directory.record('ann') ?? {}).filter((key) => key === 'bans' || key === 'flags'),
      kept,
    );
    bench.upsert([{ id: 'ann' }]);
    assert.deepEqual([bench.user('ann').bans, bench.user('ann').flags], by === undefined ? [undefined, undefined] : [bans, flags]);
  }
});

test('US10 the time of the delete is that of the first one; pruning and hard deletes after it keep it', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  const remove = (mode: 'soft' | 'pruning') => bench.run({ kind: 'delete', ids: ['ann'], mode, options: {} }).users[0]?.user;
  const soft = remove('soft');
  const pruned = remove('pruning');
  assert.ok(soft?.deleted_at !== undefined && pruned !== undefined);
  assert.deepEqual([soft.deleted, soft.deleted_at, soft.rev], ['soft', soft.updated_at, 2]);
  assert.deepEqual([pruned.deleted, pruned.deleted_at, pruned.rev], ['pruning', soft.deleted_at, 3]);
  assert.ok(pruned.updated_at > soft.updated_at);
  bench.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS });
  assert.deepEqual(bench.directory.record('ann'), { id: 'ann', gone_at: soft.deleted_at });
});

test('DO1 a delete that skips who is gone passes over unknown and deleted users, as one user or as a task', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'cem' }, { id: 'dee' }]);
  bench.run({ kind: 'delete', ids: ['bob'], mode: 'soft', options: {} });
  bench.run({ kind: 'delete', ids: ['cem'], mode: 'hard', options: HARD_OPTIONS });
  const ids = ['nobody', 'bob', 'cem'];
  const remove = (more: object, named: readonly string[]) =>
    bench.run({ kind: 'delete', ids: named, mode: 'pruning', options: {}, skipsGone: true, ...more }).users.map(({ user }) => user.id);
  assert.deepEqual(remove({}, [...ids, 'ann']), ['ann']);
  assert.deepEqual(remove({ task: 't' }, [...ids, 'dee']), ['dee']);
  const ok = { status: 'ok' };
  assert.deepEqual(bench.directory.docs.get('task', 't')?.result, { nobody: ok, bob: ok, cem: ok, dee: ok });
  const record = bench.directory.record('bob');
  assert.equal(record !== undefined && 'deleted' in record && record.deleted, 'soft', 'one that is gone is not deleted in another mode');
});

test('DO3 DO4 US9 each act has its event and its kind of task; who was deleted and who never was are told apart', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  bench.run({ kind: 'delete', ids: ['bob'], mode: 'soft', options: {} });
  const options = { created_by_id: 'root' };
  for (const [kind, event] of [
    ['deactivate', 'deactivated'],
    ['reactivate', 'reactivated'],
  ] as const) {
    for (const [id, message] of [
      ['bob', 'the user bob was deleted'],
      ['nobody', 'the user nobody does not exist'],
    ] as const) {
      const error = refusal(() => bench.run({ kind, ids: [id], options }));
      assert.deepEqual([error.kind, error.message], ['not_found', message]);
    }
    const draft = new Draft(bench.directory);
    decide(draft, { kind, ids: ['ann'], options, task: event }, 9_000_000, bench.policy, 8_000_000);
    const [fact, task] = draft.facts;
    assert.deepEqual([fact?.t === 'user' && fact.event, fact?.t === 'user' && fact.options], [event, options]);
    const doc = { id: event, kind: `${kind}_users`, status: 'completed', created_at: 8_000_000, updated_at: 8_000_000 };
    assert.deepEqual(task, { t: 'doc', kind: 'task', id: event, doc: { ...doc, result: { ann: { status: 'ok' } } } });
    bench.run({ kind, ids: ['ann'], options });
  }
  bench.run({ kind: 'delete', ids: ['ann'], mode: 'soft', options: {}, task: 'd' });
  assert.equal(bench.directory.docs.get('task', 'd')?.kind, 'delete_users');
});

test('UN1 a reactivation to a name that is taken is refused and names the field; DO4 one of an active user is refused, too', () => {
  const bench = new Bench();
  bench.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } });
  bench.upsert([
    { id: 'ann', name: 'Ann' },
    { id: 'bob', name: 'Bob' },
  ]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  const reactivate = (name?: string, more: object = {}) =>
    bench.run({ kind: 'reactivate', ids: ['ann'], options: {}, ...(name === undefined ? {} : { name }), ...more });
  const taken = refusal(() => reactivate('bob'));
  const message = 'duplicate username: "bob" is already taken';
  assert.deepEqual([taken.kind, taken.message, taken.fields], ['duplicate_username', message, [{ path: 'users[ann].name', message }]]);
  reactivate();
  const ifRev = new Map([['ann', 1]]);
  // With a condition, a repeated request is no error, unless it asks for another name.
  assert.equal(reactivate('Ann', { ifRev }).users[0]?.change, 'unchanged');
  assert.equal(reactivate(undefined, { ifRev }).users[0]?.change, 'unchanged');
  for (const act of [() => reactivate('Other', { ifRev }), () => reactivate('Ann'), () => reactivate()]) {
    const error = refusal(act);
    assert.deepEqual([error.kind, error.message], ['input', 'the user ann is not deactivated']);
  }
});
