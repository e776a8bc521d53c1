/** HB4: what waits for what. The clock moves with every write, and handing out is as slow as there are receivers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../../daemon/pipeline/hub.ts';
import { Interest } from '../../daemon/pipeline/interest.ts';
import { batchOf, type EventBatch } from '../../daemon/pipeline/live-event.ts';
import { Subscriber } from '../../daemon/pipeline/subscriber.ts';
import type { UserFact } from '../../protocol/entry.ts';

const WRITE_MS = 1;
const GATHER_MS = 2;
/** So many that handing out takes more than one slice. */
const RECEIVERS = 18;
const NO_LOOKUPS = { user: () => undefined, online: () => false, exportUrl: () => undefined };

function batchAt(seq: number): EventBatch {
  const user = { id: `u${seq}`, rev: seq, role: 'user', teams: [], custom: {}, created_at: seq, updated_at: seq };
  const fact: UserFact = { t: 'user', event: 'updated', user };
  return batchOf({ id: `e${seq}`, first: seq, time: seq, facts: [fact] }, [{ seq, fact, before: user, after: user }], NO_LOOKUPS);
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
  const publish = (): void => hub.publish(batchAt(++seq));
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

test('HB4 events that come faster than they are handed out are gathered for as long as that takes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { hub, writes, publish, reached } = bench(RECEIVERS);
  for (let n = 0; n < 4; n++) publish();
  await reached(1);
  t.mock.timers.tick(GATHER_MS);
  publish();
  assert.equal(hub.flushedSeq, 1, 'one tick has passed, and they still wait');
  t.mock.timers.tick(RECEIVERS * WRITE_MS - GATHER_MS);
  assert.equal(hub.flushedSeq, 5);
  await reached(2);
  assert.equal(writes.length, 2, 'and share one write');
});
