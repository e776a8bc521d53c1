/** User groups, on the pure core and as pages: UG. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { uuidV7 } from '../../../daemon/edge/http/uuid-v7.ts';
import {
  decodeGroupAdd,
  decodeGroupCreate,
  decodeGroupList,
  decodeGroupRemove,
  decodeGroupSearch,
  decodeGroupUpdate,
  type GroupCreateCommand,
  type GroupMembersCommand,
  pageOfGroups,
  renderGroup,
  renderWholeGroup,
  type UserGroup,
} from '../../../protocol/access/groups.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { seeded, testOption } from '../../support/random.ts';
import { RulesBench } from '../../support/rules-bench.ts';

class GroupBench extends RulesBench {
  create(id: string, more: Partial<GroupCreateCommand> = {}): Outcome {
    return this.run({ kind: 'group-create', id, name: id, memberIds: [], ...more });
  }

  add(id: string, memberIds: readonly string[], more: Partial<GroupMembersCommand> = {}): Outcome {
    return this.run({ kind: 'group-add', id, memberIds, ...more });
  }

  remove(id: string, memberIds: readonly string[], more: Partial<GroupMembersCommand> = {}): Outcome {
    return this.run({ kind: 'group-remove', id, memberIds, ...more });
  }

  group(id: string): UserGroup {
    const group = this.directory.docs.get('group', id);
    assert.ok(group, `${id} does not exist`);
    return group;
  }

  /** Members as a reader sees them; admins with a star. */
  members(id: string): string[] {
    const { members } = renderWholeGroup(this.group(id), 'v2', (user) => this.directory.user(user));
    assert.ok(Array.isArray(members));
    return members.map(({ user_id, is_admin }) => (is_admin ? `${user_id}*` : user_id));
  }
}

function withUsers(...ids: readonly string[]): GroupBench {
  const bench = new GroupBench();
  if (ids.length > 0) bench.upsert(ids.map((id) => ({ id })));
  return bench;
}

test('UG1 a group has a name, may have a description and a team, and its members', () => {
  const bench = withUsers('ann', 'bob');
  bench.create('g', { name: 'Crew', description: 'all', team_id: 'red', created_by: 'ann', memberIds: ['ann', 'bob'] });
  const { created_at, updated_at, members, ...rest } = bench.group('g');
  assert.deepEqual(rest, { id: 'g', name: 'Crew', description: 'all', team_id: 'red', created_by: 'ann' });
  assert.deepEqual([created_at, updated_at, ...members.map((member) => member.created_at)], Array(4).fill(bench.now));
  assert.deepEqual(bench.members('g'), ['ann', 'bob']);
});

test('UG2 creating is all or nothing, lists every member that does not exist, and refuses an id that is there', () => {
  const bench = withUsers('ann', 'bob');
  bench.delete('bob');
  const refused = refusal(() => bench.create('g', { memberIds: ['ann', 'bob', 'cem'], created_by: 'dan' }));
  assert.equal(refused.kind, 'not_found');
  assert.deepEqual(
    refused.fields.map(({ path, message }) => [path, message]),
    [
      ['member_ids[bob]', 'the user bob was deleted'],
      ['member_ids[cem]', 'the user cem does not exist'],
      ['created_by_id', 'the user dan does not exist'],
    ],
  );
  assert.equal(bench.directory.docs.count('group'), 0);
  bench.create('g');
  assert.equal(refusal(() => bench.create('g')).kind, 'conflict');
});

