/** Filters: every operator on every field, and every refusal (FL17–FL21). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { parseFilter } from '../../../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../../../protocol/users/finding/filter-match.ts';
import { parseSort } from '../../../../protocol/users/finding/query.ts';
import { found, refusal, user } from '../../../support/filter-kit.ts';

const refusedAt = (filter: unknown): string[] => refusal(() => parseFilter(filter)).fields.map(({ path }) => path);

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
  ['teams', '$eq', ['blue', 'red'], 'ann'],
  ['teams', '$eq', ['red', 'blue', 'red'], 'ann'],
  ['teams', '$eq', ['red', 'green'], ''],
  ['teams', '$ne', ['blue', 'red'], 'bob Cy-1'],
  ['teams', '$eq', null, 'Cy-1'],
  ['teams', '$eq', [], 'Cy-1'],
  ['teams', '$ne', 'blue', 'bob Cy-1'],
  ['teams', '$ne', null, 'ann bob'],
  ['teams', '$in', ['blue', null], 'ann Cy-1'],
  ['teams', '$in', [['red'], 'x'], 'bob'],
  ['teams', '$in', [['blue', 'red'], null], 'ann Cy-1'],
  ['teams', '$nin', [['blue', 'red']], 'bob Cy-1'],
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
    [JSON.parse('{"__proto__":1}'), '.__proto__', '"__proto__" is a reserved name'],
    [{ 'a.constructor': 1 }, '.a.constructor', '"constructor" is a reserved name'],
    [{ [Array(33).fill('a').join('.')]: 1 }, `.${Array(33).fill('a').join('.')}`, 'must not be nested deeper than 32 levels'],
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
    [[{ field: 'a.prototype' }], 'sort[0].field', '"prototype" is a reserved name'],
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
  for (const name of ['devices', 'privacy_settings', 'privacy_settings.read_receipts', 'name.first', 'custom', 'rev']) {
    assert.throws(
      () => parseFilter({ [name]: null }),
      (error) => error instanceof RosterError && error.fields[0]?.message === 'cannot be used here',
      name,
    );
  }
  assert.deepEqual(parseFilter({ 'custom.devices': 1 }), parseFilter({ 'custom.devices': { $eq: 1 } }));
});
