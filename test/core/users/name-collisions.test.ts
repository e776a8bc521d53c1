/** UN5, UN8: the names that several users hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { indexNames, type NameCollisions, nameCollisions } from '../../../daemon/core/users/name-collisions.ts';
import { NAME_KEY_VERSION } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Bench } from '../../support/decide-bench.ts';

function found(bench: Bench, scope: 'app' | 'team'): NameCollisions {
  const walk = nameCollisions(bench.directory, scope);
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value;
  }
}

test('UN5 a name counts where several living users hold it: in the application, or in a team that they share', () => {
  const bench = new Bench();
  bench.upsert([
    { id: 'a1', name: 'Ann', teams: ['red', 'blue'] },
    { id: 'a2', name: 'ann', teams: ['blue', 'green'] },
    { id: 'a3', name: 'A.n.n', teams: ['green'] },
    { id: 'b1', name: 'Bob', teams: ['red'] },
    { id: 'b2', name: 'Bob', teams: ['blue'] },
    { id: 'c1', name: 'Carl' },
    { id: 'c2', name: 'Carl' },
    { id: 'd1', name: '!!!', teams: ['red'] },
    { id: 'd2', name: '?', teams: ['red'] },
    { id: 'e1', name: 'Eve' },
    { id: 'nobody' },
  ]);
  bench.run({ kind: 'delete', ids: ['c2'], mode: 'soft', options: {} });
  const app = found(bench, 'app');
  assert.equal(app.total, 2);
  assert.deepEqual(app.examples, [
    { name: 'Ann', user_ids: ['a1', 'a2', 'a3'], users: 3 },
    { name: 'Bob', user_ids: ['b1', 'b2'], users: 2 },
  ]);
  const team = found(bench, 'team');
  assert.equal(team.total, 2);
  assert.deepEqual(team.examples, [
    { name: 'Ann', team: 'blue', user_ids: ['a1', 'a2'], users: 2 },
    { name: 'ann', team: 'green', user_ids: ['a2', 'a3'], users: 2 },
  ]);
});

test('UN5 all are counted, and some of them shown', () => {
  const bench = new Bench();
  for (let n = 0; n < 120; n++) bench.upsert([0, 1, 2].map((k) => ({ id: `u${n}-${k}`, name: `name ${n}` })));
  bench.upsert(Array.from({ length: 130 }, (_, n) => ({ id: `many${n}`, name: 'Many' })));
  const { total, examples } = found(bench, 'app');
  assert.deepEqual([total, examples.length], [121, 100]);
  const only = new Bench();
  only.upsert(Array.from({ length: 130 }, (_, n) => ({ id: `many${n}`, name: 'Many' })));
  const [one] = found(only, 'app').examples;
  assert.deepEqual([one?.users, one?.user_ids.length], [130, 100]);
});

/** The most users that are looked at between two pauses, and the number of pauses. */
function pausesOf(bench: Bench, scope: 'app' | 'team'): { readonly pauses: number; readonly most: number } {
  const { directory } = bench;
  let looked = 0;
  let most = 0;
  const counting = new Proxy(directory, {
    get: (target, name) => {
      if (name === 'user') looked++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const walk = nameCollisions(counting, scope);
  for (let pauses = 0; ; pauses++) {
    const { done } = walk.next();
    most = Math.max(most, looked);
    looked = 0;
    if (done === true) return { pauses, most };
  }
}

function benchOf(count: number, of: (n: number) => { readonly name?: string; readonly teams?: readonly string[] }): Bench {
  const bench = new Bench();
  for (let from = 0; from < count; from += 100) {
    bench.upsert(Array.from({ length: Math.min(100, count - from) }, (_, n) => ({ id: `u${from + n}`, ...of(from + n) })));
  }
  return bench;
}

test('UN5 the search pauses after every 256 names and users, and within a name that many hold in many teams', () => {
  assert.deepEqual(
    pausesOf(
      benchOf(255, (n) => ({ name: `name ${n}` })),
      'app',
    ),
    { pauses: 0, most: 0 },
  );
  assert.equal(
    pausesOf(
      benchOf(256, (n) => ({ name: `name ${n}` })),
      'app',
    ).pauses,
    1,
  );
  const same = benchOf(600, () => ({ name: 'Ann' }));
  assert.deepEqual(pausesOf(same, 'app').pauses, 2);
  assert.ok(pausesOf(same, 'app').most <= 257);
  // Each team of the one name counts, too: one name, 20 users, and 20 times 12 teams.
  const inTeams = (teams: number) => benchOf(20, (n) => ({ name: 'Ann', teams: Array.from({ length: teams }, (_, k) => `t${n}-${k}`) }));
  assert.equal(pausesOf(inTeams(11), 'team').pauses, 0);
  assert.equal(pausesOf(inTeams(12), 'team').pauses, 1);
  assert.equal(pausesOf(inTeams(32), 'team').pauses, 2);
  assert.equal(pausesOf(inTeams(33), 'team').pauses, 2 + 20, 'a user with many teams is work of its own');
});

test('UN5 a user that loses its name, or goes, while the search pauses is not counted', () => {
  const bench = benchOf(300, (n) => ({ name: `a${n % 150}` }));
  const walk = nameCollisions(bench.directory, 'app');
  assert.equal(walk.next().done, false);
  for (let n = 150; n < 300; n++) bench.run({ kind: 'delete', ids: [`u${n}`], mode: 'soft', options: {} });
  const end = walk.next();
  // 85 names with two users each are 255 of what is looked at before a pause, in whatever order they come.
  assert.deepEqual([end.done, end.value?.total], [true, 85]);
});

/** A directory loaded from a snapshot whose names were compared by keys of this version; absent: from before there were versions. */
function loaded(users: readonly Partial<StoredUser>[], names: number | undefined, scope: 'app' | 'team' | 'no' = 'app'): Directory {
  const directory = new Directory({ epoch: 'e', seq: 1 });
  const state = { time: 1, app: { enforce_unique_usernames: scope }, entries: [], ...(names === undefined ? {} : { names }) };
  const whole = users.map((user, n) => ({
    id: `u${n}`,
    rev: 1,
    role: 'user',
    teams: [],
    custom: {},
    created_at: 1,
    updated_at: 1,
    ...user,
  }));
  directory.load([{ state }, ...whole.map((user) => ({ user }))]);
  return directory;
}

function indexed(directory: Directory, pauses = 0): NameCollisions | undefined {
  const walk = indexNames(directory);
  for (let steps = 0; ; steps++) {
    const { done, value } = walk.next();
    if (done !== true) continue;
    assert.equal(steps, pauses);
    assert.ok(directory.isIndexed);
    return value;
  }
}

test('UN8 after an upgrade the names that several users hold are reported at each start, until there are none', () => {
  const twice = [
    { name: 'Ann', teams: ['red'] },
    { name: 'ann', teams: ['blue'] },
  ];
  const many = Array.from({ length: 600 }, (_, n) => ({ name: `name ${n}` }));
  for (const [names, scope, total, version] of [
    [undefined, 'app', 1, 1],
    [NAME_KEY_VERSION - 1, 'app', 1, NAME_KEY_VERSION - 1],
    [NAME_KEY_VERSION, 'app', undefined, NAME_KEY_VERSION],
    [undefined, 'team', undefined, NAME_KEY_VERSION],
    [undefined, 'no', undefined, NAME_KEY_VERSION],
  ] as const) {
    const directory = loaded(twice, names, scope);
    assert.deepEqual([indexed(directory)?.total, directory.nameKeyVersion], [total, version], `${names} ${scope}`);
  }
  const clean = loaded(many, undefined);
  assert.deepEqual([indexed(clean, 2 + 2), clean.nameKeyVersion], [undefined, NAME_KEY_VERSION], 'a pause after every 256 users and names');
  assert.equal(indexed(loaded(many, NAME_KEY_VERSION), 2), undefined, 'the names are not compared again');
});