test('UG3 update changes what is named; the team never; a change to nothing is no fact', () => {
  const bench = withUsers('ann');
  bench.create('g', { description: 'old', team_id: 'red', memberIds: ['ann'] });
  const before = bench.group('g');
  assert.deepEqual(
    bench.factsOf(() => bench.run({ kind: 'group-update', id: 'g', name: 'g', team_id: 'red' })),
    [],
  );
  assert.equal(bench.group('g'), before);
  bench.run({ kind: 'group-update', id: 'g', name: 'New' });
  assert.deepEqual(bench.group('g'), { ...before, name: 'New', updated_at: bench.now });
  bench.run({ kind: 'group-update', id: 'g', description: '' });
  assert.equal('description' in bench.group('g'), false);
  for (const team_id of ['blue', 'Red']) {
    assert.deepEqual(
      refusedFields(() => bench.run({ kind: 'group-update', id: 'g', team_id })).map(({ path }) => path),
      ['team_id'],
    );
  }
  bench.create('teamless');
  assert.equal(refusedFields(() => bench.run({ kind: 'group-update', id: 'teamless', team_id: 'red' })).length, 1);
});

test('UG4 adding is all or nothing, keeps the place of who is in, and says who is an admin only where it is said', () => {
  const bench = withUsers('ann', 'bob', 'cem');
  bench.create('g', { memberIds: ['ann'] });
  assert.equal(refusal(() => bench.add('g', ['bob', 'zoe'])).kind, 'not_found');
  assert.deepEqual(bench.members('g'), ['ann']);
  const joined = bench.group('g').members[0]?.created_at;
  bench.add('g', ['bob', 'ann'], { asAdmin: true });
  assert.deepEqual(bench.members('g'), ['ann*', 'bob*']);
  assert.equal(bench.group('g').members[0]?.created_at, joined);
  assert.deepEqual(
    bench.factsOf(() => bench.add('g', ['ann', 'bob'])),
    [],
  );
  bench.add('g', ['ann'], { asAdmin: false });
  bench.add('g', ['cem']);
  assert.deepEqual(bench.members('g'), ['ann', 'bob*', 'cem']);
});

test('UG5 removing ignores who is not a member', () => {
  const bench = withUsers('ann', 'bob');
  bench.create('g', { memberIds: ['ann', 'bob'] });
  bench.remove('g', ['bob', 'zoe']);
  assert.deepEqual(bench.members('g'), ['ann']);
  const { updated_at } = bench.group('g');
  assert.deepEqual(
    bench.factsOf(() => bench.remove('g', ['bob'])),
    [],
  );
  assert.equal(bench.group('g').updated_at, updated_at);
});

test('UG6 a team that is named must be the one of the group', () => {
  const bench = withUsers('ann');
  bench.create('g', { team_id: 'red' });
  bench.create('teamless');
  for (const act of [
    () => bench.add('g', ['ann'], { team_id: 'blue' }),
    () => bench.remove('g', ['ann'], { team_id: 'blue' }),
    () => bench.run({ kind: 'group-delete', id: 'g', team_id: 'blue' }),
    () => bench.add('teamless', ['ann'], { team_id: 'red' }),
  ]) {
    assert.deepEqual(
      refusedFields(act).map(({ path }) => path),
      ['team_id'],
    );
  }
  const message = (act: () => unknown) => refusedFields(act)[0]?.message;
  assert.equal(
    message(() => bench.add('g', ['ann'], { team_id: 'blue' })),
    'the team of the user group is "red"',
  );
  assert.equal(
    message(() => bench.add('teamless', ['ann'], { team_id: 'red' })),
    'the user group has no team',
  );
  bench.add('g', ['ann'], { team_id: 'red' });
  // The answer shows the group also where nothing had to be done.
  assert.deepEqual(bench.add('g', ['ann'], { team_id: 'red' }).docs, [{ kind: 'group', id: 'g', doc: bench.group('g') }]);
  bench.remove('g', ['ann'], { team_id: 'red' });
  bench.run({ kind: 'group-delete', id: 'g', team_id: 'red' });
});

test('UG7 a group that does not exist is not found, in words that no client takes for a missing endpoint', () => {
  const bench = withUsers('ann');
  bench.create('gone');
  bench.run({ kind: 'group-delete', id: 'gone' });
  for (const act of [
    () => bench.run({ kind: 'group-update', id: 'gone', name: 'x' }),
    () => bench.run({ kind: 'group-delete', id: 'gone' }),
    () => bench.add('gone', ['ann']),
    () => bench.remove('gone', ['ann']),
  ]) {
    const { kind, message } = refusal(act);
    assert.equal(kind, 'not_found');
    assert.doesNotMatch(message, /not found/i);
  }
  bench.create('gone');
});

