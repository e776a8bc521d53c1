/** FL22: the work of a filter, to the unit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '../../../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../../../protocol/users/finding/filter-match.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { matchUnits } from '../../../support/filter-kit.ts';

const user = (more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id: 'ann', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});
const work = (filter: unknown, of = user()): number => matchUnits(filter, of);

test('FL22 each test of a field is two units, wherever it is in the filter', () => {
  for (const [filter, units] of [
    [{}, 0],
    [{ role: 'x' }, 2],
    [{ role: 'x', id: 'y' }, 4],
    [{ $or: [{ role: 'x' }, { $and: [{ id: 'y' }, { name: 'z' }] }] }, 6],
    [{ $nor: [{ role: 'x' }, { id: 'y' }] }, 4],
    [{ role: { $not: { $eq: 'x' } } }, 2],
    [{ $not: { role: 'x', id: 'y' } }, 4],
    [{ teams: 'red' }, 2],
    [{ name: { $exists: true } }, 2],
    [{ created_at: { $gt: 1 } }, 2],
  ] as const) {
    assert.equal(work(filter), units, JSON.stringify(filter));
  }
});

test('FL22 each two values in a list or an object that is compared are a unit more, at any depth; a plain one is none', () => {
  for (const [value, half] of [
    ['x', 0],
    [null, 0],
    [[], 0],
    [['a', 'b', 'c'], 1.5],
    [{ a: 1, b: 2 }, 1],
    [[['a', 'b'], { c: ['d'] }], 3],
    [{ a: [1, 2], b: { c: 3 } }, 2.5],
  ] as const) {
    const units = Math.ceil(half);
    const json = JSON.stringify(value);
    assert.equal(work({ k: { $eq: value } }), 2 + units, json);
    assert.equal(work({ k: { $ne: value } }), 2 + units, json);
    assert.equal(work({ k: { $contains: value } }), 2 + units, json);
    assert.equal(work({ k: { $in: [value, 'y', value, value, value] } }), 2 + 4 * half, json);
  }
});

test('FL22 a path in custom data costs a unit for each key that it may mean beside the first', () => {
  assert.deepEqual([work({ a: 1 }), work({ 'a.b': 1 }), work({ 'a.b.c': 1 })], [2, 2 + 2, 2 + 5]);
});

test('FL22 a searched text costs half a unit for each character, once to fold it and once for each word that is looked for', () => {
  const named = user({ name: 'x'.repeat(100), role: 'x'.repeat(10) });
  for (const [filter, units] of [
    [{ name: { $autocomplete: 'a b c' } }, 2 + 100],
    [{ name: { $q: 'a' } }, 2 + 100],
    [{ name: { $q: 'a b c' } }, 2 + 100],
    [{ name: { $q: 'xx x a' } }, 2 + 200],
    [{ name: { $q: 'x xx xxx' } }, 2 + 200],
    [{ $or: [{ name: { $q: 'x a b' } }, { name: { $autocomplete: 'c' } }] }, 4 + 150 + 100],
    [{ $and: [{ name: { $q: 'a b' } }, { name: { $autocomplete: 'c' } }] }, 4 + 100],
    [{ name: { $q: 'x' }, role: { $q: 'b' } }, 4 + 100 + 10],
    [{ language: { $q: 'a' } }, 2],
    [{ name: 'plain' }, 2],
  ] as const) {
    assert.equal(work(filter, named), units, JSON.stringify(filter));
  }
});

test('FL22 a list in custom data that is searched for a value costs half a unit for each of its items', () => {
  const tagged = user({ custom: { tags: ['a', 'b', 'c', 'd'], text: 'abcd' } });
  assert.equal(work({ tags: { $contains: 'x' } }, tagged), 2 + 2);
  assert.equal(work({ $or: [{ tags: { $contains: 'x' } }, { 'custom.tags': { $contains: 'y' } }] }, tagged), 4 + 2 + 4);
  assert.equal(work({ text: { $contains: 'x' } }, tagged), 2);
  assert.equal(work({ none: { $contains: 'x' } }, tagged), 2);
  assert.equal(work({ tags: 'x' }, tagged), 2);
  assert.equal(work({ teams: { $contains: 'x' } }, user({ teams: ['a', 'b', 'c', 'd'] })), 2);
});

test('FL23 a searched text is counted as it is folded, and not beyond the part that is searched', () => {
  const filter = { name: { $autocomplete: 'a' } };
  assert.equal(work(filter, user({ name: 'ﷺ'.repeat(10) })), 2 + 180);
  assert.equal(work(filter, user({ name: 'x'.repeat(5_000) })), 2 + 1_024);
});

test('FL22 two texts that are compared cost a unit for every sixteen characters', () => {
  for (const op of ['$eq', '$gt', '$lte'])
    assert.deepEqual([work({ name: { [op]: 'x'.repeat(31) } }), work({ name: { [op]: 'x'.repeat(160) } })], [3, 12]);
});

test('FL22 objects and lists in a record that are compared with another are counted as far as they are looked at, with all their keys', () => {
  const listed = user({ custom: { list: [{ a: 1, b: [2, 3] }, 4, [5, 6], { a: [7, 8, 9] }], many: keyed(500) } });
  assert.equal(work({ list: { $contains: null } }, listed), 2 + 2);
  assert.equal(work({ list: { $contains: { a: 1 } } }, listed), 2 + 1 + 2 + (3 + 3) + 3 + (3 + 2));
  assert.equal(work({ list: { $contains: { a: [7, 8, 0] } } }, listed), 2 + 2 + 2 + (3 + 3) + 3 + (3 + 2 + 3 + 3));
  assert.equal(work({ many: { a: 1 } }, listed), 2 + 1 + 3 + 501);
  assert.equal(work({ many: { $in: [{ a: 1 }, { a: 2 }] } }, listed), 2 + 1 + 2 * (3 + 501));
});

/** Of a list or an object, a client decides how long it is: what is counted must be about what it takes. */
/** The same value; `look` is called whenever a key of it, or an item, is looked at. */
function watched<T extends object>(value: T, look: () => void): T {
  const looked = <R>(result: R): R => {
    look();
    return result;
  };
  return new Proxy(value, {
    get: (target, key) => looked(Reflect.get(target, key)),
    has: (target, key) => looked(Reflect.has(target, key)),
    getOwnPropertyDescriptor: (target, key) => looked(Reflect.getOwnPropertyDescriptor(target, key)),
  });
}

