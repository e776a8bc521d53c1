/** Filters, order and pages of user queries (protocol/README.md, FL and QY): FL1–FL13, FL17–FL19, FL21. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../../protocol/base/errors.ts';
import { filterHints, parseFilter } from '../../../protocol/users/filter.ts';
import { compileFilter } from '../../../protocol/users/filter-match.ts';
import { compareUsers, parseQuery, parseSort } from '../../../protocol/users/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

function user(id: string, fields: Partial<StoredUser> = {}): StoredUser {
  return { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, ...fields };
}

const SECOND = 1_000_000;
const USERS: readonly StoredUser[] = [
  user('ann', {
    name: 'Ann Smith',
    role: 'admin',
    teams: ['red', 'blue'],
    last_active: 10 * SECOND,
    custom: { age: 30, tags: ['a', 'b'] },
  }),
  user('bob', { name: 'José', language: 'es', teams: ['red'], last_active: 20 * SECOND, custom: { age: '30', address: { city: 'Oslo' } } }),
  user('Cy-1', { invisible: true, custom: { age: null, tags: 'a', address: 'Oslo' } }),
];

function found(filter: unknown, online: readonly string[] = []): string {
  const matches = compileFilter(parseFilter(filter));
  return USERS.filter((one) => matches(one, online.includes(one.id)))
    .map(({ id }) => id)
    .join(' ');
}

function refusal(act: () => unknown): RosterError {
  try {
    act();
  } catch (error) {
    if (error instanceof RosterError && error.kind === 'input') return error;
    throw error;
  }
  return assert.fail('was accepted');
}

const refusedAt = (filter: unknown): string[] => refusal(() => parseFilter(filter)).fields.map(({ path }) => path);
const nested = (levels: number): unknown => (levels === 0 ? { id: 'ann' } : { $and: [nested(levels - 1)] });

test('FL1 an empty filter matches everyone, and PHP writes it as a list', () => {
  for (const filter of [{}, [], null, undefined]) assert.equal(found(filter), 'ann bob Cy-1');
});

test('FL2 a bare value is $eq, and each field has its type', () => {
  assert.equal(found({ id: 'ann' }), 'ann');
  assert.equal(found({ role: { $eq: 'admin' } }), 'ann');
  assert.equal(found({ online: true }, ['bob']), 'bob');
  assert.equal(found({ invisible: false }), 'ann bob');
  assert.equal(found({ banned: true }), '');
  const { message, fields } = refusal(() => parseFilter({ id: 1, online: 'yes', last_active: 'soon', name: { $in: ['a', 2] } }));
  assert.match(message, /field "id" expects type string/);
  assert.deepEqual(
    fields.map(({ path }) => path),
    ['id', 'online', 'last_active', 'name.$in[1]'].map((path) => `filter_conditions.${path}`),
  );
});

test('FL3 absent values equal null, match $ne and $nin, and compare with nothing', () => {
  assert.equal(found({ name: null }), 'Cy-1');
  assert.equal(found({ name: { $ne: 'José' } }), 'ann Cy-1');
  assert.equal(found({ language: { $nin: ['es'] } }), 'ann Cy-1');
  assert.equal(found({ last_active: { $exists: false } }), 'Cy-1');
  assert.equal(found({ name: { $lt: 'Z' } }), 'ann bob');
  assert.equal(found({ age: null }), 'Cy-1');
  assert.equal(found({ 'address.city': null }), 'ann Cy-1');
});

test('FL4 comparisons hold within one type; times are RFC 3339 or nanoseconds', () => {
  assert.equal(found({ age: { $gte: 30 } }), 'ann');
  assert.equal(found({ age: { $gte: '3' } }), 'bob');
  assert.equal(found({ last_active: { $gt: '1970-01-01T00:00:10Z' } }), 'bob');
  assert.equal(found({ last_active: { $gte: 10e9, $lt: '1970-01-01T01:00:20+01:00' } }), 'ann');
  assert.deepEqual(refusedAt({ online: { $gt: true } }), ['filter_conditions.online.$gt']);
});

test('FL5 lists hold at most 100 values and filters 5 levels', () => {
  const ids = (count: number) => ({ id: { $in: Array.from({ length: count }, (_, i) => `u${i}`) } });
  parseFilter(ids(100));
  assert.deepEqual(refusedAt(ids(101)), ['filter_conditions.id.$in']);
  parseFilter(nested(4));
  assert.deepEqual(refusedAt(nested(5)), [`filter_conditions${'.$and[0]'.repeat(5)}`]);
  assert.equal(found({ id: { $in: [] } }), '');
});

test('FL6 teams: null is none, {} is any, a value is one of them', () => {
  assert.equal(found({ teams: null }), 'Cy-1');
  assert.equal(found({ teams: {} }), 'ann bob');
  assert.equal(found({ teams: 'blue' }), 'ann');
  assert.equal(found({ teams: { $in: ['blue', 'red'] } }), 'ann bob');
  assert.equal(found({ teams: { $contains: 'red' } }), 'ann bob');
});

test('FL6 teams: [] is {} as PHP writes it', () => {
  assert.equal(found({ teams: [] }), 'ann bob');
});

test('FL7 custom data by bare name, custom.name or path; own properties only', () => {
  for (const name of ['address.city', 'custom.address.city']) assert.equal(found({ [name]: 'Oslo' }), 'bob');
  assert.equal(found({ address: { city: 'Oslo' } }), 'bob');
  assert.equal(found({ tags: { $contains: 'a' } }), 'ann');
  assert.equal(found({ tags: ['a', 'b'] }), 'ann');
  assert.equal(found({ 'custom.name': null }), 'ann bob Cy-1');
  for (const name of ['toString', 'toString.call', 'tags.length', 'age.constructorName']) {
    assert.equal(found({ [name]: { $exists: true } }), '', name);
  }
  for (const name of ['__proto__.x', 'constructor', 'a.prototype', 'custom.__proto__', 'a..b', 'custom.']) {
    assert.equal(refusedAt({ [name]: 1, ok: 1 }).length, 1, name);
  }
});

test('FL8 $autocomplete is a prefix of a word or of the id, $q asks for all words', () => {
  assert.equal(found({ name: { $autocomplete: 'SMI' } }), 'ann');
  assert.equal(found({ name: { $autocomplete: 'ann s' } }), 'ann');
  assert.equal(found({ name: { $autocomplete: 'mith' } }), '');
  assert.equal(found({ name: { $autocomplete: 'jose' } }), 'bob');
  assert.equal(found({ id: { $autocomplete: 'cy' } }), 'Cy-1');
  assert.equal(found({ name: { $q: 'smith an' } }), 'ann');
  assert.equal(found({ name: { $q: 'smith bob' } }), '');
  assert.deepEqual(refusedAt({ name: { $q: ' ' } }), ['filter_conditions.name.$q']);
});

test('FL8 a text that folds to nothing is refused: it would begin every name', () => {
  for (const text of ['', ' ', '\u0301'])
    assert.deepEqual(refusedAt({ name: { $autocomplete: text } }), ['filter_conditions.name.$autocomplete']);
});

test('FL9 $and, $or, $nor and $not are what they are in logic', () => {
  assert.equal(found({ $or: [{ id: 'ann' }, { id: 'bob', role: 'admin' }] }), 'ann');
  assert.equal(found({ $and: [{ teams: 'red' }, { role: 'user' }] }), 'bob');
  assert.equal(found({ $nor: [{ id: 'ann' }, { id: 'bob' }] }), 'Cy-1');
  assert.equal(found({ $not: { teams: 'red' } }), 'Cy-1');
  assert.deepEqual(
    refusedAt({ $or: [], $and: {}, $xor: [] }),
    ['$or', '$and', '$xor'].map((key) => `filter_conditions.${key}`),
  );
});

test('FL9 $not stands before an operator too', () => {
  assert.equal(found({ role: { $not: { $eq: 'admin' } } }), 'bob Cy-1');
});

test('FL10 hints hold the id, the name or a team of every match', () => {
  const hints = (filter: unknown) => filterHints(parseFilter(filter));
  assert.deepEqual(hints({ id: { $in: ['a', 'b'] }, name: 'N', teams: { $contains: 't' } }), {
    ids: ['a', 'b'],
    names: ['N'],
    teams: ['t'],
  });
  assert.deepEqual(hints({ $and: [{ role: 'user' }, { $and: [{ id: 'a' }] }] }), { ids: ['a'] });
  for (const filter of [
    { id: { $ne: 'a' } },
    { $or: [{ id: 'a' }] },
    { name: null },
    { teams: null },
    { teams: {} },
    { name: { $in: ['a', null] } },
  ]) {
    assert.deepEqual(hints(filter), {}, JSON.stringify(filter));
  }
});

function sorted(users: readonly StoredUser[], sort: unknown): string {
  return [...users]
    .sort(compareUsers(parseSort(sort) ?? []))
    .map(({ id }) => id)
    .join(' ');
}

test('FL11 order: numbers as numbers, missing last in both directions, the id decides', () => {
  const ages = [9, 10, undefined, null, 'x', true].map((age, i) => user(`u${i}`, { custom: age === undefined ? {} : { age } }));
  assert.equal(sorted(ages, [{ field: 'age' }]), 'u5 u0 u1 u4 u2 u3');
  assert.equal(sorted(ages, [{ field: 'custom.age', direction: -1 }]), 'u4 u1 u0 u5 u2 u3');
  assert.equal(sorted([...ages].reverse(), [{ field: 'role' }]), 'u0 u1 u2 u3 u4 u5');
  const wrong = [{ field: '__proto__' }, { field: 'a', direction: 2 }, {}, 'a'];
  assert.equal(refusal(() => parseSort(wrong)).fields.length, 4);
  refusal(() => parseSort(Array.from({ length: 6 }, () => ({ field: 'id' }))));
});

test('FL11 order: no stored value keeps a query from being answered', () => {
  const users = ['a', 'b'].map((id) => user(id, { custom: { x: { toString: 1 } } }));
  assert.equal(sorted(users, [{ field: 'x' }]), 'a b');
});

test('FL12 a query has defaults, and 0 or null is how some clients write "not given"', () => {
  for (const json of [{}, { limit: 0, offset: null, id_gt: '', user_id: '', sort: [], filter_conditions: [], unknown: 1 }]) {
    const { limit, offset, range, sort, includeDeactivated, userId } = parseQuery(json);
    assert.deepEqual(
      { limit, offset, range, includeDeactivated, userId },
      { limit: 30, offset: 0, range: {}, includeDeactivated: false, userId: undefined },
    );
    assert.deepEqual(
      sort.map(({ direction }) => direction),
      [-1, -1],
    );
  }
  assert.deepEqual(parseQuery({ id_gt: 'a', id_lte: 'b' }).range, { gt: 'a', lte: 'b' });
  assert.deepEqual(parseQuery({ id_gt: 'a' }).sort, [{ field: { kind: 'string', name: 'id' }, direction: -1 }]);
});

test('FL13 everything that is wrong with a query is listed', () => {
  const json = {
    filter_conditions: { id: 1 },
    sort: [{ direction: 1 }],
    limit: 101,
    offset: 1001,
    id_gt: 1,
    presence: 'x',
    include_deactivated_users: 1,
    user_id: 1,
  };
  const paths = refusal(() => parseQuery(json)).fields.map(({ path }) => path);
  const wanted = ['filter_conditions.id', 'sort[0].field', 'limit', 'offset', 'id_gt', 'presence', 'include_deactivated_users', 'user_id'];
  assert.deepEqual(paths.sort(), wanted.sort());
  for (const limit of [-1, 1.5, '10']) refusal(() => parseQuery({ limit }));
});

/** What each operator finds on each kind of field; `refused` where the kind does not have it. */
const OPERATORS: readonly [string, string, unknown, string][] = [
  ['string', '$eq', 'ann', 'ann'],
  ['string', '$ne', 'ann', 'bob Cy-1'],
  ['string', '$in', ['ann', 'Cy-1', 'x'], 'ann Cy-1'],
  ['string', '$nin', ['ann', 'Cy-1', 'x'], 'bob'],
  ['string', '$gt', 'ann', 'bob'],
  ['string', '$gte', 'ann', 'ann bob'],
  ['string', '$lt', 'ann', 'Cy-1'],
  ['string', '$lte', 'ann', 'ann Cy-1'],
  ['string', '$exists', true, 'ann bob Cy-1'],
  ['string', '$exists', false, ''],
  ['string', '$contains', 'ann', 'refused'],
  ['string', '$autocomplete', 'CY', 'Cy-1'],
  ['string', '$q', '1 cy', 'Cy-1'],
  ['string', '$not', { $gt: 'ann' }, 'ann Cy-1'],
  ['time', '$eq', '1970-01-01T00:00:10Z', 'ann'],
  ['time', '$eq', null, 'Cy-1'],
  ['time', '$ne', 10e9, 'bob Cy-1'],
  ['time', '$in', ['1970-01-01T00:00:10.000000Z', null], 'ann Cy-1'],
  ['time', '$nin', ['1970-01-01T00:00:10Z'], 'bob Cy-1'],
  ['time', '$gt', '1970-01-01T00:00:10.000001Z', 'bob'],
  ['time', '$gt', '1970-01-01T00:00:10Z', 'bob'],
  ['time', '$gte', '1970-01-01T00:00:10Z', 'ann bob'],
  ['time', '$lt', '1970-01-01T00:00:20Z', 'ann'],
  ['time', '$lte', 20e9, 'ann bob'],
  ['time', '$lte', '0001-01-01T00:00:00Z', ''],
  ['time', '$exists', true, 'ann bob'],
  ['time', '$exists', false, 'Cy-1'],
  ['time', '$contains', '1970-01-01T00:00:10Z', 'refused'],
  ['time', '$autocomplete', '1970', 'refused'],
  ['time', '$q', '1970', 'refused'],
  ['time', '$not', { $gte: 10e9 }, 'Cy-1'],
  ['boolean', '$eq', true, 'Cy-1'],
  ['boolean', '$eq', null, ''],
  ['boolean', '$ne', true, 'ann bob'],
  ['boolean', '$in', [true, false], 'ann bob Cy-1'],
  ['boolean', '$nin', [true], 'ann bob'],
  ['boolean', '$gt', false, 'refused'],
  ['boolean', '$gte', false, 'refused'],
  ['boolean', '$lt', true, 'refused'],
  ['boolean', '$lte', true, 'refused'],
  ['boolean', '$exists', true, 'ann bob Cy-1'],
  ['boolean', '$contains', true, 'refused'],
  ['boolean', '$autocomplete', 'true', 'refused'],
  ['boolean', '$q', 'true', 'refused'],
  ['boolean', '$not', { $eq: true }, 'ann bob'],
  ['teams', '$eq', 'red', 'ann bob'],
  ['teams', '$eq', ['red'], 'bob'],
  ['teams', '$eq', ['blue', 'red'], ''],
  ['teams', '$eq', null, 'Cy-1'],
  ['teams', '$eq', [], 'Cy-1'],
  ['teams', '$ne', 'blue', 'bob Cy-1'],
  ['teams', '$ne', null, 'ann bob'],
  ['teams', '$in', ['blue', null], 'ann Cy-1'],
  ['teams', '$in', [['red'], 'x'], 'bob'],
  ['teams', '$in', [['red', 'blue'], null], 'ann Cy-1'],
  ['teams', '$nin', ['blue'], 'bob Cy-1'],
  ['teams', '$gt', 'a', 'refused'],
  ['teams', '$gte', 'a', 'refused'],
  ['teams', '$lt', 'a', 'refused'],
  ['teams', '$lte', 'a', 'refused'],
  ['teams', '$exists', true, 'ann bob'],
  ['teams', '$exists', false, 'Cy-1'],
  ['teams', '$contains', 'blue', 'ann'],
  ['teams', '$contains', null, 'refused'],
  ['teams', '$autocomplete', 're', 'refused'],
  ['teams', '$q', 'red', 'refused'],
  ['teams', '$not', { $contains: 'blue' }, 'bob Cy-1'],
  ['custom', '$eq', 30, 'ann'],
  ['custom', '$eq', '30', 'bob'],
  ['custom', '$eq', null, 'Cy-1'],
  ['custom', '$ne', 30, 'bob Cy-1'],
  ['custom', '$in', [30, null], 'ann Cy-1'],
  ['custom', '$in', [{}, []], ''],
  ['custom', '$nin', [30, '30'], 'Cy-1'],
  ['custom', '$gt', 29.5, 'ann'],
  ['custom', '$gte', 30, 'ann'],
  ['custom', '$lt', '4', 'bob'],
  ['custom', '$lte', 30, 'ann'],
  ['custom', '$lt', -1e300, ''],
  ['custom', '$exists', true, 'ann bob Cy-1'],
  ['custom', '$contains', 30, ''],
  ['custom', '$autocomplete', '3', 'refused'],
  ['custom', '$q', '3', 'refused'],
  ['custom', '$gt', true, 'refused'],
  ['custom', '$gt', null, 'refused'],
  ['custom', '$not', { $eq: 30 }, 'bob Cy-1'],
];