test('UG8 a member that is deleted is not shown; restored, it is a member again; removed for good, it makes room', () => {
  const bench = withUsers('soft', 'pruned', 'hard', 'ann');
  bench.create('g', { memberIds: ['soft', 'pruned', 'hard'] });
  bench.delete('soft');
  bench.delete('pruned', 'pruning');
  bench.delete('hard', 'hard');
  assert.deepEqual(bench.members('g'), []);
  bench.add('g', ['ann']);
  assert.deepEqual(
    bench.group('g').members.map(({ user_id }) => user_id),
    ['soft', 'ann'],
  );
  bench.run({ kind: 'restore', ids: ['soft'] });
  assert.deepEqual(bench.members('g'), ['soft', 'ann']);
});

test('UG9 a new user with the id of a deleted one inherits no membership', () => {
  const bench = withUsers('ann');
  bench.create('g', { memberIds: ['ann'] });
  bench.delete('ann', 'hard');
  bench.upsert([{ id: 'ann' }], { reuseDeleted: true });
  assert.deepEqual(bench.members('g'), []);
  bench.add('g', ['ann'], { asAdmin: true });
  assert.deepEqual(bench.members('g'), ['ann*']);
});

test('UG10 1,000 members, 100 in one request', () => {
  const bench = new GroupBench();
  const ids = Array.from({ length: LIMITS.membersPerGroup + 1 }, (_, i) => `u${i}`);
  bench.upsert(ids.map((id) => ({ id })));
  bench.create('g', { memberIds: ids.slice(0, -1) });
  assert.match(refusal(() => bench.add('g', ids.slice(-1))).message, /would have 1001 members; at most 1000/);
  bench.remove('g', ['u0']);
  bench.add('g', ids.slice(-1));
  const many = ids.slice(0, 101);
  for (const act of [
    () => decodeGroupCreate({ name: 'g', member_ids: many }, 'id'),
    () => decodeGroupAdd('g', { member_ids: many }),
    () => decodeGroupRemove('g', { member_ids: many }),
  ]) {
    assert.deepEqual(refusedFields(act), [{ path: 'member_ids', message: 'must not hold more than 100, got 101' }]);
  }
});

test('UG11 a snapshot holds groups', () => {
  const bench = withUsers('ann');
  bench.create('g', { memberIds: ['ann'], description: 'd' });
  const view = bench.directory.freeze();
  bench.remove('g', ['ann']);
  const copy = new Directory(view.position);
  copy.load([...view.lines()]);
  assert.deepEqual(
    copy.docs.get('group', 'g')?.members.map(({ user_id }) => user_id),
    ['ann'],
  );
  assert.deepEqual(
    [...copy.docs.under('group', 'ann')].map(({ id }) => id),
    ['g'],
  );
});

