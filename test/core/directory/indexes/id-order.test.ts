/** QY13: the order of ids. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdOrder } from '../../../../daemon/core/directory/indexes/id-order.ts';
import { seeded } from '../../../support/random.ts';

const SEED = 7;

/** An order with the ids of its rows. */
class Ordered {
  readonly #ids: string[] = [];
  readonly #known = new Set<string>();
  readonly #order = new IdOrder((row) => this.#ids[row] ?? '');

  add(id: string): void {
    if (this.#known.has(id)) return;
    this.#known.add(id);
    this.#order.add(this.#ids.push(id) - 1, id);
  }

  *from(start: string): Iterable<string> {
    for (const row of this.#order.from(start)) yield this.#ids[row] ?? '';
  }
}

test('QY13 ids are in their order, each once, from any of them on, however they came', () => {
  const random = seeded(SEED);
  const order = new Ordered();
  assert.deepEqual([...order.from('')], []);
  const ids = new Set<string>();
  const add = (id: string): void => {
    order.add(id);
    ids.add(id);
  };
  // Rising, falling, and anywhere between; some come twice.
  for (let n = 0; n < 2_000; n++) add(`b${String(n).padStart(4, '0')}`);
  for (let n = 2_000; n > 0; n--) add(`a${String(n).padStart(4, '0')}`);
  for (let n = 0; n < 4_000; n++) add(`${random() < 0.5 ? 'A' : 'c'}${Math.floor(random() * 3_000)}`);
  for (const id of ['é', 'a"b', '\\', '\ud83d\ude00', '\uffee', '\ud800', '李']) add(id);
  const sorted = [...ids].sort();
  assert.deepEqual([...order.from('')], sorted);
  for (const start of ['@', 'A', 'a0001', 'a00015', 'b1999', 'b2', 'z', ...sorted.filter(() => random() < 0.01)]) {
    const first = sorted.findIndex((id) => id >= start);
    assert.deepEqual([...order.from(start)], first === -1 ? [] : sorted.slice(first), start);
  }
});

test('QY13 a walk goes on while ids are added: it meets those that come after its place, and none twice', () => {
  const random = seeded(SEED);
  const order = new Ordered();
  const before = Array.from({ length: 3_000 }, (_, n) => `u${String(n * 2).padStart(6, '0')}`);
  for (const id of before) order.add(id);
  const met: string[] = [];
  const later = new Set<string>();
  for (const id of order.from('')) {
    met.push(id);
    const added = `u${String(Math.floor(random() * 3_000) * 2 + 1).padStart(6, '0')}`;
    if (!later.has(added) && added > id) later.add(added);
    order.add(added);
    if (met.length > 10_000) break;
  }
  assert.deepEqual(met, [...met].sort());
  assert.equal(new Set(met).size, met.length);
  for (const id of [...before, ...later]) assert.ok(met.includes(id), id);
});
