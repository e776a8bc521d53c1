/** Whole queries over a directory (protocol/README.md, FL and QY): QY1–QY14. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { runQuery, type Visibility, visibilityFor } from '../../../daemon/core/users/query.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { filterHints } from '../../../protocol/users/finding/filter.ts';
import { STEP_UNITS, USER_UNITS } from '../../../protocol/users/finding/filter-cost.ts';
import { parseQuery } from '../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { matchUnits } from '../../support/filter-kit.ts';

function user(id: string, fields: Partial<StoredUser> = {}): StoredUser {
  return { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, ...fields };
}

function directoryOf(users: readonly StoredUser[]): Directory {
  const directory = new Directory({ epoch: 'test', seq: 0 });
  directory.apply({ id: 'e1', time: 1, first: 1, facts: users.map((one) => ({ t: 'user', event: 'created', user: one })) });
  return directory;
}

interface Ask {
  readonly online?: readonly string[];
  readonly visibility?: Visibility;
}

function page(directory: Directory, payload: Record<string, unknown>, { online = [], visibility = {} }: Ask = {}): StoredUser[] {
  const running = runQuery(directory, parseQuery(payload), (id) => online.includes(id), visibility);
  for (;;) {
    const { done, value } = running.next();
    if (done === true) return value;
  }
}

const idsOf = (users: readonly StoredUser[]): string => users.map(({ id }) => id).join(' ');
const ask = (directory: Directory, payload: Record<string, unknown>, how: Ask = {}): string => idsOf(page(directory, payload, how));
const byId = [{ field: 'id' }];

/** `count` users u0000, u0001, … created one after another. */
function numbered(count: number, fields: (i: number) => Partial<StoredUser> = () => ({})): StoredUser[] {
  return Array.from({ length: count }, (_, i) => user(`u${String(i).padStart(4, '0')}`, { created_at: 1_000 + i, ...fields(i) }));
}

test('QY1 a page holds 30 users unless asked otherwise, at most 100, and starts at most 1,000 in', () => {
  const directory = directoryOf(numbered(1_200));
  assert.equal(page(directory, {}).length, LIMITS.queryLimitDefault);
  assert.equal(page(directory, { limit: 0 }).length, LIMITS.queryLimitDefault);
  assert.equal(page(directory, { limit: 1 }).length, 1);
  assert.equal(page(directory, { limit: 100 }).length, 100);
  const last = page(directory, { sort: byId, limit: 100, offset: 1_000 });
  assert.equal(last[0]?.id, 'u1000');
  assert.equal(last.length, 100);
  for (const [payload, path] of [
    [{ limit: 101 }, 'limit'],
    [{ offset: 1_001 }, 'offset'],
    [{ offset: -1 }, 'offset'],
    [{ limit: 2.5 }, 'limit'],
  ] as const) {
    assert.throws(
      () => parseQuery(payload),
      (error) => error instanceof RosterError && error.spec.code === 4 && error.fields[0]?.path === path,
      JSON.stringify(payload),
    );
  }
});

test('QY2 the order is newest first by default, and by id when a range of ids is asked for', () => {
  const directory = directoryOf([user('a', { created_at: 3 }), user('b', { created_at: 5 }), user('c', { created_at: 5 }), user('d')]);
  assert.equal(ask(directory, {}), 'c b a d');
  assert.equal(ask(directory, { offset: 1, limit: 2 }), 'b a');
  assert.equal(ask(directory, { offset: 4 }), '');
  assert.equal(ask(directory, { id_gt: 'a' }), 'd c b');
  assert.equal(ask(directory, { id_gt: 'a', sort: byId }), 'b c d');
});