test('UG12 requests: what Go and PHP send for nothing is nothing; everything wrong is named', () => {
  assert.deepEqual(decodeGroupCreate({ name: 'g', member_ids: null, id: '', description: '', team_id: '', created_by_id: '' }, 'fresh'), {
    kind: 'group-create',
    id: 'fresh',
    name: 'g',
    memberIds: [],
  });
  assert.deepEqual(decodeGroupCreate({ name: 'g', id: 'own', member_ids: ['a', 'b', 'a'] }, 'fresh').memberIds, ['a', 'b']);
  assert.deepEqual(decodeGroupUpdate('g', { name: '', description: null, team_id: '' }), { kind: 'group-update', id: 'g' });
  assert.deepEqual(decodeGroupUpdate('g', []), { kind: 'group-update', id: 'g' });
  assert.deepEqual(decodeGroupUpdate('g', { description: '' }), { kind: 'group-update', id: 'g', description: '' });
  const paths = (act: () => unknown): string[] => refusedFields(act).map(({ path }) => path);
  assert.deepEqual(
    paths(() => decodeGroupCreate({ id: 'a b', name: 'g', team_id: '__proto__', member_ids: ['ok', 'a.b', ''] }, 'f')),
    ['id', 'team_id', 'member_ids[1]', 'member_ids[2]'],
  );
  assert.deepEqual(
    paths(() => decodeGroupCreate({ name: 'g', id: 'search', created_by_id: '!' }, 'f')),
    ['id', 'created_by_id'],
  );
  assert.deepEqual(paths(() => decodeGroupCreate({ name: 5, id: {}, member_ids: 'ann', description: [], team_id: 1 }, 'f')).sort(), [
    'description',
    'id',
    'member_ids',
    'name',
    'team_id',
  ]);
  assert.deepEqual(
    paths(() => decodeGroupCreate({}, 'f')),
    ['name'],
  );
  assert.deepEqual(paths(() => decodeGroupCreate({ name: 'x'.repeat(256), description: 'x'.repeat(1_025) }, 'f')).sort(), [
    'description',
    'name',
  ]);
  assert.deepEqual(
    paths(() => decodeGroupCreate({ name: 'g', team_id: 'ä'.repeat(51) }, 'f')),
    ['team_id'],
  );
  for (const member_ids of [undefined, null, [], ['a b'], [1], 'ann']) {
    for (const decode of [decodeGroupAdd, decodeGroupRemove]) assert.equal(paths(() => decode('g', { member_ids })).length, 1);
  }
  assert.deepEqual(
    paths(() => decodeGroupAdd('g', { member_ids: ['ann'], as_admin: 'yes' })),
    ['as_admin'],
  );
});

const groups: readonly UserGroup[] = [
  ['c', 'Crew', 1, 'red'],
  ['a', 'crew two', 1, 'blue'],
  ['b', 'Zoo', 2, undefined],
  ['d', 'Crew', 3, 'red'],
].map(([id, name, at, team]) => ({
  id: String(id),
  name: String(name),
  created_at: Number(at) * 1_000_000,
  updated_at: 9_000_000,
  members: [],
  ...(team === undefined ? undefined : { team_id: String(team) }),
}));

const listed = (query: Record<string, string>): string =>
  pageOfGroups(groups, decodeGroupList(query))
    .map(({ id }) => id)
    .join('');
const searched = (query: Record<string, string>): string =>
  pageOfGroups(groups, decodeGroupSearch(query))
    .map(({ id }) => id)
    .join('');

test('UG13 a list is oldest first and goes on after a time, an id, or both', () => {
  assert.equal(listed({}), 'acbd');
  assert.equal(listed({ limit: '2' }), 'ac');
  assert.equal(listed({ limit: '2', id_gt: 'c' }), 'bd');
  assert.equal(listed({ created_at_gt: '1970-01-01T00:00:01Z' }), 'bd');
  assert.equal(listed({ created_at_gt: '1000000000' }), 'bd');
  assert.equal(listed({ created_at_gt: '1970-01-01T00:00:01Z', id_gt: 'a' }), 'cbd');
  // The group at which a page ended may be gone by the time the next is asked for.
  assert.equal(listed({ created_at_gt: '1970-01-01T00:00:01Z', id_gt: 'bb' }), 'cbd');
  assert.deepEqual(
    refusedFields(() => listed({ id_gt: 'bb' })).map(({ path }) => path),
    ['id_gt'],
  );
  assert.equal(listed({ team_id: 'red' }), 'cd');
  assert.equal(listed({ team_id: 'red', id_gt: 'c' }), 'd');
  for (const query of [{ limit: '101' }, { limit: '-1' }, { limit: 'x' }, { created_at_gt: 'yesterday' }, { team_id: '__proto__' }]) {
    assert.deepEqual(
      refusedFields(() => listed(query)).map(({ path }) => path),
      Object.keys(query),
    );
  }
});

