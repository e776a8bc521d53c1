/** SN7: rows by key and by team, beside the multimap that says the same with objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyRows } from '../../../../daemon/core/directory/indexes/key-rows.ts';
import { TeamRows } from '../../../../daemon/core/directory/indexes/team-rows.ts';
import { textHash } from '../../../../daemon/core/directory/keyed-hash.ts';
import { Multimap } from '../../../../daemon/core/directory/multimap.ts';
import { seeded } from '../../../support/random.ts';

const SEED = 7;
const HASH_KEY = [SEED, SEED] as const;

const sorted = (rows: Iterable<number | string>): number[] => Array.from(rows, Number).sort((one, other) => one - other);

test('SN7 rows by key and by team are what a multimap holds, also where a key has thousands', () => {
  const random = seeded(SEED);
  const pick = (below: number): number => Math.floor(random() * below);
  const [names, teams, model] = [new KeyRows(HASH_KEY), new TeamRows(HASH_KEY), new Multimap<string>()];
  // Of keys that share the part of the hash that is kept, one.
  const keys = [...new Map(Array.from({ length: 2_000 }, (_, n) => [textHash(`key ${n}`, HASH_KEY) >>> 7, `key ${n}`])).values()];
  for (let step = 0; step < 60_000; step++) {
    const key = random() < 0.5 ? 'guest' : (keys[pick(keys.length)] ?? '');
    const row = pick(key === 'guest' ? 20_000 : 5);
    if (random() < (step < 40_000 ? 0.8 : 0.1)) {
      names.add(key, row);
      teams.add(key, row);
      model.add(key, String(row));
    } else {
      names.remove(key, row);
      teams.remove(key, row);
      model.remove(key, String(row));
    }
    if (step % 20_000 !== 19_999) continue;
    for (const one of ['guest', 'none', ...keys]) {
      const expected = sorted(model.get(one));
      assert.deepEqual([[...names.rows(one)], names.count(one)], [expected, expected.length], one);
      assert.deepEqual([[...teams.rows(one)], teams.count(one)], [expected, expected.length], one);
    }
    assert.deepEqual([...teams.keys()].sort(), [...model.keys()].sort());
    const shared = [...names.all()].map((rows) => (rows === undefined ? 1 : [...rows].length));
    assert.deepEqual(sorted(shared), sorted(Array.from(model.keys(), (one) => model.count(one))));
  }
});

test('SN7 a walk over a key or a team meets each row that stays, and none twice, whatever changes meanwhile', () => {
  const random = seeded(SEED);
  for (const rowsOf of [new KeyRows(HASH_KEY), new TeamRows(HASH_KEY)]) {
    for (let row = 0; row < 6_000; row++) rowsOf.add('guest', row);
    const [met, changed] = [new Set<number>(), new Set<number>()];
    for (const row of rowsOf.rows('guest')) {
      assert.ok(!met.has(row));
      met.add(row);
      const other = Math.floor(random() * 6_000);
      changed.add(other);
      rowsOf.remove('guest', other);
      if (random() < 0.5) rowsOf.add('guest', other);
      // Back into one list, and spread again.
      if (row % 1_000 === 999) rowsOf.add(`other ${row}`, row);
    }
    for (let row = 0; row < 6_000; row++) assert.ok(met.has(row) || changed.has(row), String(row));
  }
});
