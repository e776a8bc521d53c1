/** Custom roles, on the pure core: RO. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { allRoles, decodeRoleCreate, decodeRoleSearch, renderRole, searchRoles } from '../../../protocol/access/roles.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { parsePatch } from '../../../protocol/users/patch.ts';
import { BUILT_IN_ROLES } from '../../../protocol/users/user.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const create = (bench: RulesBench, name: string): Outcome => bench.run({ kind: 'role-create', name });
const remove = (bench: RulesBench, name: string): Outcome => bench.run({ kind: 'role-delete', name });
const names = (bench: RulesBench): string[] => [...bench.directory.docs.all('role')].map(({ name }) => name);

function setTeamsRole(bench: RulesBench, id: string, teamsRole: Record<string, string>): Outcome {
  const patch = parsePatch({ teams_role: teamsRole }, [], `users[${id}]`);
  assert.ok(!Array.isArray(patch));
  return bench.run({ kind: 'patch', actor: { kind: 'server' }, patches: [{ id, patch }], problems: [] });
}

test('RO1 a role that was created can be given, as own role and in teams; one that was not cannot', () => {
  const bench = new RulesBench();
  assert.deepEqual(
    refusedFields(() =>
      bench.upsert([
        { id: 'ann', role: 'captain' },
        { id: 'bob', teams_role: { red: 'captain', blue: 'admin' } },
      ]),
    ).map(({ path }) => path),
    ['users[ann].role', 'users[bob].teams_role[red]'],
  );
  create(bench, 'captain');
  bench.upsert([
    { id: 'ann', role: 'captain' },
    { id: 'bob', teams_role: { red: 'captain', blue: 'admin' } },
  ]);
  assert.equal(bench.user('ann').role, 'captain');
  assert.deepEqual(bench.user('bob').teams_role, { red: 'captain', blue: 'admin' });
});

test('RO2 only what changes is checked: roles that users have stay usable', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  bench.upsert([{ id: 'ann', role: 'captain', teams_role: { red: 'captain' } }]);
  // The log of another version may hold users of roles that are gone; they can still be written.
  const fact = { t: 'doc', kind: 'role', id: 'captain', doc: null } as const;
  bench.directory.apply({ id: 'x', time: bench.now, first: bench.directory.seq + 1, facts: [fact] });
  bench.upsert([{ id: 'ann', role: 'captain', name: 'Ann', teams_role: { red: 'captain', blue: 'user' } }]);
  assert.equal(bench.user('ann').name, 'Ann');
  assert.deepEqual(
    refusedFields(() => setTeamsRole(bench, 'ann', { red: 'captain', blue: 'captain' })).map(({ path }) => path),
    ['users[ann].teams_role[blue]'],
  );
});

test('RO3 a role exists once; built-in ones exist already', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  for (const name of ['captain', 'admin', 'channel_member']) {
    const [field] = refusedFields(() => create(bench, name));
    assert.deepEqual(field, { path: 'name', message: `the role "${name}" exists already` });
  }
  assert.deepEqual(names(bench), ['captain']);
});

test('RO4 25 custom roles; a deleted one makes room', () => {
  const bench = new RulesBench();
  assert.equal(LIMITS.customRoles, 25);
  for (let i = 0; i < 25; i++) create(bench, `role-${i}`);
  assert.match(refusal(() => create(bench, 'one-more')).message, /there are 25 custom roles already/);
  remove(bench, 'role-7');
  create(bench, 'one-more');
  assert.equal(names(bench).length, 25);
});

test('RO5 names: letters, digits, _ and -, 1 to 64, not reserved; empty is missing', () => {
  for (const name of ['a', 'Team_Lead-2', 'x'.repeat(64)]) assert.deepEqual(decodeRoleCreate({ name }), { kind: 'role-create', name });
  for (const name of ['a b', 'a.b', 'ä', 'x'.repeat(65), '__proto__', 'constructor', 'a/b', 'a\n', 5, {}, ['a']]) {
    assert.deepEqual(
      refusedFields(() => decodeRoleCreate({ name })).map(({ path }) => path),
      ['name'],
      JSON.stringify(name),
    );
  }
  for (const body of [{}, { name: '' }, { name: null }, []]) {
    assert.deepEqual(
      refusedFields(() => decodeRoleCreate(body)),
      [{ path: 'name', message: 'is required' }],
    );
  }
});

test('RO6 a role in use cannot be deleted, and the refusal counts its users', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  bench.upsert([
    { id: 'ann', role: 'captain', teams_role: { red: 'captain' } },
    { id: 'bob', teams_role: { red: 'captain', blue: 'captain' } },
    { id: 'cem' },
  ]);
  bench.run({ kind: 'deactivate', ids: ['bob'], options: {} });
  assert.match(refusal(() => remove(bench, 'captain')).message, /cannot be deleted: 2 users have it/);
  bench.upsert([{ id: 'ann', role: 'user', teams_role: {} }]);
  assert.match(refusal(() => remove(bench, 'captain')).message, /cannot be deleted: 1 user has it/);
  setTeamsRole(bench, 'bob', { blue: 'user' });
  remove(bench, 'captain');
  assert.deepEqual(names(bench), []);
  assert.deepEqual(refusedFields(() => bench.upsert([{ id: 'cem', role: 'captain' }])).length, 1);
});

test('RO7 a built-in role cannot be deleted, one that does not exist is not found', () => {
  const bench = new RulesBench();
  for (const name of BUILT_IN_ROLES) assert.match(refusal(() => remove(bench, name)).message, /is built in and cannot be deleted/);
  assert.equal(refusal(() => remove(bench, 'captain')).kind, 'not_found');
});

test('RO8 a role with grants in the app settings cannot be deleted', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  bench.settings({ grants: { captain: ['ban-user', 'search-user'] } });
  assert.match(refusal(() => remove(bench, 'captain')).message, /the app settings grant it 2 permissions/);
  bench.settings({ grants: { captain: [] } });
  remove(bench, 'captain');
});

test('RO8 grants to other roles, or none at all, do not keep a role; the refusal counts those that it has', () => {
  for (const [grants, count] of [
    [undefined, 0],
    [{ user: ['search-user'] }, 0],
    [{ boss: [] }, 0],
    [{ boss: ['search-user'] }, 1],
    [{ boss: ['search-user', 'ban-user'] }, 2],
  ] as const) {
    const bench = new RulesBench();
    bench.run({ kind: 'role-create', name: 'boss' });
    if (grants !== undefined) bench.settings({ grants });
    const act = () => bench.run({ kind: 'role-delete', name: 'boss' });
    if (count === 0) act();
    else assert.equal(refusal(act).message, `name: the role "boss" cannot be deleted: the app settings grant it ${count} permissions`);
  }
});

test('RO9 a soft-deleted user does not hold its role; to be restored, it needs the role again', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  bench.upsert([{ id: 'ann', role: 'captain', teams_role: { red: 'captain' } }]);
  bench.delete('ann');
  remove(bench, 'captain');
  assert.deepEqual(
    refusal(() => bench.run({ kind: 'restore', ids: ['ann'] })).fields.map(({ path }) => path),
    ['users[ann].role', 'users[ann].teams_role[red]'],
  );
  create(bench, 'captain');
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.match(refusal(() => remove(bench, 'captain')).message, /1 user has it/);
});

test('RO10 within one batch, a later command sees the role made or taken by an earlier one', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  const draft = new Draft(bench.directory);
  const run = (command: Parameters<RulesBench['run']>[0]): Outcome => decide(draft, command, bench.now, DEFAULT_POLICY);
  const user = (role: string) =>
    ({ kind: 'upsert', actor: { kind: 'server' }, problems: [], users: [{ id: 'ann', role, custom: {} }] }) as const;
  run(user('captain'));
  assert.throws(() => run({ kind: 'role-delete', name: 'captain' }), /1 user has it/);
  run({ kind: 'role-create', name: 'pilot' });
  run(user('pilot'));
  run({ kind: 'role-delete', name: 'captain' });
  assert.throws(() => run(user('captain')), /does not exist/);
  assert.throws(() => run({ kind: 'role-create', name: 'pilot' }), /exists already/);
});

test('RO11 a snapshot holds roles and who has them', () => {
  const bench = new RulesBench();
  create(bench, 'captain');
  create(bench, 'pilot');
  bench.upsert([{ id: 'ann', role: 'captain' }]);
  const view = bench.directory.freeze();
  const copy = new Directory(view.position);
  copy.load([...view.lines()]);
  assert.deepEqual([...copy.docs.all('role')], [...bench.directory.docs.all('role')]);
  const draft = new Draft(copy);
  assert.throws(() => decide(draft, { kind: 'role-delete', name: 'captain' }, bench.now, DEFAULT_POLICY), /1 user has it/);
  decide(draft, { kind: 'role-delete', name: 'pilot' }, bench.now, DEFAULT_POLICY);
});

test('RO12 search: part of the name in any case, after a name, by type, global roles only when asked for', () => {
  const created = ['Captain', 'channel_pilot', 'cook'].map((name) => ({ name, created_at: 1, updated_at: 1 }));
  const found = (query: Record<string, string>): string[] =>
    searchRoles(allRoles(created), decodeRoleSearch(query)).map(({ name }) => name);
  assert.deepEqual(found({}), [
    'Captain',
    'admin',
    'anonymous',
    'channel_member',
    'channel_moderator',
    'channel_pilot',
    'cook',
    'guest',
    'moderator',
    'user',
  ]);
  assert.deepEqual(found({ query: 'C', limit: '2' }), ['Captain', 'channel_member']);
  assert.deepEqual(found({ query: 'c', name_gt: 'channel_member' }), ['channel_moderator', 'channel_pilot', 'cook']);
  assert.deepEqual(found({ query: 'mod', include_global_roles: 'true' }), ['channel_moderator', 'global_moderator', 'moderator']);
  assert.deepEqual(found({ query: 'a', role_type: 'user' }), ['Captain', 'admin', 'anonymous', 'channel_pilot', 'moderator']);
  assert.deepEqual(found({ role_type: 'channel' }), ['Captain', 'channel_member', 'channel_moderator', 'channel_pilot', 'cook']);
  assert.deepEqual(found({ query: 'no such' }), []);
  for (const query of [
    { limit: '101' },
    { limit: '-1' },
    { limit: 'x' },
    { limit: '1.5' },
    { role_type: 'team' },
    { include_global_roles: 'maybe' },
  ]) {
    assert.deepEqual(
      refusedFields(() => decodeRoleSearch(query)).map(({ path }) => path),
      Object.keys(query),
      JSON.stringify(query),
    );
  }
  assert.equal(decodeRoleSearch({ limit: '0' }).limit, 30);
});

test('RO13 a role shows the scope it is granted something in; v1 under both names', () => {
  const role = { name: 'captain', created_at: 1_000_000, updated_at: 2_000_000, isCustom: true };
  const app = { enforce_unique_usernames: 'no', grants: { captain: [] } } as const;
  assert.deepEqual(renderRole(role, { enforce_unique_usernames: 'no' }, 'v2'), {
    name: 'captain',
    custom: true,
    scopes: ['.app'],
    created_at: 1_000_000_000,
    updated_at: 2_000_000_000,
  });
  assert.deepEqual(renderRole(role, { ...app, grants: { captain: [] } }, 'v1'), {
    name: 'captain',
    custom: true,
    scopes: [],
    scoped: [],
    created_at: '1970-01-01T00:00:01.000000Z',
    updated_at: '1970-01-01T00:00:02.000000Z',
  });
});