test('UG14 a search finds part of the name in any case, by name, and goes on after a name, an id, or both', () => {
  assert.equal(searched({}), 'cdba');
  assert.equal(searched({ query: 'CREW' }), 'cda');
  assert.equal(searched({ query: 'crew', limit: '1' }), 'c');
  assert.equal(searched({ query: 'crew', id_gt: 'c' }), 'da');
  assert.equal(searched({ query: 'crew', name_gt: 'Crew' }), 'a');
  assert.equal(searched({ query: 'crew', name_gt: 'Crew', id_gt: 'c' }), 'da');
  assert.equal(searched({ query: 'crew', team_id: 'blue' }), 'a');
  assert.equal(searched({ query: 'no such' }), '');
  assert.deepEqual(
    refusedFields(() => searched({ id_gt: 'x' })).map(({ path }) => path),
    ['id_gt'],
  );
});

test('UG15 pages hold every group once, whatever their size and cursor', () => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const next = seeded(seed);
  const pick = (max: number): number => Math.floor(next() * max);
  for (let round = 0; round < 200; round++) {
    const many = Array.from({ length: pick(30) }, (_, i): UserGroup => {
      const at = pick(5) * 1_000_000;
      return { id: `${pick(3)}-${i}`, name: ['a', 'B', 'ab', 'é'][pick(4)] ?? '', created_at: at, updated_at: at, members: [] };
    });
    const limit = 1 + pick(5);
    const kind = pick(4);
    const seen: string[] = [];
    let cursor: Record<string, string> = {};
    for (;;) {
      const query = { limit: String(limit), ...cursor };
      const page = pageOfGroups(many, kind < 2 ? decodeGroupList(query) : decodeGroupSearch(query));
      seen.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      if (last === undefined || page.length < limit) break;
      const beside = kind === 1 ? { created_at_gt: String(last.created_at * 1000) } : kind === 3 ? { name_gt: last.name } : {};
      cursor = { id_gt: last.id, ...beside };
    }
    assert.deepEqual([...seen].sort(), many.map(({ id }) => id).sort(), `seed ${seed}, round ${round}`);
  }
});

test('UG16 times are written as the dialect says, and lists leave members out', () => {
  const [first] = groups;
  assert.ok(first);
  assert.deepEqual(renderGroup(first, 'v2'), {
    id: 'c',
    name: 'Crew',
    team_id: 'red',
    created_at: 1_000_000_000,
    updated_at: 9_000_000_000,
  });
  assert.equal(renderGroup(first, 'v1').created_at, '1970-01-01T00:00:01.000000Z');
});

test('UG17 a UUIDv7 has time, version and variant in their places and sorts by time', () => {
  // The example of RFC 9562, appendix A.6.
  const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  assert.equal(uuidV7(0x017f22e279b0, random), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  assert.equal(uuidV7(0, new Uint8Array(10).fill(0xff)), '00000000-0000-7fff-bfff-ffffffffffff');
  const made = [0, 1, 255, 1_772_600_767_000, 1_772_600_767_001, 2 ** 48 - 1].map((at) => uuidV7(at));
  for (const id of made) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(Array.from({ length: 10_000 }, () => uuidV7(1))).size, 10_000);
  for (const at of [-1, 1.5, 2 ** 48, Number.NaN]) assert.throws(() => uuidV7(at), /is not a time/);
});

test('BU8 an application has at most so many groups, and one that is deleted makes room', () => {
  const bench = new RulesBench();
  const create = (id: string): unknown => bench.run({ kind: 'group-create', id, name: id, memberIds: [] });
  for (let n = 0; n < LIMITS.groups; n++) create(`g${n}`);
  assert.throws(() => create('more'), /there are 10000 user groups already/);
  bench.run({ kind: 'group-delete', id: 'g7' });
  create('more');
  assert.throws(() => create('again'), /no more are allowed/);
});