test('FL22 in no list, and no object, is more looked at than its units say', () => {
  let looks = 0;
  const see = <T extends object>(value: T): T => watched(value, () => void looks++);
  const lists = {
    'empty objects': Array.from({ length: 1_600 }, () => see({})),
    'small objects': Array.from({ length: 700 }, (_, n) => see({ k: n % 9 })),
    'large objects': Array.from({ length: 3 }, () => see(keyed(300))),
    'lists of a number': Array.from({ length: 700 }, (_, n) => see([n + 2])),
    numbers: Array.from({ length: 2_400 }, () => 1),
  };
  for (const [what, list] of Object.entries(lists)) {
    for (const wanted of [{ k: 100 }, { a: 1, b: 2, c: 3 }, [1], 7]) {
      const filter = { $or: Array.from({ length: 99 }, () => ({ list: { $contains: wanted } })) };
      const listed = user({ custom: { list: see(list) } });
      const units = work(filter, listed);
      looks = 0;
      assert.equal(compileFilter(parseFilter(filter))(listed, false), false);
      assert.ok(looks > 0 && looks <= 4 * units, `${what}, ${JSON.stringify(wanted)}: ${looks} looks for ${units} units`);
    }
  }
});

const keyed = (count: number): Record<string, number> => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));

/** A search that repeats itself, in a name that nearly holds it everywhere: the worst of both. */
test('FL23 the work of a search grows with the name alone, however often either repeats itself', () => {
  const searchOf = (unit: string) => ({
    $or: Array.from({ length: 100 }, (_, n) => ({ name: { $autocomplete: unit.repeat(100 + n) + END } })),
  });
  const msOf = (unit: string): number => {
    const matches = compileFilter(parseFilter(searchOf(unit)));
    const took = Array.from({ length: 7 }, (_, n) => {
      const startedMs = performance.now();
      assert.equal(matches(user({ name: unit.repeat(900) + n }), false), false);
      return performance.now() - startedMs;
    });
    return Math.min(...took);
  };
  const plain = msOf('x');
  for (const unit of ['一', 'ก', 'あ', 'ក']) assert.ok(msOf(unit) < 10 * plain + 5, unit);
});
const END = '二';