const FIELD_OF: Readonly<Record<string, string>> = {
  string: 'id',
  time: 'last_active',
  boolean: 'invisible',
  teams: 'teams',
  custom: 'age',
};

test('FL17 every operator on every kind of field', () => {
  const kinds = Object.keys(FIELD_OF);
  const operators = new Set(OPERATORS.map(([, operator]) => operator));
  for (const kind of kinds) {
    const missing = [...operators].filter((operator) => !OPERATORS.some(([one, other]) => one === kind && other === operator));
    assert.deepEqual(missing, [], `operators on ${kind} that are not looked at`);
  }
  for (const [kind, operator, operand, expected] of OPERATORS) {
    const field = FIELD_OF[kind] ?? kind;
    const filter = { [field]: { [operator]: operand } };
    if (expected === 'refused') assert.deepEqual(refusedAt(filter), [`filter_conditions.${field}.${operator}`], JSON.stringify(filter));
    else assert.equal(found(filter), expected, JSON.stringify(filter));
  }
});

test('FL17 fields of one kind are read alike', () => {
  const all = 'ann bob Cy-1';
  for (const field of ['created_at', 'updated_at']) assert.equal(found({ [field]: { $eq: 1_000 } }), all, field);
  assert.equal(found({ deactivated_at: { $exists: true } }), '');
  for (const field of ['banned', 'shadow_banned', 'online']) assert.equal(found({ [field]: false }), all, field);
  assert.equal(found({ online: { $in: [true] } }, ['ann', 'Cy-1']), 'ann Cy-1');
  assert.equal(found({ image: { $exists: false }, language: { $in: ['es', null] }, role: { $gt: 'admin' } }), 'bob Cy-1');
  assert.equal(found({ tags: { $contains: 'b' }, 'custom.age': { $gt: 1, $lt: 40 } }), 'ann');
});

