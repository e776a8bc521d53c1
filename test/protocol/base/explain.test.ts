/** BU7: counts come before items. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { PROBLEMS_MAX } from '../../../protocol/base/errors.ts';
import { explain, overfull, says } from '../../../protocol/base/explain.ts';

const Item = Type.Object({ id: Type.String(), tags: Type.Optional(Type.Array(Type.String(), { maxItems: 3 })) });
const Body = Type.Object({
  items: Type.Array(Item, { maxItems: 100 }),
  either: Type.Optional(
    Type.Union([
      Type.Record(Type.String(), Item, { maxProperties: 2 }),
      Type.Array(Item, { maxItems: 2, ...says({ maxItems: 'is too long' }) }),
    ]),
  ),
});

/** A list whose items must not be looked at. */
function untouchable(length: number): unknown[] {
  return new Proxy(new Array(length), {
    get: (target, name) => {
      if (name === 'length' || typeof name === 'symbol') return Reflect.get(target, name);
      throw new Error(`${name} was looked at`);
    },
  });
}

test('BU7 a list or map with too many items is named with its bound, and no item is looked at', () => {
  assert.deepEqual(overfull(Body, { items: untouchable(690_000) }, ''), [
    { path: 'items', message: 'must not hold more than 100, got 690000' },
  ]);
  assert.deepEqual(explain(Compile(Body), { items: untouchable(101) }, ''), [
    { path: 'items', message: 'must not hold more than 100, got 101' },
  ]);
  assert.deepEqual(overfull(Body, { items: [], either: { a: 1, b: 2, c: 3 } }, ''), [
    { path: 'either', message: 'must not hold more than 2, got 3' },
  ]);
  assert.deepEqual(overfull(Body, { items: [], either: untouchable(3) }, ''), [{ path: 'either', message: 'is too long' }]);
});

test('BU7 bounds inside of items count too, and at most a hundred places are named', () => {
  const items = Array.from({ length: 3 }, (_, id) => ({ id, tags: id === 1 ? ['a', 'b', 'c', 'd'] : ['a'] }));
  assert.deepEqual(overfull(Body, { items }, 'body'), [{ path: 'body.items[1].tags', message: 'must not hold more than 3, got 4' }]);
  const all = Array.from({ length: 100 }, () => ({ id: 'a', tags: [1, 2, 3, 4] }));
  assert.ok(overfull(Body, { items: all, either: all.slice(0, 2) }, '').length <= PROBLEMS_MAX + 1);
});

test('BU7 what is within its bounds has no such problem, whatever else is wrong with it', () => {
  for (const value of [null, 1, 'x', [], {}, { items: 1 }, { items: {} }, { items: [1, null, []], either: 'x' }]) {
    assert.deepEqual(overfull(Body, value, ''), [], JSON.stringify(value));
  }
});
