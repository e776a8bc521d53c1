/** The rules for users, on the pure core: US1–US12. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../daemon/core/decide.ts';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import { DEFAULT_POLICY, type Policy } from '../../daemon/core/policy.ts';
import type { Actor } from '../../protocol/base/actor.ts';
import type { JsonObject } from '../../protocol/base/json.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Command, Outcome } from '../../protocol/log/command.ts';
import type { ConnectDetails } from '../../protocol/users/connect.ts';
import { parsePatch } from '../../protocol/users/patch.ts';
import type { StoredUser, UserInput } from '../../protocol/users/user.ts';
import { refusal } from '../support/http/refusal.ts';

/** A directory that decides and applies one command at a time, at times of its own. */
class Bench {
  readonly directory = new Directory({ epoch: 'test', seq: 0 });
  readonly policy: Policy;
  #now = 1_000;

  constructor(policy: Partial<Policy> = {}) {
    this.policy = { ...DEFAULT_POLICY, ...policy };
  }

  run(command: Command): Outcome {
    const draft = new Draft(this.directory);
    this.#now += 1_000;
    const outcome = decide(draft, command, this.#now, this.policy);
    if (draft.facts.length > 0) {
      this.directory.apply({ id: `e${this.#now}`, time: this.#now, facts: draft.facts, first: this.directory.seq + 1 });
    }
    return outcome;
  }

  upsert(users: readonly (Partial<UserInput> & { id: string })[], actor: Actor = { kind: 'server' }): Outcome {
    return this.run({ kind: 'upsert', actor, users: users.map((user) => ({ custom: {}, ...user })), problems: [] });
  }

  patch(id: string, set: unknown, unset: unknown = [], actor: Actor = { kind: 'server' }): Outcome {
    const patch = parsePatch(set, unset, `users[${id}]`);
    assert.ok(!Array.isArray(patch), JSON.stringify(patch));
    return this.run({ kind: 'patch', actor, patches: [{ id, patch }], problems: [] });
  }

  connect(id: string, details: Partial<ConnectDetails> = {}): Outcome {
    return this.run({ kind: 'connect', id, details: { custom: {}, ...details } });
  }

  user(id: string): StoredUser {
    const user = this.directory.user(id);
    assert.ok(user, `${id} does not exist`);
    return user;
  }
}

test('US1 upsert replaces name, image and custom, and keeps role, teams, language, privacy when they are not sent', () => {
  const bench = new Bench();
  const privacy = { read_receipts: { enabled: false } };
  bench.upsert([
    {
      id: 'ann',
      name: 'Ann',
      image: 'i',
      role: 'admin',
      teams: ['red'],
      teams_role: { red: 'moderator' },
      language: 'en',
      invisible: true,
      privacy_settings: privacy,
      custom: { color: 'blue' },
    },
  ]);
  bench.upsert([{ id: 'ann', custom: { book: 'dune' } }]);
  const { name, image, role, teams, teams_role, language, invisible, privacy_settings, custom } = bench.user('ann');
  assert.deepEqual({ name, image, custom }, { name: undefined, image: undefined, custom: { book: 'dune' } });
  assert.deepEqual(
    { role, teams, teams_role, language, invisible, privacy_settings },
    { role: 'admin', teams: ['red'], teams_role: { red: 'moderator' }, language: 'en', invisible: true, privacy_settings: privacy },
  );
});

test('US2 a user that would not change is a no-op: no fact, the same revision and time, and the answer says so', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann', custom: { a: 1, b: { c: [1, 2] } } }]);
  const before = bench.user('ann');
  const { users } = bench.upsert([{ id: 'ann', name: 'Ann', custom: { b: { c: [1, 2] }, a: 1 } }]);
  assert.equal(users[0]?.change, 'unchanged');
  assert.equal(bench.user('ann'), before);
  assert.equal(bench.directory.seq, 1);
});

test('US3 one bad user fails the whole batch, and every error of it is listed', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'gone' }]);
  bench.run({ kind: 'delete', ids: ['gone'], mode: 'soft', options: {} });
  const error = refusal(() =>
    bench.run({
      kind: 'upsert',
      actor: { kind: 'server' },
      users: [
        { id: 'fine', custom: {} },
        { id: 'bad', role: 'emperor', teams: ['', 'constructor'], custom: {} },
        { id: 'gone', custom: {} },
      ],
      problems: [{ path: 'users[x].name', message: 'must be a string' }],
    }),
  );
  assert.deepEqual(
    error.fields.map(({ path, code }) => [path, code]),
    [
      ['users[x].name', 4],
      ['users[bad].role', 4],
      ['users[bad].teams[0]', 4],
      ['users[bad].teams[1]', 4],
      ['users[gone]', 16],
    ],
  );
  assert.equal(bench.directory.user('fine'), undefined);
});

