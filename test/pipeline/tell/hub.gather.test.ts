/** HB4: what waits for what. The clock moves with every write, and handing out is as slow as there are receivers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { batchOf, type EventBatch } from '../../../daemon/pipeline/tell/user-event.ts';
import type { UserFact } from '../../../protocol/log/entry.ts';

const WRITE_MS = 0.625;
const GATHER_MS = 2;
/** So many that handing out takes more than one slice, and twice as long as that is still shorter than events ever wait. */
const RECEIVERS = 20;
const NO_LOOKUPS = { user: () => undefined, online: () => false, exportUrl: () => undefined };

/** An entry of `count` users from `first` on; each has `note` in its data. */
function batchAt(first: number, count: number, note: string): EventBatch {
  const changes = Array.from({ length: count }, (_, index) => {
    const seq = first + index;
    const user = { id: `u${seq}`, rev: seq, role: 'user', teams: [], custom: { note }, created_at: seq, updated_at: seq };
    const fact: UserFact = { t: 'user', event: 'updated', user };
    return { seq, fact, before: user, after: user };
  });
  return batchOf({ id: `e${first}`, first, time: first, facts: changes.map(({ fact }) => fact) }, changes, NO_LOOKUPS);
}

/** A hub with `count` receivers of everything. */
function bench(count: number) {
  let nowMs = 0;
  const hub = new Hub({ seq: 0, outboxBytesMax: 1_000_000, gatherMs: GATHER_MS, nowMs: () => nowMs, catchUp: () => {} });
  const writes: number[] = [];
  for (let n = 0; n < count; n++) {
    const write = (): void => {
      nowMs += WRITE_MS;
      if (n === count - 1) writes.push(nowMs);
    };
    const subscriber = new Subscriber({ queuedBytes: 0, write, drained: async () => true, close: () => {} }, 'live');
    subscriber.interests.set('all', new Interest({ name: 'all', want: { kind: 'all' }, since: 0, reach: 'server' }));
    hub.join(subscriber);
  }
  let seq = 0;
  const publish = (users = 1, note = ''): void => {
    hub.publish(batchAt(seq + 1, users, note));
    seq += users;
  };
  /** Until so many rounds have reached the last receiver. */
  const reached = async (rounds: number): Promise<void> => {
    while (writes.length < rounds) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { hub, writes, publish, reached };
}

test('HB4 events that come no faster than they are handed out wait for one tick, however long that takes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { hub, writes, publish, reached } = bench(100);
  publish();
  publish();
  await reached(1);
  assert.equal(hub.flushedSeq, 1);
  t.mock.timers.tick(GATHER_MS);
  assert.equal(hub.flushedSeq, 2);
  await reached(2);
  assert.equal(writes.length, 2);
});

test('HB4 events that come faster than they are handed out are gathered for twice as long as that takes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { hub, writes, publish, reached } = bench(RECEIVERS);
  for (let n = 0; n < 4; n++) publish();
  await reached(1);
  t.mock.timers.tick(2 * RECEIVERS * WRITE_MS - 1);
  publish();
  assert.equal(hub.flushedSeq, 1, 'they still wait');
  t.mock.timers.tick(1);
  assert.equal(hub.flushedSeq, 5);
  await reached(2);
  assert.equal(writes.length, 2, 'and share one write');
});

test('HB4 many changes in one entry are many events, too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { hub, publish, reached } = bench(RECEIVERS);
  publish();
  publish(4);
  await reached(1);
  t.mock.timers.tick(GATHER_MS);
  assert.equal(hub.flushedSeq, 1);
  t.mock.timers.tick(2 * RECEIVERS * WRITE_MS - GATHER_MS);
  assert.equal(hub.flushedSeq, 5);
});

test('HB4 what is long by itself waits for one tick only, and what becomes long while it waits leaves at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { hub, publish, reached } = bench(RECEIVERS);
  const note = 'x'.repeat(400);
  publish();
  publish(100, note);
  await reached(1);
  t.mock.timers.tick(GATHER_MS);
  assert.equal(hub.flushedSeq, 101);
  publish();
  publish();
  await reached(2);
  t.mock.timers.tick(GATHER_MS);
  assert.equal(hub.flushedSeq, 101);
  publish(100, note);
  assert.equal(hub.flushedSeq, 203);
});