test('FL18 every refusal names its place and its reason', () => {
  const long = Array.from({ length: 101 }, () => 'x');
  const cases: readonly [unknown, string, string][] = [
    ['text', '', 'must be an object'],
    [[{}], '', 'must be an object'],
    [{ $and: [{}, 1] }, '.$and[1]', 'must be an object'],
    [{ $or: [] }, '.$or', 'must be a list of filters that is not empty'],
    [{ $nor: {} }, '.$nor', 'must be a list of filters that is not empty'],
    [{ $not: 'x' }, '.$not', 'must be an object'],
    [{ $where: 1 }, '.$where', 'unknown operator $where'],
    [{ age: { $regex: 'a' } }, '.age.$regex', 'unknown operator $regex'],
    [{ age: { $gt: 1, lt: 9 } }, '.age.lt', 'operators begin with $'],
    [{ age: { $not: 1 } }, '.age.$not', 'expects an object of operators'],
    [{ age: { $not: {} } }, '.age.$not', 'expects an object of operators'],
    [{ age: { $not: { $in: 1 } } }, '.age.$not.$in', 'expects a list'],
    [{ name: {} }, '.name', 'field "name" expects an operator'],
    [{ online: { a: 1 } }, '.online', 'field "online" expects an operator'],
    [{ id: 1 }, '.id', 'field "id" expects type string'],
    [{ id: { $gt: 1 } }, '.id.$gt', 'field "id" expects type string'],
    [{ name: { $in: ['a', 1] } }, '.name.$in[1]', 'field "name" expects type string'],
    [{ name: { $gt: null } }, '.name.$gt', 'field "name" expects a string or a number to compare with'],
    [{ name: { $in: 'a' } }, '.name.$in', 'expects a list'],
    [{ name: { $nin: long } }, '.name.$nin', 'holds more than 100 values'],
    [{ name: { $exists: 1 } }, '.name.$exists', 'expects true or false'],
    [{ name: { $contains: 'a' } }, '.name.$contains', 'field "name" does not support $contains'],
    [{ name: { $q: '' } }, '.name.$q', 'expects a text that is not empty'],
    [{ name: { $autocomplete: 1 } }, '.name.$autocomplete', 'expects a text that is not empty'],
    [{ name: { $autocomplete: '\u0301 ' } }, '.name.$autocomplete', 'expects a text that is not empty'],
    [{ created_at: '2026-05-17' }, '.created_at', 'field "created_at" expects an RFC 3339 time'],
    [{ created_at: { $gt: true } }, '.created_at.$gt', 'field "created_at" expects an RFC 3339 time'],
    [{ created_at: { $gt: 'soon' } }, '.created_at.$gt', 'field "created_at" expects an RFC 3339 time'],
    [{ created_at: { $lt: null } }, '.created_at.$lt', 'field "created_at" expects a string or a number to compare with'],
    [{ created_at: { $in: [1, -1] } }, '.created_at.$in[1]', 'field "created_at" expects an RFC 3339 time'],
    [{ banned: 'true' }, '.banned', 'field "banned" expects type boolean'],
    [{ banned: { $gt: true } }, '.banned.$gt', 'field "banned" does not support $gt'],
    [{ teams: 1 }, '.teams', 'field "teams" expects type string'],
    [{ teams: ['a', 1] }, '.teams[1]', 'field "teams" expects type string'],
    [{ teams: { $in: ['a', ['b', 2]] } }, '.teams.$in[1][1]', 'field "teams" expects type string'],
    [{ age: { $gt: [] } }, '.age.$gt', 'field "age" expects a string or a number to compare with'],
    [{ age: { $q: 'x' } }, '.age.$q', 'field "age" does not support $q'],
    [{ 'a..b': 1 }, '.a..b', 'a path must not have empty segments'],
    [{ '': 1 }, '.', 'a path must not have empty segments'],
    [JSON.parse('{"__proto__":1}'), '.__proto__', 'the path holds a reserved name'],
    [{ 'a.constructor': 1 }, '.a.constructor', 'the path holds a reserved name'],
  ];
  for (const [filter, path, message] of cases) {
    const error = refusal(() => parseFilter(filter));
    assert.deepEqual(error.fields, [{ path: `filter_conditions${path}`, message }], JSON.stringify(filter));
    assert.equal(error.message, `filter_conditions${path}: ${message}`);
    assert.equal(error.spec.code, 4);
  }
  assert.deepEqual(
    refusal(() => parseFilter({ id: 1 }, 'subs[0].filter')).fields.map(({ path }) => path),
    ['subs[0].filter.id'],
  );
});

