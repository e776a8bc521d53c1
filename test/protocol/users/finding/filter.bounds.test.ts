/** FL22: how much a filter may ask for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { conditionsOf, parseFilter } from '../../../../protocol/users/finding/filter.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { matchUnits } from '../../../support/filter-kit.ts';

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
const conditions = (filter: unknown): number => conditionsOf(parseFilter(filter));

function refusal(filter: unknown): RosterError {
  try {
    parseFilter(filter);
  } catch (error) {
    if (error instanceof RosterError) return error;
  }
  assert.fail('it is not refused');
}

test('FL22 a condition is a test, a word that is searched for, or an object in a list', () => {
  assert.equal(conditions({ name: 'a', role: { $in: ['x', 'y'], $ne: 'z' } }), 3);
  assert.equal(conditions({ name: { $q: 'one two  three' } }), 3);
  assert.equal(conditions({ name: { $autocomplete: 'one two' } }), 1);
  assert.equal(conditions({ tags: { $in: ['a', { b: 1 }, { c: 2 }] } }), 3);
  assert.equal(conditions({ $or: [{}, {}, { $nor: [{ id: 'a' }, {}] }] }), 4, 'what asks for nothing is looked at, too');
});

test('FL22 100 conditions are allowed, and more are refused with the bound and their number', () => {
  const filter = (count: number) => ({ $or: many(count, (index) => ({ name: { $q: `ж${index}` } })) });
  assert.equal(conditions(filter(LIMITS.filterConditions)), 100);
  const error = refusal(filter(200));
  assert.deepEqual(error.fields, [{ path: 'filter_conditions', message: 'must not have more than 100 conditions, got 200' }]);
  assert.match(refusal({ name: { $q: many(120, (index) => index.toString(36)).join(' ') } }).message, /got 120|255 characters/);
  assert.match(refusal({ $and: many(150, () => ({})) }).message, /100 conditions, got 150/);
});

test('FL22 a searched text has at most 255 characters, and a list of values at most 100', () => {
  assert.equal(conditions({ name: { $autocomplete: 'a'.repeat(255) } }), 1);
  assert.match(refusal({ name: { $autocomplete: 'a'.repeat(256) } }).message, /255 characters/);
  assert.match(refusal({ id: { $in: many(101, String) } }).message, /100 values/);
});

test('FL22 at most a hundred mistakes are listed', () => {
  const { fields } = refusal({ $or: many(5_000, () => ({ name: 1 })) });
  assert.ok(fields.length <= 101, `${fields.length} are`);
});

test('FL22 the work of a filter grows with its conditions, its values, and the text that it searches', () => {
  const user = (name: string): StoredUser => ({ id: 'u', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, name });
  const work = (filter: unknown, name = 'Ann'): number => matchUnits(filter, user(name));
  assert.ok(work({ $and: many(10, (index) => ({ role: `r${index}` })) }) >= 5 * work({ role: 'x' }));
  assert.ok(work({ name: { $q: 'a' } }, 'x'.repeat(5_000)) >= 100 * work({ name: { $q: 'a' } }, 'x'));
  assert.ok(work({ name: { $q: 'x xx xxx xxxx' } }, 'x'.repeat(5_000)) >= 2 * work({ name: { $q: 'x' } }, 'x'.repeat(5_000)));
  assert.ok(work({ tags: many(1_000, () => 1) }) >= 100 * work({ tags: 1 }));
  const tagged = { ...user('Ann'), custom: { tags: many(4_000, () => 1) } };
  assert.ok(matchUnits({ tags: { $contains: 1 } }, tagged) >= 1_000);
});
