/**
 * Compiled filters against an interpreter that reads the JSON itself, one rule after another and without any speed:
 * FL14–FL16, FL20, QY11. A failure prints its seed and its smallest example.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { runQuery } from '../../daemon/core/users/query.ts';
import type { JsonObject } from '../../protocol/base/json.ts';
import { toRfc3339 } from '../../protocol/base/time.ts';
import { filterHints, parseFilter } from '../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../protocol/users/finding/filter-match.ts';
import { compareUsers, parseQuery, parseSort } from '../../protocol/users/finding/query.ts';
import { foldText } from '../../protocol/users/names.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { sized } from '../support/long.ts';

const TIMES = ['created_at', 'updated_at', 'last_active', 'deactivated_at', 'deleted_at'];
const word = fc.constantFrom('ann', 'Bo', 'ann bo', 'Zoë', 'x');
const team = fc.constantFrom('red', 'blue', 'x');
const micros = fc.constantFrom(0, 1_000_000, 1_500_000, 3_000_000);
const scalar = fc.constantFrom(null, true, false, 0, 1, 2, 'a', 'b', '');
const customValue = fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.record({ a: scalar }, { requiredKeys: [] }));

const anyUser: fc.Arbitrary<StoredUser> = fc
  .record(
    {
      id: word,
      role: word,
      teams: fc.uniqueArray(team),
      created_at: micros,
      updated_at: micros,
      custom: fc.record({ k: customValue, l: customValue }, { requiredKeys: [] }),
      name: word,
      image: word,
      language: word,
      invisible: fc.boolean(),
      last_active: micros,
      deactivated_at: micros,
      deleted_at: micros,
    },
    { requiredKeys: ['id', 'role', 'teams', 'created_at', 'updated_at', 'custom'] },
  )
  .map((fields) => ({ ...fields, rev: 1, custom: JSON.parse(JSON.stringify(fields.custom)) as JsonObject }));

const one = (field: string, test: unknown): Record<string, unknown> => ({ [field]: test });
const tests = (value: fc.Arbitrary<unknown>, comparable: fc.Arbitrary<unknown> | undefined): fc.Arbitrary<unknown> => {
  const list = fc.array(value, { maxLength: 3 });
  const options: fc.Arbitrary<[string, unknown]>[] = [
    fc.tuple(fc.constantFrom('$eq', '$ne'), value),
    fc.tuple(fc.constantFrom('$in', '$nin'), list),
    fc.tuple(fc.constant('$exists'), fc.boolean()),
  ];
  if (comparable !== undefined) options.push(fc.tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), comparable));
  return fc.oneof(...options).map(([operator, operand]) => one(operator, operand));
};
const orNull = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.option(value, { nil: null });
const time = fc.tuple(micros, fc.boolean()).map(([at, asText]) => (asText ? toRfc3339(at) : at * 1000));
const typed = fc.constantFrom<string | number>(0, 1, 2, 'a', 'b');

const condition = fc
  .oneof(
    fc.tuple(fc.constantFrom('id', 'name', 'image', 'role', 'language'), fc.oneof(orNull(word), tests(orNull(word), word))),
    fc.tuple(fc.constantFrom(...TIMES), fc.oneof(orNull(time), tests(orNull(time), time))),
    fc.tuple(fc.constantFrom('online', 'invisible', 'banned', 'shadow_banned'), fc.oneof(fc.boolean(), tests(fc.boolean(), undefined))),
    fc.tuple(
      fc.constant('teams'),
      fc.oneof(
        orNull(team),
        tests(orNull(team), undefined),
        team.map((value) => one('$contains', value)),
      ),
    ),
    fc.tuple(
      fc.constantFrom('k', 'custom.l', 'k.a', 'custom.k.a', 'custom.name'),
      fc.oneof(
        scalar,
        tests(customValue, typed),
        scalar.map((value) => one('$contains', value)),
      ),
    ),
  )
  .map(([field, test]) => one(field, test));

/** As parsed JSON, which is what a filter always is. */
const anyFilter = fc
  .letrec<{ filter: Record<string, unknown>; group: Record<string, unknown> }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      condition,
      fc.tuple(condition, condition).map(([a, b]) => ({ ...a, ...b })),
      tie('group'),
    ),
    group: fc
      .oneof(
        fc.tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(tie('filter'), { minLength: 1, maxLength: 3 })),
        fc.tuple(fc.constant('$not'), tie('filter')),
      )
      .map(([operator, operand]) => one(operator, operand)),
  }))
  .filter.map((filter): unknown => JSON.parse(JSON.stringify(filter)));

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a field as the reference page describes it; undefined when absent. */
function fieldValue(user: StoredUser, online: boolean, field: string): unknown {
  if (field === 'online') return online;
  if (field === 'banned' || field === 'shadow_banned') return false;
  if (field === 'invisible') return user.invisible === true;
  if (TIMES.includes(field) || ['id', 'name', 'image', 'role', 'language', 'teams'].includes(field)) return Reflect.get(user, field);
  let value: unknown = user.custom;
  for (const key of field.replace(/^custom\./, '').split('.')) value = isPlain(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

function operandOf(field: string, operand: unknown): unknown {
  if (!TIMES.includes(field)) return operand;
  if (Array.isArray(operand)) return operand.map((item) => operandOf(field, item));
  return typeof operand === 'string' ? Date.parse(operand) * 1000 : typeof operand === 'number' ? operand / 1000 : operand;
}

function equals(field: string, value: unknown, operand: unknown): boolean {
  if (field === 'teams') return Array.isArray(value) && (operand === null ? value.length === 0 : value.includes(operand));
  return operand === null ? value === undefined || value === null : isDeepStrictEqual(value, operand);
}

function compares(value: unknown, operator: string, operand: unknown): boolean {
  const order = (a: string | number, b: string | number): boolean =>
    operator === '$gt' ? a > b : operator === '$gte' ? a >= b : operator === '$lt' ? a < b : a <= b;
  if (typeof value === 'number' && typeof operand === 'number') return order(value, operand);
  return typeof value === 'string' && typeof operand === 'string' && order(value, operand);
}

function holds(field: string, value: unknown, operator: string, operand: unknown): boolean {
  const list = Array.isArray(operand) ? operand : [];
  switch (operator) {
    case '$eq':
      return equals(field, value, operand);
    case '$ne':
      return !equals(field, value, operand);
    case '$in':
      return list.some((item) => equals(field, value, item));
    case '$nin':
      return !list.some((item) => equals(field, value, item));
    case '$exists':
      return (field === 'teams' ? Array.isArray(value) && value.length > 0 : value !== undefined) === operand;
    case '$contains':
      return Array.isArray(value) && value.some((item) => isDeepStrictEqual(item, operand));
    default:
      return compares(value, operator, operand);
  }
}

function interpret(filter: unknown, user: StoredUser, online: boolean): boolean {
  assert.ok(isPlain(filter));
  return Object.entries(filter).every(([key, operand]) => {
    const branches = Array.isArray(operand) ? operand : [];
    if (key === '$and') return branches.every((branch) => interpret(branch, user, online));
    if (key === '$or') return branches.some((branch) => interpret(branch, user, online));
    if (key === '$nor') return !branches.some((branch) => interpret(branch, user, online));
    if (key === '$not') return !interpret(operand, user, online);
    const value = fieldValue(user, online, key);
    const operators = isPlain(operand) ? operand : { $eq: operand };
    return Object.entries(operators).every(([operator, wanted]) => holds(key, value, operator, operandOf(key, wanted)));
  });
}

test('FL14 a compiled filter says what the naive interpreter says', () => {
  let matched = 0;
  let looked = 0;
  fc.assert(
    fc.property(anyFilter, fc.array(anyUser, { minLength: 1, maxLength: 10 }), fc.boolean(), (json, users, online) => {
      const matches = compileFilter(parseFilter(json));
      for (const user of users) {
        const expected = interpret(json, user, online);
        assert.equal(matches(user, online), expected, JSON.stringify(user));
        looked++;
        if (expected) matched++;
      }
    }),
    { numRuns: sized(1_000, 3_000) },
  );
  // A comparison in which everything or nothing matches would prove little.
  assert.ok(matched > looked / 20 && matched < looked * 0.95, `${matched} of ${looked} matched`);
});

test('FL15 every match is within the hints', () => {
  let hinted = 0;
  fc.assert(
    fc.property(anyFilter, fc.array(anyUser, { minLength: 1, maxLength: 10 }), (json, users) => {
      const filter = parseFilter(json);
      const { ids, names, teams } = filterHints(filter);
      if (ids ?? names ?? teams) hinted++;
      for (const user of users.filter((candidate) => compileFilter(filter)(candidate, false))) {
        if (ids) assert.ok(ids.includes(user.id));
        if (names) assert.ok(user.name !== undefined && names.includes(user.name));
        if (teams) assert.ok(user.teams.some((one) => teams.includes(one)));
      }
    }),
    { numRuns: sized(1_000, 3_000) },
  );
  assert.ok(hinted > 100, `only ${hinted} filters had hints`);
});

test('FL16 every sort is a total order', () => {
  const field = fc.constantFrom('id', 'name', 'role', 'created_at', 'last_active', 'invisible', 'k', 'custom.l', 'k.a');
  const sort = fc.array(fc.record({ field, direction: fc.constantFrom(1, -1) }), { maxLength: 5 });
  fc.assert(
    fc.property(sort, fc.array(anyUser, { minLength: 3, maxLength: 3 }), (json, users) => {
      const compare = compareUsers(parseSort(json) ?? []);
      // Ids tell users apart, so they are made unlike each other.
      const [a, b, c] = users.map((user, i) => ({ ...user, id: `${user.id}${i}` }));
      assert.ok(a && b && c);
      assert.equal(compare(a, a), 0);
      assert.notEqual(compare(a, b), 0);
      assert.equal(Math.sign(compare(a, b)), -Math.sign(compare(b, a)));
      if (compare(a, b) < 0 && compare(b, c) < 0) assert.ok(compare(a, c) < 0);
    }),
    { numRuns: sized(2_000, 5_000) },
  );
});

test('FL20 $autocomplete and $q say what taking the words apart says, in every script', () => {
  const words = (text: string): string[] => foldText(text).match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  const isUnspaced = (word: string): boolean =>
    /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u.test(word);
  const isIn = (own: string, word: string): boolean => {
    const places = Array.from({ length: own.length }, (_, at) => at).filter((at) => at === 0 || isUnspaced(word));
    return places.some((at) => own.startsWith(word, at) && !/^[\u3099\u309a]/.test(own.slice(at + word.length)));
  };
  const letters = fc.constantFrom(
    'a',
    'A',
    'b',
    'ß',
    'ẞ',
    'ss',
    'é',
    'e\u0301',
    'Σ',
    'ς',
    'İ',
    'ı',
    'ﬁ',
    'Ｊ',
    '𐐔',
    '王',
    '明',
    'कि',
    'क',
    'か',
    'が',
    'ł',
    'ป้',
    '각',
    ' ',
    '-',
    '🎉',
    '1',
  );
  const text = fc.oneof(
    fc.array(letters, { maxLength: 8 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  );
  let matched = 0;
  fc.assert(
    fc.property(anyUser, text, text, fc.nat(), (user, name, other, cut) => {
      const nameWords = words(name);
      // Half of the searches begin a word of the name, so that many of them find it.
      const begun = nameWords[cut % Math.max(1, nameWords.length)] ?? '';
      const search =
        cut % 2 === 0
          ? other
          : Array.from(begun)
              .slice(0, 1 + (cut % 3))
              .join('')
              .toUpperCase();
      const wanted = words(search);
      if (wanted.length === 0) return;
      const expected = wanted.every((word) => nameWords.some((own) => isIn(own, word)));
      const says = (operator: string) => compileFilter(parseFilter({ name: { [operator]: search } }))({ ...user, name }, false);
      assert.equal(says('$q'), expected, `$q ${JSON.stringify(search)} in ${JSON.stringify(name)}`);
      if (wanted.length === 1 && wanted[0] === foldText(search)) assert.equal(says('$autocomplete'), expected);
      if (expected) matched++;
    }),
    { numRuns: sized(2_000, 5_000) },
  );
  assert.ok(matched > 500, `only ${matched} searches found anything`);
});

test('QY11 a page is that part of all matches in order, with and without an index', () => {
  const field = fc.constantFrom('id', 'name', 'role', 'teams', 'created_at', 'last_active', 'k', 'custom.l', 'k.a');
  const payload = fc.record(
    {
      filter_conditions: fc.oneof(anyFilter, fc.constant({})),
      sort: fc.array(fc.record({ field, direction: fc.constantFrom(1, -1) }), { maxLength: 5 }),
      limit: fc.integer({ min: 1, max: 8 }),
      offset: fc.nat(8),
      include_deactivated_users: fc.boolean(),
      include_deleted_users: fc.boolean(),
      id_gt: fc.constantFrom('Bo', 'ann2'),
      id_lte: fc.constantFrom('ann', 'ann9', 'x'),
    },
    { requiredKeys: ['filter_conditions', 'sort', 'limit', 'offset', 'include_deleted_users'] },
  );
  let pages = 0;
  fc.assert(
    fc.property(payload, fc.array(anyUser, { minLength: 1, maxLength: 20 }), (json, some) => {
      // The first user with an id keeps it, so that filters by id find someone.
      const users = some.map(({ deleted_at, ...user }, i) => ({
        ...user,
        // Every third of them may be deleted.
        ...(i % 3 === 0 && deleted_at !== undefined ? { deleted_at } : undefined),
        id: some.findIndex(({ id }) => id === user.id) === i ? user.id : `${user.id}${i}`,
      }));
      const directory = new Directory({ epoch: 'test', seq: 0 });
      directory.apply({ id: 'e', time: 1, first: 1, facts: users.map((user) => ({ t: 'user', event: 'created', user })) });
      const query = parseQuery(json);
      const online = (id: string): boolean => id.length % 2 === 0;
      const all = users
        .filter((user) => json.include_deactivated_users === true || user.deactivated_at === undefined)
        .filter((user) => json.include_deleted_users === true || user.deleted_at === undefined)
        .filter(({ id }) => (json.id_gt === undefined || id > json.id_gt) && (json.id_lte === undefined || id <= json.id_lte))
        .filter((user) => interpret(json.filter_conditions, user, online(user.id)))
        .sort(compareUsers(query.sort));
      const running = runQuery(directory, query, online);
      let step = running.next();
      while (step.done !== true) step = running.next();
      const expected = all.slice(json.offset, json.offset + json.limit);
      assert.deepEqual(
        step.value.map(({ id }) => id),
        expected.map(({ id }) => id),
      );
      if (expected.length > 0) pages++;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(pages > 200, `only ${pages} pages were not empty`);
});
