/** Filters of user queries (protocol/README.md, FL): FL1–FL10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterHints, parseFilter } from '../../../../protocol/users/finding/filter.ts';
import { found, refusal } from '../../../support/filter-kit.ts';

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
  for (const name of ['__proto__.x', 'constructor', 'a.prototype', 'custom.__proto__']) {
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
