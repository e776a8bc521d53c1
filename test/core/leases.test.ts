/** Leases of jobs in the log: JB10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../protocol/base/errors.ts';
import type { HeldCommand } from '../../protocol/log/command.ts';
import { Bench } from '../support/decide-bench.ts';

const refusedAs = (kind: string) => (error: unknown) => error instanceof RosterError && error.kind === kind;

function lease(bench: Bench, job: string, holder: string): number {
  const [change] = bench.run({ kind: 'lease', job, holder }).docs ?? [];
  assert.ok(change?.kind === 'lease' && change.doc !== null);
  return change.doc.token;
}

const ban = { kind: 'upsert', actor: { kind: 'server' }, users: [{ id: 'ann', custom: { by: 'job' } }], problems: [] } as const;

test('JB10 only the newest lease of a job counts', () => {
  const bench = new Bench();
  const held = (job: string, token: number): HeldCommand => ({ kind: 'held', job, token, command: ban });
  assert.throws(() => bench.run(held('tasks', 1)), refusedAs('unavailable'));
  const one = lease(bench, 'tasks', 'node 1');
  assert.equal(bench.run(held('tasks', one)).users.length, 1);
  const other = lease(bench, 'hooks', 'node 1');
  const two = lease(bench, 'tasks', 'node 2');
  assert.ok(two > one);
  const { seq } = bench.directory;
  assert.throws(() => bench.run(held('tasks', one)), refusedAs('unavailable'));
  assert.throws(() => bench.run(held('tasks', other)), refusedAs('unavailable'));
  assert.equal(bench.directory.seq, seq);
  assert.equal(bench.run(held('hooks', other)).users[0]?.change, 'unchanged');
  bench.run(held('tasks', two));
  // Its own lease again, after a moment without the storage: what came before it is over, too.
  const three = lease(bench, 'tasks', 'node 2');
  assert.throws(() => bench.run(held('tasks', two)), refusedAs('unavailable'));
  bench.run(held('tasks', three));
});

test('JB10 no client takes a lease, or acts on one', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }]);
  const token = lease(bench, 'tasks', 'node 1');
  assert.throws(() => bench.run({ kind: 'lease', job: 'tasks', holder: 'ann' }, 'ann'), refusedAs('not_allowed'));
  assert.throws(() => bench.run({ kind: 'held', job: 'tasks', token, command: ban }, 'ann'), refusedAs('not_allowed'));
});
