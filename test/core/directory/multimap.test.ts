/** Values by key: one is stored as it is, more in a set, and a key without any is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Multimap } from '../../../daemon/core/directory/multimap.ts';
import { seeded, testOption } from '../../support/random.ts';

const SEED = testOption('seed', Math.floor(Math.random() * 2 ** 31));

test('BU17 a multimap has of each key what was added and not removed, once, and no key without a value', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const random = seeded(SEED);
  const values = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  const map = new Multimap<object>();
  const model = new Map<string, Set<object>>();
  for (let step = 0; step < 2_000; step++) {
    const key = `key-${Math.floor(random() * 3)}`;
    const value = values[Math.floor(random() * values.length)] ?? {};
    const held = model.get(key) ?? new Set();
    if (random() < 0.5) {
      map.add(key, value);
      model.set(key, held.add(value));
    } else {
      map.remove(key, value);
      held.delete(value);
      if (held.size === 0) model.delete(key);
    }
    assert.deepEqual([...map.keys()].sort(), [...model.keys()].sort());
    for (const [at, expected] of model) {
      assert.deepEqual(new Set(map.get(at)), expected);
      assert.equal(map.count(at), expected.size);
    }
  }
  assert.deepEqual([[...map.get('none')], map.count('none')], [[], 0]);
});