test('QY3 a range of ids holds on each of its sides', () => {
  const directory = directoryOf(['a', 'b', 'c', 'd'].map((id) => user(id)));
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ id_gt: 'b' }, 'c d'],
    [{ id_gte: 'b' }, 'b c d'],
    [{ id_lt: 'c' }, 'a b'],
    [{ id_lte: 'c' }, 'a b c'],
    [{ id_gt: 'a', id_lt: 'd' }, 'b c'],
    [{ id_gte: 'c', id_lte: 'b' }, ''],
    [{ id_gt: '', id_lt: null }, 'a b c d'],
  ];
  for (const [range, expected] of cases) assert.equal(ask(directory, { sort: byId, ...range }), expected, JSON.stringify(range));
  assert.equal(ask(directory, { sort: byId, id_gt: 'b', filter_conditions: { id: { $in: ['b', 'c'] } } }), 'c');
});

test('QY4 what an index answers is what a walk over all users finds', () => {
  const users = [
    user('ann', { name: 'John Doe', teams: ['red'] }),
    user('bob', { name: 'john.doe', teams: ['red', 'blue'] }),
    user('cy', { name: '🎉', teams: ['blue'] }),
    user('dee', { name: '❤️' }),
    user('eve', { name: 'Ｊohn Doe', role: 'admin' }),
    user('fay'),
  ];
  const directory = directoryOf(users);
  const conditions: Record<string, unknown>[] = [
    { id: 'ann' },
    { id: { $in: ['bob', 'nobody', 'bob', 'ann'] } },
    { id: { $in: [] } },
    { name: 'John Doe' },
    { name: { $in: ['🎉', 'john.doe'] } },
    { name: '❤️' },
    { name: '' },
    { teams: 'red' },
    { teams: { $in: ['red', 'blue'] } },
    { teams: { $contains: 'blue' } },
    { teams: 'red', name: 'john.doe' },
    { id: { $in: ['ann', 'eve'] }, role: 'admin' },
    { $and: [{ role: 'user' }, { teams: { $in: ['blue'] } }] },
  ];
  for (const filter_conditions of conditions) {
    const query = parseQuery({ filter_conditions });
    assert.notDeepEqual(filterHints(query.filter), {}, 'the filter gives no hint');
    // The same filter below `$or` gives none, so every user is looked at.
    const walk = { $or: [filter_conditions] };
    assert.deepEqual(filterHints(parseQuery({ filter_conditions: walk }).filter), {});
    assert.equal(
      ask(directory, { filter_conditions, sort: byId }),
      ask(directory, { filter_conditions: walk, sort: byId }),
      JSON.stringify(filter_conditions),
    );
  }
  assert.equal(ask(directory, { filter_conditions: { name: 'John Doe' } }), 'ann', 'the index is by key, the answer is exact');
  assert.equal(ask(directory, { filter_conditions: { name: '🎉' } }), 'cy', 'a name with an empty key is found');
});

test('QY5 deactivated users come only when asked for, deleted ones when a server asks for them', () => {
  const directory = directoryOf([
    user('ann'),
    user('bob', { deactivated_at: 5 }),
    user('cy', { deleted_at: 5, deleted: 'soft' }),
    user('dee', { deactivated_at: 4, deleted_at: 5, deleted: 'pruning' }),
  ]);
  for (const filter_conditions of [{}, { id: { $in: ['ann', 'bob', 'cy', 'dee', 'gone'] } }]) {
    assert.equal(ask(directory, { filter_conditions, sort: byId }), 'ann');
    assert.equal(ask(directory, { filter_conditions, sort: byId, include_deactivated_users: false }), 'ann');
    assert.equal(ask(directory, { filter_conditions, sort: byId, include_deactivated_users: true }), 'ann bob');
  }
  const deactivated = { deactivated_at: { $exists: true } };
  assert.equal(ask(directory, { filter_conditions: deactivated }), '');
  assert.equal(ask(directory, { filter_conditions: deactivated, include_deactivated_users: true }), 'bob');
  const all = { sort: byId, include_deactivated_users: true, include_deleted_users: true };
  for (const filter_conditions of [{}, { id: { $in: ['ann', 'bob', 'cy', 'dee', 'gone'] } }]) {
    assert.equal(ask(directory, { ...all, filter_conditions }), 'ann bob cy dee');
    assert.equal(ask(directory, { ...all, filter_conditions, include_deactivated_users: false }), 'ann cy');
  }
  assert.equal(ask(directory, { ...all, filter_conditions: { deleted_at: { $exists: true } } }), 'cy dee');
});

