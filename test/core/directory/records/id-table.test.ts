/** SN5, SN6: each id has the row in the order of which it came, whether it was added alone or with others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteTextHash } from '../../../../daemon/core/directory/keyed-hash.ts';
import { IdTable } from '../../../../daemon/core/directory/records/id-table.ts';
import { seeded } from '../../../support/random.ts';

const KEY = [3, 4] as const;

/** A table whose places are numbers in a list of keys. */
class Table {
  readonly keys: string[] = [];
  readonly ids = new IdTable({ keyAt: (place) => this.keys[place] ?? '', isAt: (place, key) => this.keys[place] === key }, KEY);

  add(key: string): void {
    this.ids.add(key, this.keys.push(key) - 1);
  }

  gather(key: string): number {
    const bytes = Buffer.from(`..${key}..`);
    return this.ids.gather(bytes, 2, key.length, this.keys.push(key) - 1);
  }
}

test('SN5 SN6 keys that are added at once have the rows that were told, beside those that are added alone', () => {
  const random = seeded(23);
  const table = new Table();
  table.ids.expect(10);
  const rows = new Map<string, number>();
  for (let at = 0; at < 200_000; ) {
    const many = random() < 0.1 ? 3_000 : Math.floor(random() * 90);
    for (let end = at + many; at < end; at++) {
      rows.set(`user-${at}`, rows.size);
      assert.equal(table.gather(`user-${at}`), rows.size - 1);
    }
    assert.equal(table.ids.size, rows.size - many);
    assert.equal(table.ids.addGathered(), undefined);
    const alone = `alone-${rows.size}`;
    rows.set(alone, rows.size);
    table.add(alone);
  }
  assert.equal(table.ids.size, rows.size);
  // Equal hashes of different keys are among so many.
  assert.ok(new Set(Array.from(rows.keys(), (key) => byteTextHash(key, KEY))).size < rows.size);
  for (const [key, row] of rows) {
    assert.equal(table.ids.row(key), row);
    assert.equal(table.keys[table.ids.place(row)], key);
  }
  assert.equal(table.ids.row('user--1'), -1);
});

test('SN6 a key that comes twice stops those that are added with it, at its second place', () => {
  for (const [first, rest] of [
    [[], ['a', 'b', 'c', 'b', 'd']],
    [['b'], ['a', 'c', 'b', 'd']],
  ] as const) {
    const table = new Table();
    for (const key of first) table.add(key);
    for (const key of rest) table.gather(key);
    const second = first.length + rest.lastIndexOf('b');
    assert.equal(table.ids.addGathered(), second);
    assert.deepEqual(
      ['d', 'c'].map((key) => table.ids.row(key) === -1),
      [true, false],
    );
    assert.equal(table.ids.addGathered(), undefined, 'nothing is left of it');
  }
});