test('US4 partial update needs the user, changes only what is named, and merges privacy settings', () => {
  const bench = new Bench();
  bench.upsert([
    { id: 'ann', name: 'Ann', custom: { field: { unset: 1, keep: 2 } }, privacy_settings: { typing_indicators: { enabled: false } } },
  ]);
  bench.patch('ann', { role: 'admin', 'field2.subfield': 'test', privacy_settings: { read_receipts: { enabled: false } } }, [
    'field.unset',
    'missing',
  ]);
  const { name, role, custom, privacy_settings } = bench.user('ann');
  assert.deepEqual({ name, role, custom }, { name: 'Ann', role: 'admin', custom: { field: { keep: 2 }, field2: { subfield: 'test' } } });
  assert.deepEqual(privacy_settings, { typing_indicators: { enabled: false }, read_receipts: { enabled: false } });
  assert.equal(refusal(() => bench.patch('nobody', { a: 1 })).kind, 'not_found');
  const through = refusal(() => bench.patch('ann', { 'name2.x': 1, 'field2.subfield.deeper': 1 }));
  assert.equal(through.fields[0]?.path, 'users[ann].set.field2.subfield.deeper');
  assert.equal(refusal(() => bench.patch('ann', { big: 'x'.repeat(LIMITS.serverUserBytes) })).kind, 'input');
});

test('US5 a user may write only itself, and never its role or teams', () => {
  const bench = new Bench();
  const ann: Actor = { kind: 'user', id: 'ann' };
  bench.upsert([{ id: 'ann', teams: ['red'] }, { id: 'bob' }]);
  bench.upsert([{ id: 'ann', name: 'Ann' }], ann);
  for (const [act, action] of [
    [() => bench.upsert([{ id: 'bob', name: 'x' }], ann), 'UpdateUser'],
    [() => bench.upsert([{ id: 'ann', role: 'admin' }], ann), 'UpdateUserRole'],
    [() => bench.upsert([{ id: 'ann', teams: ['blue'] }], ann), 'UpdateUserTeams'],
    [() => bench.patch('ann', { role: 'admin' }, [], ann), 'UpdateUserRole'],
    [() => bench.patch('ann', { revoke_tokens_issued_before: null, teams: [] }, [], ann), 'UpdateUserTeams'],
  ] as const) {
    const error = refusal(act);
    assert.equal(error.kind, 'not_allowed');
    assert.match(error.message, new RegExp(`is not allowed to perform action ${action}$`));
  }
});

test('US6 connect creates, merges the keys sent, removes nothing, and refuses a role that differs', () => {
  const bench = new Bench();
  assert.equal(bench.connect('ann', { name: 'Ann', custom: { a: 1 } }).users[0]?.change, 'created');
  bench.connect('ann', { custom: { b: 2 }, privacy_settings: { read_receipts: { enabled: false } }, role: 'user' });
  const { name, custom, role, privacy_settings } = bench.user('ann');
  assert.deepEqual({ name, custom, role }, { name: 'Ann', custom: { a: 1, b: 2 }, role: 'user' });
  assert.deepEqual(privacy_settings, { read_receipts: { enabled: false } });
  const error = refusal(() => bench.connect('ann', { role: 'admin' }));
  assert.equal(error.message, "User 'ann' with role 'user' is not allowed to perform action UpdateUserRole");
  assert.equal(refusal(() => bench.connect('new', { role: 'admin' })).kind, 'not_allowed');
  assert.equal(refusal(() => bench.connect('ann', { teams: ['red'] })).kind, 'not_allowed');
  const keeping = new Bench({ connectRole: 'keep' });
  assert.deepEqual(keeping.connect('ann', { role: 'admin', teams: ['red'] }).warnings, ['role', 'teams']);
  assert.deepEqual(keeping.user('ann').teams, []);
});