test('QY6 a caller sees users of its teams, or those without one, and no hidden roles, whatever it asks for', () => {
  const directory = directoryOf([
    user('ann', { teams: ['red'] }),
    user('bob', { teams: ['red', 'blue'], role: 'admin' }),
    user('cy', { teams: ['blue'] }),
    user('dee'),
  ]);
  const see = (visibility: Visibility, filter_conditions: unknown = {}) =>
    ask(directory, { filter_conditions, sort: byId }, { visibility });
  assert.equal(see({}), 'ann bob cy dee');
  assert.equal(see({ teams: ['red'] }), 'ann bob');
  assert.equal(see({ teams: ['red', 'blue'] }), 'ann bob cy');
  assert.equal(see({ teams: [] }), 'dee');
  assert.equal(see({ hiddenRoles: new Set(['admin']) }), 'ann cy dee');
  assert.equal(see({ teams: ['red'], hiddenRoles: new Set(['admin']) }), 'ann');
  for (const filter of [{ teams: 'blue' }, { teams: {} }, { id: { $in: ['ann', 'bob', 'cy', 'dee'] } }, { $nor: [{ id: 'x' }] }]) {
    assert.ok(!see({ teams: ['red'] }, filter).includes('cy'), JSON.stringify(filter));
    assert.ok(!see({ teams: [] }, filter).includes('ann'), JSON.stringify(filter));
  }
});

test('QY7 `online` is what the caller of the query knows', () => {
  const directory = directoryOf([user('ann'), user('bob'), user('cy', { invisible: true })]);
  const online = ['bob'];
  assert.equal(ask(directory, { filter_conditions: { online: true } }, { online }), 'bob');
  assert.equal(ask(directory, { filter_conditions: { online: { $ne: true } }, sort: byId }, { online }), 'ann cy');
  assert.equal(ask(directory, { filter_conditions: { invisible: true } }, { online }), 'cy');
});

test('QY8 missing values and null come last in both directions, and the id decides between equals', () => {
  const directory = directoryOf([
    user('n1', { custom: { n: 36 }, last_active: 5 }),
    user('n2', { custom: { n: 50 }, last_active: 7 }),
    user('n3', { custom: { n: 9 } }),
    user('gone2'),
    user('gone1', { custom: { n: null } }),
    user('text', { custom: { n: '100' } }),
    user('flag', { custom: { n: false } }),
    user('list2', { custom: { n: [1] } }),
    user('list1', { custom: { n: [2] } }),
    user('map', { custom: { n: { toString: 1, valueOf: 2 } } }),
  ]);
  const sort = (field: string, direction?: number) => [{ field, ...(direction === undefined ? {} : { direction }), type: 'number' }];
  assert.equal(ask(directory, { sort: sort('n') }), 'flag n3 n1 n2 text list1 list2 map gone1 gone2');
  assert.equal(ask(directory, { sort: sort('custom.n', -1) }), 'map list1 list2 text n2 n1 n3 flag gone1 gone2');
  assert.equal(ask(directory, { sort: sort('last_active'), limit: 3 }), 'n1 n2 flag');
  assert.equal(ask(directory, { sort: sort('last_active', -1), limit: 3 }), 'n2 n1 flag');
  const two = [
    { field: 'last_active', direction: -1 },
    { field: 'id', direction: -1 },
  ];
  assert.equal(ask(directory, { sort: two, limit: 4 }), 'n2 n1 text n3');
  const teams = directoryOf([user('a', { teams: ['z', 'a'] }), user('b', { teams: ['b'] }), user('c')]);
  assert.equal(ask(teams, { sort: sort('teams') }), 'b a c', 'a list of teams is ordered by its first one');
});

