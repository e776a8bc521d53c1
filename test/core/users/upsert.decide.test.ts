/** Writes of users, on the pure core: US1–US5 and US12. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Actor } from '../../../protocol/base/actor.ts';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type Patch, parsePatch } from '../../../protocol/users/patch.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

function parsed(set: unknown): Patch {
  const patch = parsePatch(set, [], 'users[x]');
  assert.ok(!Array.isArray(patch));
  return patch;
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

test('PV2 every foreign id of a client is refused by name in the same words, before anything is looked at, whoever is there', () => {
  const ann: Actor = { kind: 'user', id: 'ann' };
  for (const role of [undefined, 'guest']) {
    const bench = new Bench();
    bench.upsert([{ id: 'bob' }, ...(role === undefined ? [] : [{ id: 'ann', role }])]);
    const message = `User 'ann' with role '${role ?? 'user'}' is not allowed to perform action UpdateUser`;
    const expected = ['bob', 'none'].map((id) => ({ path: `users[${id}].id`, message, code: 17 }));
    const patches = ['ann', 'bob', 'none'].map((id) => ({ id, patch: { steps: [] } }));
    for (const act of [
      () => bench.upsert([{ id: 'ann', role: 'emperor' }, { id: 'bob' }, { id: 'none' }], ann),
      () => bench.run({ kind: 'patch', actor: ann, patches, problems: [{ path: 'users[bob].set', message: 'wrong' }] }),
    ]) {
      const error = refusal(act);
      assert.deepEqual([error.kind, error.message, error.fields], ['not_allowed', message, expected]);
    }
  }
});

test('CN3 of a user of another revision, only that is named, even where the patch does not fit it or its name is taken', () => {
  const bench = new Bench();
  bench.upsert([
    { id: 'ann', name: 'Ann', custom: { list: [1] } },
    { id: 'bob', name: 'Bob', custom: { list: [1] } },
  ]);
  bench.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } });
  const fields = (set: object, ifRev: number | undefined, more: object = {}) => {
    const patches = ['ann', 'bob'].map((id) => ({ id, patch: parsed(id === 'ann' ? set : { color: 'red' }) }));
    const act = () =>
      bench.run({
        kind: 'patch',
        actor: { kind: 'server' },
        patches,
        problems: [],
        ...(ifRev === undefined ? {} : { ifRev: new Map([['ann', ifRev]]) }),
        ...more,
      });
    return refusal(act).fields.map(({ path, code }) => [path, code]);
  };
  assert.deepEqual(fields({ 'list.x': 1 }, undefined), [['users[ann].set.list.x', 4]]);
  assert.deepEqual(fields({ 'list.x': 1 }, 1), [['users[ann].set.list.x', 4]]);
  assert.deepEqual(fields({ 'list.x': 1 }, 9), [['users[ann]', 4]]);
  assert.deepEqual(fields({ name: 'bob', role: 'none' }, 9), [['users[ann]', 4]]);
  assert.deepEqual(fields({ name: 'bob', role: 'none' }, 1), [
    ['users[ann].role', 4],
    ['users[ann].name', 6],
  ]);
});

test('US12 UP4 a part of a record is held to the size of the whole one; what replaces it was measured when it was read', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', custom: { a: 'x'.repeat(6_000) } }]);
  const part = { b: 'x'.repeat(6_000) };
  for (const act of [
    () => bench.patch('ann', part),
    () => bench.run({ kind: 'upsert', actor: { kind: 'server' }, users: [{ id: 'ann', custom: part }], problems: [], mergeCustom: true }),
  ]) {
    assert.deepEqual(
      refusal(act).fields.map(({ path }) => path),
      ['users[ann]'],
    );
  }
  assert.equal(bench.upsert([{ id: 'ann', custom: part }]).users[0]?.change, 'updated');
});
