/** Durable consumers in the log: DC3, DC7, DC8. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../protocol/base/errors.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Consumer } from '../../protocol/log/documents.ts';
import { Bench } from '../support/decide-bench.ts';

const refusedAs = (kind: string) => (error: unknown) => error instanceof RosterError && error.kind === kind;

function stored(bench: Bench, name = 'mirror'): Consumer | undefined {
  return bench.directory.docs.get('consumer', name);
}

function open(bench: Bench, holder?: string, name = 'mirror'): { readonly isNew: boolean; readonly seq: number | undefined } {
  const { docs = [], missing = [] } = bench.run({ kind: 'consumer-open', name, ...(holder === undefined ? {} : { holder }) });
  assert.deepEqual(docs, [{ kind: 'consumer', id: name, doc: stored(bench, name) }]);
  return { isNew: missing.length > 0, seq: stored(bench, name)?.seq };
}

function ack(bench: Bench, seq: number, name = 'mirror'): void {
  bench.run({ kind: 'consumer-ack', positions: [{ name, seq }] });
}

test('DC8 the newest session that opened a consumer holds it; it goes on where the one before was', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }]);
  assert.deepEqual(open(bench, 'a.one'), { isNew: true, seq: 1 });
  bench.upsert([{ id: 'bob' }]);
  ack(bench, 3);
  assert.deepEqual(open(bench, 'b.two'), { isNew: false, seq: 3 });
  assert.equal(stored(bench)?.holder, 'b.two');
  const { seq } = bench.directory;
  open(bench, 'b.two');
  // Where there are no other nodes, nothing about holders is written.
  open(bench);
  assert.deepEqual([bench.directory.seq, stored(bench)?.holder], [seq, 'b.two']);
  open(bench, undefined, 'alone');
  assert.ok(!('holder' in (stored(bench, 'alone') ?? {})));
});

test('DC3 a position never goes back, whoever acknowledges last, and stands for its epoch alone', () => {
  const bench = new Bench();
  bench.upsert(Array.from({ length: 9 }, (_, n) => ({ id: `u${n}` })));
  open(bench, 'a.one');
  const start = stored(bench);
  assert.ok(start !== undefined);
  for (let n = 0; n < 3; n++) bench.upsert([{ id: 'ann', name: `${n}` }]);
  open(bench, 'b.two');
  ack(bench, 12);
  const { seq } = bench.directory;
  for (const late of [10, 11, 12]) ack(bench, late);
  assert.deepEqual([stored(bench)?.seq, bench.directory.seq, stored(bench)?.holder], [12, seq, 'b.two']);
  bench.run({ kind: 'docs', changes: [{ kind: 'consumer', id: 'mirror', doc: { ...start, epoch: 'lost', seq: 1_000 } }] });
  ack(bench, 13);
  assert.deepEqual([stored(bench)?.seq, stored(bench)?.epoch], [13, 'test']);
});

test('DC7 a consumer that was removed stays so, whatever is acknowledged afterwards', () => {
  const bench = new Bench();
  open(bench, 'a.one');
  bench.run({ kind: 'consumer-remove', name: 'mirror' });
  ack(bench, 1);
  assert.equal(stored(bench), undefined);
  assert.throws(() => bench.run({ kind: 'consumer-remove', name: 'mirror' }), refusedAs('not_found'));
});

test('DC5 clients neither open, nor move, nor remove a consumer; there are no more than so many', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }]);
  for (let n = 0; n < LIMITS.consumers; n++) open(bench, undefined, `c${n}`);
  assert.throws(() => open(bench, 'a.one'), refusedAs('input'));
  assert.equal(open(bench, 'a.one', 'c0').isNew, false);
  for (const command of [
    { kind: 'consumer-open', name: 'c0' },
    { kind: 'consumer-ack', positions: [{ name: 'c0', seq: 1 }] },
    { kind: 'consumer-remove', name: 'c0' },
  ] as const) {
    assert.throws(() => bench.run(command, 'ann'), refusedAs('not_allowed'));
  }
});