test('QY9 pages over ties hold every user once, in every order', () => {
  const directory = directoryOf(
    numbered(50, (i) => ({
      created_at: i % 3,
      role: i % 2 === 0 ? 'user' : 'admin',
      custom: i % 5 === 0 ? {} : { n: i % 4, list: [i % 2] },
    })),
  );
  const sorts = [undefined, byId, [{ field: 'role' }], [{ field: 'n', direction: -1 }, { field: 'role' }], [{ field: 'list' }]];
  for (const sort of sorts) {
    const all = ask(directory, { sort, limit: 100 });
    for (const limit of [1, 7, 30]) {
      const pages: string[] = [];
      for (let offset = 0; offset < 50; offset += limit) pages.push(ask(directory, { sort, limit, offset }));
      assert.equal(pages.join(' '), all, `${JSON.stringify(sort)} by ${limit}`);
    }
    assert.equal(new Set(all.split(' ')).size, 50);
  }
});

test('QY10 a query gives way every few hundred users, and sees each in a state it had meanwhile', () => {
  const directory = directoryOf(numbered(1_000));
  const running = runQuery(directory, parseQuery({ filter_conditions: { role: 'admin' } }), () => false);
  let turns = 0;
  let step = running.next();
  // Users that the query has not reached yet change while it waits.
  directory.apply({ id: 'e2', time: 2, first: 1_001, facts: [{ t: 'user', event: 'updated', user: user('u0999', { role: 'admin' }) }] });
  for (; step.done !== true; step = running.next()) turns++;
  assert.equal(turns, 5);
  assert.equal(idsOf(step.value), 'u0999');
});

/** The work of a query: what it yields, and the largest piece. */
function work(directory: Directory, payload: Record<string, unknown>): { readonly units: number; readonly most: number } {
  let units = 0;
  let most = 0;
  for (const piece of runQuery(directory, parseQuery(payload), () => false)) {
    units += piece.units + piece.unseen;
    most = Math.max(most, piece.units + piece.unseen);
  }
  return { units, most };
}

test('QY10 a query tells its work: each user that it looks at, and what its filter costs for those that it matches', () => {
  const directory = directoryOf(
    numbered(1_000, (i) => ({ name: 'x'.repeat(i % 200), teams: i < 10 ? ['red'] : [], ...(i === 0 ? { deactivated_at: 1 } : {}) })),
  );
  const cost = (filter_conditions: Record<string, unknown>): number => {
    return [...directory.users()].reduce((sum, one) => sum + USER_UNITS + matchUnits(filter_conditions, one), 0);
  };
  for (const filter_conditions of [{ role: 'user' }, { name: { $q: 'some words' } }, {}]) {
    const { units, most } = work(directory, { filter_conditions });
    // Beside them, the page is sorted: some comparisons for each of its users.
    const sorted = units - cost(filter_conditions);
    assert.ok(sorted >= 0 && sorted <= 4 * 12 * 1_000, `${sorted}`);
    assert.ok(most >= STEP_UNITS && most < 2 * STEP_UNITS, `${most}`);
  }
  // An index saves the look at the others.
  const each = (filter_conditions: Record<string, unknown>): number => USER_UNITS + matchUnits(filter_conditions, user('x'));
  for (const [filter_conditions, looked] of [
    [{ id: { $in: ['u0001', 'u0002', 'u0003'] } }, 3],
    [{ name: 'xxx' }, 5],
    [{ teams: 'red', include_deactivated_users: true }, 10],
    [{ teams: 'blue' }, 0],
  ] as const) {
    const { units } = work(directory, { filter_conditions });
    assert.ok(units <= looked * each(filter_conditions) + 2 * USER_UNITS, `${JSON.stringify(filter_conditions)}: ${units}`);
  }
});

test('QY10 a query gives way as soon as a piece of work is done, not one user later', () => {
  const units = matchUnits({ role: 'admin' }, user('x')) + USER_UNITS;
  const count = Math.ceil(STEP_UNITS / units);
  const turns = (users: number): number =>
    [...runQuery(directoryOf(numbered(users)), parseQuery({ filter_conditions: { role: 'admin' } }), () => false)].length;
  assert.deepEqual([turns(count), turns(count + 1), turns(2 * count + 1)], [1, 2, 3]);
});

