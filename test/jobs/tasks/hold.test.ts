/** A job that several nodes could do: JB9 to JB11. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../daemon/base/clock.ts';
import { type HeldJob, whileHeld } from '../../../daemon/jobs/tasks/hold.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually } from '../../support/eventually.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { LeaseTable } from '../../support/store/memory-leases.ts';

/** So long that a busy machine does not lose one by standing still. */
const LEASE_MS = 1_500;

interface Node {
  readonly roster: Roster;
  /** What it holds now. */
  held: HeldJob | undefined;
  /** How often it has held the job. */
  terms: number;
  stop(): Promise<void>;
}

interface Stage {
  readonly table: LeaseTable;
  readonly log: MemoryLog;
  node(name: string, clockOf?: LeaseTable): Promise<Node>;
}

function stage(t: TestContext): Stage {
  const table = new LeaseTable(undefined, LEASE_MS);
  const log = new MemoryLog({ retentionFacts: 1_000_000 });
  return {
    table,
    log,
    node: async (name, leases = table) => {
      const roster = await rosterWith({ log });
      const stopping = new AbortController();
      const node: Node = {
        roster,
        held: undefined,
        terms: 0,
        stop: async () => {
          stopping.abort();
          await working;
        },
      };
      const options = {
        ...{ job: 'work', leases: leases.of(name), clock: systemClock, logger: { info: () => {}, error: () => {} }, leaseMs: LEASE_MS },
        submit: ((command, ...how) => roster.submit(command, ...how)) as Roster['submit'],
      };
      const working = whileHeld(options, stopping.signal, async (held) => {
        node.held = held;
        node.terms++;
        await new Promise((resolve) => held.signal.addEventListener('abort', resolve, { once: true }));
        node.held = undefined;
      });
      t.after(node.stop);
      return node;
    },
  };
}

const upsert = { kind: 'upsert', actor: { kind: 'server' }, users: [{ id: 'ann', custom: {} }], problems: [] } as const;

test('JB9 one node at a time does a job; when it stops, another one goes on at once', async (t) => {
  const { node } = stage(t);
  const nodes = await Promise.all(['one', 'two', 'three'].map((name) => node(name)));
  await eventually(() => nodes.some(({ held }) => held !== undefined));
  await delay(2 * LEASE_MS);
  assert.equal(nodes.filter(({ terms }) => terms > 0).length, 1, 'a lease that is extended is nobody else’s');
  const [first] = nodes.filter(({ held }) => held !== undefined);
  await first?.stop();
  await eventually(() => nodes.some((one) => one !== first && one.held !== undefined));
  assert.equal(nodes.filter(({ held }) => held !== undefined).length, 1);
});

test('JB9 where no other process can be, the job is simply done', async () => {
  const stopping = new AbortController();
  const submit: Roster['submit'] = () => Promise.reject(new Error('nothing is asked'));
  const terms: HeldJob[] = [];
  const options = { job: 'work', leases: undefined, submit, clock: systemClock, logger: { info: () => {}, error: () => {} } };
  await whileHeld(options, stopping.signal, async (held) => void terms.push(held));
  assert.deepEqual(
    terms.map(({ token, submit: given }) => [token, given === submit]),
    [[undefined, true]],
  );
});

test('JB10 a node that stood still writes nothing more once another one does its job', async (t) => {
  const { node, table } = stage(t);
  const one = await node('one');
  await eventually(() => one.held !== undefined);
  const { held } = one;
  assert.ok(held !== undefined);
  await held.submit(upsert, 'bulk');
  // It does not see that its time is over: for the others, it is.
  const row = table.rows.get('work');
  assert.ok(row !== undefined);
  row.untilMs = 0;
  const two = await node('two');
  await eventually(() => two.held !== undefined);
  await assert.rejects(held.submit(upsert, 'bulk'), (error) => error instanceof RosterError && error.kind === 'unavailable');
  assert.ok((two.held?.token ?? 0) > (held.token ?? 0));
  await two.held?.submit(upsert, 'bulk');
  assert.equal(table.rows.get('work')?.token, two.held?.token);
});

test('JB11 a node that cannot reach the storage ends its work before its lease does, and takes it up again', async (t) => {
  const { node, table } = stage(t);
  const one = await node('one');
  await eventually(() => one.held !== undefined);
  let back = (): void => {};
  table.away = new Promise((resolve) => {
    back = resolve;
  });
  const untilMs = table.rows.get('work')?.untilMs ?? 0;
  await eventually(() => one.held === undefined);
  assert.ok(performance.now() < untilMs, 'the lease was still its own');
  table.away = undefined;
  back();
  await eventually(() => one.held !== undefined);
  assert.equal(one.terms, 2);
});

test('JB11 work that fails is done again', async (t) => {
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const roster = await rosterWith();
  const errors: unknown[] = [];
  let terms = 0;
  const options = {
    ...{ job: 'work', leases: new LeaseTable().of('one'), clock: systemClock, leaseMs: LEASE_MS },
    logger: { info: () => {}, error: (fields: object) => void errors.push(fields) },
    submit: ((command, ...how) => roster.submit(command, ...how)) as Roster['submit'],
  };
  await whileHeld(options, stopping.signal, async () => {
    if (++terms < 3) throw new Error('it fails');
    stopping.abort();
  });
  assert.deepEqual([terms, errors.length], [3, 2]);
});