test('FL18 $not before an operator counts as a level, and 5 sort fields are the most', () => {
  const not = (levels: number): unknown => (levels === 0 ? { $gt: 1 } : { $not: not(levels - 1) });
  assert.equal(found({ age: not(4) }), 'ann');
  assert.deepEqual(refusedAt({ age: not(5) }), [`filter_conditions.age${'.$not'.repeat(5)}`]);
  const sort = (count: number) => Array.from({ length: count }, () => ({ field: 'id' }));
  assert.equal(parseSort(sort(5))?.length, 5);
  const cases: readonly [unknown, string, string][] = [
    [{}, 'sort', 'must be a list'],
    [sort(6), 'sort', 'must not have more than 5 fields'],
    [[{ field: 'id' }, { field: 1 }], 'sort[1].field', 'needs a field'],
    [[{ field: 'a.' }], 'sort[0].field', 'a path must not have empty segments'],
    [[{ field: 'id', direction: 0 }], 'sort[0].direction', 'must be 1 or -1'],
  ];
  for (const [json, path, message] of cases) assert.deepEqual(refusal(() => parseSort(json)).fields, [{ path, message }]);
});

test('FL19 a symbol without a letter or digit is looked for as it is', () => {
  const users = [user('a', { name: '🎉 Party' }), user('b', { name: 'Party 🎉' }), user('c', { name: 'Party' }), user('@d')];
  const look = (filter: unknown) => users.filter((one) => compileFilter(parseFilter(filter))(one, false)).map(({ id }) => id);
  for (const operator of ['$autocomplete', '$q']) assert.deepEqual(look({ name: { [operator]: '🎉' } }), ['a', 'b'], operator);
  assert.deepEqual(look({ id: { $q: '@' } }), ['@d']);
  assert.deepEqual(look({ name: { $q: 'party 🎉' } }), ['a', 'b', 'c']);
});

test('FL21 a field of the user that cannot be queried is refused, not read as custom data', () => {
  for (const name of ['deleted_at', 'devices', 'privacy_settings', 'privacy_settings.read_receipts', 'name.first', 'custom', 'rev']) {
    assert.throws(
      () => parseFilter({ [name]: null }),
      (error) => error instanceof RosterError && error.fields[0]?.message === 'cannot be used here',
      name,
    );
  }
  assert.deepEqual(parseFilter({ 'custom.devices': 1 }), parseFilter({ 'custom.devices': { $eq: 1 } }));
});