test('QY4 SN2 before the indexes are complete, a query walks over all users and does not complete them', () => {
  const directory = new Directory({ epoch: 'test', seq: 0 });
  directory.load(numbered(600, (i) => ({ name: i === 7 ? 'Ann' : 'x', teams: i === 7 ? ['red'] : [] })).map((one) => ({ user: one })));
  assert.equal(ask(directory, { filter_conditions: { name: 'Ann' } }), 'u0007');
  assert.equal(ask(directory, { filter_conditions: { teams: 'red' } }), 'u0007');
  assert.equal(ask(directory, { filter_conditions: { id: 'u0599' } }), 'u0599');
  assert.equal(directory.isIndexed, false);
  while (directory.indexStep());
  assert.equal(ask(directory, { filter_conditions: { teams: 'red' } }), 'u0007');
});

test('QY11 a page is exactly its part of all matches, however many there are and in whatever order they come', () => {
  const count = 3_000;
  for (const created of [(i: number) => i, (i: number) => count - i, (i: number) => (i * 7919) % count, () => 1]) {
    const users = numbered(count, (i) => ({ created_at: created(i) }));
    const directory = directoryOf(users);
    const all = [...users].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1));
    for (const [offset, limit] of [
      [0, 1],
      [0, 100],
      [300, 30],
      [1_000, 100],
    ] as const) {
      const expected = all.slice(offset, offset + limit).map(({ id }) => id);
      const found = page(directory, { offset, limit }).map(({ id }) => id);
      assert.deepEqual(found, expected);
      assert.equal(found.length, limit);
    }
  }
});

test('TN2 TN3 TN4 what a client may find follows from its teams, its roles and the hidden roles', () => {
  const ann = user('ann', { teams: ['red', 'blue'], teams_role: { blue: 'mute-one' } });
  const walls = { enforce_unique_usernames: 'no', multi_tenant_enabled: true } as const;
  const none = { grants: { user: [] } };
  const hidden = { user_search_disallowed_roles: ['admin', 'boss'] };
  assert.deepEqual(visibilityFor({ enforce_unique_usernames: 'no' }, ann), {});
  assert.deepEqual(visibilityFor({ enforce_unique_usernames: 'no', ...hidden }, ann), { hiddenRoles: new Set(['admin', 'boss']) });
  assert.deepEqual(visibilityFor({ enforce_unique_usernames: 'no', user_search_disallowed_roles: [] }, ann), {});
  assert.equal(visibilityFor({ enforce_unique_usernames: 'no', ...none }, ann), 'nowhere');
  assert.equal(visibilityFor({ enforce_unique_usernames: 'no', grants: { user: ['ban-user'] } }, ann), 'nowhere');
  assert.deepEqual(visibilityFor(walls, ann), { teams: ['red', 'blue'] });
  assert.deepEqual(visibilityFor({ ...walls, grants: { 'mute-one': [] } }, ann), { teams: ['red'] });
  assert.deepEqual(visibilityFor({ ...walls, ...none, ...hidden }, { ...ann, teams_role: { blue: 'admin' } }), {
    teams: ['blue'],
    hiddenRoles: new Set(['admin', 'boss']),
  });
  assert.deepEqual(visibilityFor(walls, user('bob')), { teams: [] });
});

test('QY12 a sort by long texts that begin alike is counted, and gives way', () => {
  const sort = ['a', 'b', 'c'].map((field) => ({ field }));
  const walked = (text: string) => {
    const users = numbered(2_000, (i) => ({ custom: { a: text, b: text, c: `${text}${(i * 7919) % 2_000}` } }));
    const { units, most } = work(directoryOf(users), { sort, limit: 100, offset: 1_000 });
    return { units, most, ids: ask(directoryOf(users), { sort, limit: 100 }) };
  };
  const [short, long] = [walked(''), walked('x'.repeat(3_000))];
  assert.equal(long.ids, short.ids);
  // Each comparison is one of three times three thousand characters.
  assert.ok(long.units - short.units >= 2_000 * 8 * ((3 * 3_000) / 16), `${long.units}`);
  for (const { most } of [short, long]) assert.ok(most < 2 * STEP_UNITS, `${most}`);
});