test('US7 the stale-reconnect guard writes only what differs from what was sent last', () => {
  const bench = new Bench();
  const phone = { name: 'Old', custom: { color: 'blue', size: 1 } };
  bench.connect('ann', phone);
  bench.patch('ann', { name: 'New', color: 'red', extra: true });
  const beforeSeq = bench.directory.seq;
  bench.connect('ann', phone);
  assert.equal(bench.directory.seq, beforeSeq, 'the same details again are no entry');
  bench.connect('ann', { name: 'Old', custom: { color: 'green' } });
  assert.deepEqual(bench.user('ann').custom, { color: 'green', size: 1, extra: true });
  assert.equal(bench.user('ann').name, 'New');
  // The phone sends what is stored already: nothing changes for anyone, but it is remembered.
  const { rev } = bench.user('ann');
  bench.connect('ann', { name: 'New', custom: {} });
  assert.equal(bench.user('ann').rev, rev);
  bench.patch('ann', { name: 'Newer' });
  bench.connect('ann', { name: 'New', custom: {} });
  assert.equal(bench.user('ann').name, 'Newer');
});

test('US7 the guard forgets nothing over an upsert, and merge mode writes everything', () => {
  const bench = new Bench();
  bench.connect('ann', { name: 'Old' });
  bench.upsert([{ id: 'ann', name: 'Server' }]);
  bench.connect('ann', { name: 'Old' });
  assert.equal(bench.user('ann').name, 'Server');
  const merging = new Bench({ connectGuard: 'merge' });
  merging.connect('ann', { name: 'Old' });
  merging.upsert([{ id: 'ann', name: 'Server' }]);
  merging.connect('ann', { name: 'Old' });
  assert.equal(merging.user('ann').name, 'Old');
});

test('US8 unique names: within the app, within common teams, within a batch, and freed by a delete', () => {
  const app = new Bench();
  app.upsert([
    { id: 'old1', name: 'Same' },
    { id: 'old2', name: 'same' },
  ]);
  app.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } });
  app.upsert([{ id: 'old1', name: 'Same', custom: { a: 1 } }]);
  app.upsert([{ id: 'ann', name: 'John Doe' }]);
  for (const name of ['john.doe', 'JOHN  DOE', 'Ｊohn Doe']) assert.equal(refusal(() => app.connect('bob', { name })).spec.code, 6, name);
  assert.equal(
    refusal(() =>
      app.upsert([
        { id: 'x', name: 'New one' },
        { id: 'y', name: 'new-one' },
      ]),
    ).kind,
    'duplicate_username',
  );
  assert.equal(refusal(() => app.patch('old2', { name: 'john doe' })).kind, 'duplicate_username');
  app.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  assert.equal(refusal(() => app.connect('bob', { name: 'John Doe' })).kind, 'duplicate_username');
  app.run({ kind: 'delete', ids: ['ann'], mode: 'soft', options: {} });
  app.connect('bob', { name: 'John Doe' });

  const team = new Bench();
  team.run({ kind: 'settings', set: { enforce_unique_usernames: 'team' } });
  team.upsert([
    { id: 'a', name: 'Ann', teams: ['red'] },
    { id: 'b', name: 'Ann', teams: ['blue'] },
  ]);
  assert.equal(refusal(() => team.upsert([{ id: 'c', name: 'ann', teams: ['green', 'blue'] }])).kind, 'duplicate_username');
  assert.equal(refusal(() => team.patch('b', { teams: ['blue', 'red'] })).kind, 'duplicate_username');
});

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
  const remove = (mode: 'soft' | 'pruning' | 'hard') => bench.run({ kind: 'delete', ids: ['ann'], mode, options: {} });
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
  reusing.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options: {} });
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

test('US12 a client may store 5,120 bytes, a server 10,240, and a record above the client limit stays usable for its client', () => {
  const bench = new Bench();
  const bytes = (custom: JsonObject) => JSON.stringify({ custom }).length;
  const fill = (size: number): JsonObject => ({ x: 'a'.repeat(size - bytes({ x: '' })) });
  bench.connect('ann', { custom: fill(LIMITS.clientUserBytes) });
  assert.equal(refusal(() => bench.connect('bob', { custom: fill(LIMITS.clientUserBytes + 1) })).kind, 'input');
  assert.equal(refusal(() => bench.connect('ann', { custom: { y: 1 } })).kind, 'input');
  bench.patch('ann', { z: 'b'.repeat(4_000) });
  // What a server made larger than a client may store does not lock the client out.
  bench.connect('ann', { custom: { w: 1 } });
  assert.equal(refusal(() => bench.patch('ann', { y: 'c'.repeat(4_000) })).kind, 'input');
});