test('QY13 a page by id costs what it holds, wherever it begins; where few users match, it is still the same page', () => {
  const users = numbered(25_000, (i) => ({
    name: `n${i % 7}`,
    custom: { rare: i % 9_999 === 5 },
    ...(i % 3 === 0 ? { deactivated_at: 1 } : {}),
  }));
  const directory = directoryOf(users.map((_, i) => users[(i * 7_919) % users.length] ?? user('none')));
  for (const range of [{}, { id_gt: 'u12345' }, { id_gte: 'u2', id_lt: 'u2001' }, { id_gt: 'u24990', id_gte: 'u1', id_lte: 'u24997' }]) {
    const payload = { filter_conditions: { name: { $autocomplete: 'n3' } }, sort: byId, limit: 20, offset: 3, ...range };
    const expected = users
      .map((one) => one)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .filter(({ id, name, deactivated_at }) => name === 'n3' && deactivated_at === undefined && isWithin(id, range))
      .slice(3, 23);
    assert.equal(ask(directory, payload), idsOf(expected), JSON.stringify(range));
    const { units } = work(directory, payload);
    assert.ok(units < 1_000 * USER_UNITS, `${JSON.stringify(range)}: ${units}`);
  }
  const rare = { filter_conditions: { rare: true }, sort: byId, include_deactivated_users: true };
  assert.equal(ask(directory, rare), 'u0005 u10004 u20003');
  assert.equal(ask(directory, { ...rare, id_gt: 'u1' }), 'u10004 u20003');
});

function isWithin(id: string, { id_gt = '', id_gte = '', id_lt = 'v', id_lte = 'v' }: Readonly<Record<string, string>>): boolean {
  return id > id_gt && id >= id_gte && id < id_lt && id <= id_lte;
}

test('QY14 once nobody waits for its page, a query ends at its next step', () => {
  const directory = directoryOf(numbered(5_000));
  for (const sort of [undefined, byId]) {
    let isGone = false;
    const payload = parseQuery({ filter_conditions: { role: 'nobody' }, sort });
    const running = runQuery(
      directory,
      payload,
      () => false,
      {},
      () => isGone,
    );
    assert.equal(running.next().done, false);
    isGone = true;
    assert.deepEqual(running.next(), { done: true, value: [] });
  }
});

test('PV1 BU12 the work that a caller pays for does not depend on users that it may not see', () => {
  const visibility: Visibility = { teams: ['red'] };
  const seen = numbered(50, (i) => ({ teams: i % 3 === 0 ? ['red', 'big'] : ['red'], name: `n${i % 5}`, created_at: (i * 31) % 50 }));
  const hidden = (count: number) =>
    Array.from({ length: count }, (_, i) => user(`h${i}`, { teams: ['blue', 'big'], name: `n${i % 5}`, created_at: i }));
  const paid = (directory: Directory, payload: Record<string, unknown>): number => {
    let units = 0;
    for (const work of runQuery(directory, parseQuery(payload), () => false, visibility)) units += work.units;
    return units;
  };
  // So many that a query by team or name uses no index.
  const worlds = [0, 10, 20_000].map((count) => directoryOf([...hidden(count), ...seen]));
  for (const filter_conditions of [
    {},
    { teams: 'big' },
    { teams: 'blue' },
    { name: 'n1' },
    { name: 'n1', teams: 'big' },
    { id: { $in: ['h1', 'u0001'] } },
  ])
    for (const sort of [undefined, [{ field: 'name' }], byId]) {
      const [one, ...others] = worlds.map((directory) => paid(directory, { filter_conditions, sort }));
      for (const other of others) assert.equal(other, one, JSON.stringify(filter_conditions));
    }
});
