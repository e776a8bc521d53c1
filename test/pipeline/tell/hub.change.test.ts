/** HB1, HB4, HB5, HB7, PR7: how subscribers come, fall behind, return and leave; each step by itself. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { Interest, type InterestOptions } from '../../../daemon/pipeline/tell/interest.ts';
import { PresenceChange } from '../../../daemon/pipeline/tell/presence-change.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { batchOf, type EventBatch } from '../../../daemon/pipeline/tell/user-event.ts';
import type { UserFact } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { FakeOutlet } from '../../support/live/hub-kit.ts';

const OUTLET: Outlet = { queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };

test('HB7 a change of interests gives a subscriber that is behind a new state at the same position', () => {
  const hub = new Hub({ seq: 9, outboxBytesMax: 1, gatherMs: 2, nowMs: () => 0, catchUp: () => {} });
  const subscriber = new Subscriber(OUTLET, 'live');
  hub.joinFrom(subscriber, 4, () => {});
  const before = subscriber.state;
  hub.change(subscriber, (interests) => interests.clear());
  assert.notEqual(subscriber.state, before);
  assert.deepEqual(subscriber.state, before);
  hub.leave(subscriber);
  hub.change(subscriber, (interests) => interests.clear());
  assert.deepEqual(subscriber.state, { kind: 'out' });
});

const BYTES_MAX = 10_000;
const NO_LOOKUPS = { user: () => undefined, online: () => false, exportUrl: () => undefined };

const userOf = (id: string): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
});

/** A hub whose clock the test moves; `lost` are the subscribers that were sent to read the past, in order. */
function bench(t: TestContext, more: { seq?: number; gatherMs?: number } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const lost: Subscriber[] = [];
  const hub = new Hub({
    ...{ seq: 0, outboxBytesMax: BYTES_MAX, gatherMs: 2, nowMs: () => nowMs, catchUp: (one) => void lost.push(one), ...more },
  });
  let seq = more.seq ?? 0;
  const batch = (ids: readonly string[], bytes?: number): EventBatch => {
    const changes = ids.map((id, index) => {
      const user = userOf(id);
      const fact: UserFact = { t: 'user', event: 'updated', user };
      return { seq: seq + 1 + index, fact, before: user, after: user };
    });
    const entry = { id: 'e', first: seq + 1, time: 1, facts: changes.map(({ fact }) => fact) };
    seq += Math.max(1, ids.length);
    const made = batchOf(entry, changes, NO_LOOKUPS);
    return { ...made, last: seq, bytes: bytes ?? made.bytes };
  };
  const publish = (...ids: string[]): void => hub.publish(batch(ids));
  const presence = (...ids: string[]): void => hub.publishPresence(ids.map((id) => new PresenceChange(userOf(id), true, 1, seq)));
  const pass = (ms: number): void => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  return { hub, lost, batch, publish, presence, pass };
}

function subscriberOf(more: Partial<InterestOptions> = {}) {
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', new Interest({ name: 's', want: { kind: 'all' }, since: 0, reach: 'server', ...more }));
  const told: string[][] = [];
  subscriber.teller = { gatherPresence: async () => {}, tellPresence: (changed) => void told.push([...changed]) };
  return { outlet, subscriber, told, ids: () => outlet.events.map(({ user }) => user.id) };
}

/** Long after everything was handed out. */
const served = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('HB1 a subscriber gets what is published while it is in, and nothing of before and after; the hub counts it once', (t) => {
  const { hub, publish, pass } = bench(t);
  const { subscriber, outlet, ids } = subscriberOf();
  publish('a');
  publish('b');
  hub.join(subscriber);
  assert.deepEqual([hub.flushedSeq, ids()], [2, []], 'what waited goes out before it joins');
  pass(10);
  publish('c');
  publish('d');
  hub.leave(subscriber);
  pass(10);
  publish('e');
  hub.leave(subscriber);
  assert.deepEqual([ids(), outlet.writes.length], [['c'], 1]);
  assert.deepEqual({ ...hub.stats }, { subscribers: 0, deliveries: 1, writes: 1, fellBehind: 0 });
  assert.deepEqual(subscriber.state, { kind: 'out' });
});

test('HB3 HB4 deliveries count events, writes count sockets, and a wait that was cut short is not waited for again', (t) => {
  const { hub, publish, pass } = bench(t);
  const all = [subscriberOf(), subscriberOf()];
  for (const { subscriber } of all) hub.join(subscriber);
  publish('a', 'b');
  assert.deepEqual({ ...hub.stats }, { subscribers: 2, deliveries: 4, writes: 2, fellBehind: 0 });
  publish('c');
  publish('d');
  hub.flush();
  hub.flush();
  assert.deepEqual({ ...hub.stats }, { subscribers: 2, deliveries: 8, writes: 4, fellBehind: 0 });
  pass(1);
  publish('e');
  assert.equal(hub.flushedSeq, 4);
  pass(1);
  assert.equal(hub.flushedSeq, 5, 'two milliseconds after the last flush, not after the first event');
  pass(2);
  publish('f');
  assert.equal(hub.flushedSeq, 6, 'the moment is quiet again');
});

test('HB4 what waits is bounded: a mebibyte goes out at once while sockets are served, a quarter of it while others are awaited', async (t) => {
  const { hub, batch, publish, pass } = bench(t);
  for (const [first, second, flushed] of [
    [100_000, 162_143, false],
    [100_000, 162_144, true],
  ] as const) {
    pass(100);
    publish('quiet');
    const before = hub.flushedSeq;
    hub.publish(batch(['a'], first));
    hub.publish(batch(['b'], second));
    assert.equal(hub.flushedSeq - before, flushed ? 2 : 0);
    hub.flush();
  }
  const many = Array.from({ length: 40 }, () => subscriberOf());
  for (const { subscriber, outlet } of many) {
    hub.join(subscriber);
    const { write } = outlet;
    outlet.write = (frames) => {
      pass(1);
      write.call(outlet, frames);
    };
  }
  pass(100);
  publish('slow');
  const before = hub.flushedSeq;
  hub.publish(batch(['a'], 400_000));
  hub.publish(batch(['b'], 648_575));
  assert.equal(hub.flushedSeq, before, 'sockets are being served');
  hub.publish(batch(['c'], 1));
  assert.equal(hub.flushedSeq, before + 3);
  await served();
  assert.deepEqual(new Set(many.map(({ ids }) => ids().slice(-4).join())), new Set(['slow,a,b,c']));
});

test('HB4 however long handing out takes, events wait for thirty milliseconds at most', async (t) => {
  const { hub, publish, pass } = bench(t);
  const many = Array.from({ length: 40 }, () => subscriberOf());
  for (const { subscriber, outlet } of many) {
    hub.join(subscriber);
    outlet.write = () => pass(1);
  }
  publish('a');
  publish('b', 'c');
  await served();
  assert.equal(hub.flushedSeq, 1);
  pass(29);
  assert.equal(hub.flushedSeq, 1);
  pass(1);
  assert.equal(hub.flushedSeq, 3);
  await served();
});

test('HB5 a subscriber that fell behind returns at the position before what it did not get, and only when it has read the rest', (t) => {
  const { hub, lost, publish, pass } = bench(t);
  const { subscriber, outlet, ids } = subscriberOf();
  hub.join(subscriber);
  publish('a');
  pass(10);
  outlet.queuedBytes = BYTES_MAX;
  publish('b', 'c');
  assert.deepEqual(
    [subscriber.state, subscriber.missedPresence, hub.stats.fellBehind],
    [{ kind: 'behind', position: 1, onCaughtUp: undefined }, true, 1],
  );
  assert.deepEqual(lost, [subscriber]);
  pass(10);
  publish('d');
  assert.deepEqual([ids(), hub.stats.fellBehind], [['a'], 1], 'nothing comes from memory any more');
  subscriber.missedPresence = false;
  subscriber.state = { kind: 'behind', position: 3, onCaughtUp: undefined };
  assert.equal(hub.rejoin(subscriber), false);
  subscriber.state = { kind: 'behind', position: 4, onCaughtUp: undefined };
  assert.equal(hub.rejoin(subscriber), true);
  assert.equal(hub.rejoin(subscriber), true, 'it is live already');
  outlet.queuedBytes = 0;
  pass(10);
  publish('e');
  assert.deepEqual(ids(), ['a', 'e']);
});

test('HB7 a subscriber is only ever sent further back, and one that is out is not sent anywhere', (t) => {
  const { hub, lost, publish } = bench(t, { seq: 9 });
  const { subscriber } = subscriberOf();
  hub.rewind(subscriber, 3);
  assert.deepEqual([subscriber.state, lost], [{ kind: 'out' }, []]);
  hub.join(subscriber);
  const done = (): void => {};
  hub.rewind(subscriber, 5, done);
  const first = subscriber.state;
  assert.deepEqual([first, lost.length], [{ kind: 'behind', position: 5, onCaughtUp: done }, 1]);
  hub.rewind(subscriber, 7);
  assert.deepEqual(subscriber.state, { kind: 'behind', position: 5, onCaughtUp: done });
  assert.notEqual(subscriber.state, first, 'what is being read for it does not count');
  hub.rewind(subscriber, 2);
  assert.deepEqual([subscriber.state, lost.length], [{ kind: 'behind', position: 2, onCaughtUp: done }, 1]);
  publish('a');
  hub.leave(subscriber);
  assert.deepEqual([subscriber.state, hub.stats.subscribers], [{ kind: 'out' }, 0]);
});

test('HB7 new interests count from the next event on, and what was routed by the old ones goes out first', (t) => {
  const { hub, publish, pass } = bench(t);
  const { subscriber, ids } = subscriberOf({ want: { kind: 'ids', ids: new Set(['a', 'b']) } });
  hub.join(subscriber);
  publish('a');
  publish('b', 'c');
  hub.change(subscriber, (interests) => {
    assert.deepEqual(ids(), ['a', 'b']);
    interests.set('s', new Interest({ name: 's', want: { kind: 'ids', ids: new Set(['c']) }, since: 0, reach: 'server' }));
  });
  pass(10);
  publish('a', 'c');
  assert.deepEqual(ids(), ['a', 'b', 'c']);
});

test('PR5 presence goes to the groups that asked for it, after everything that was published before it', (t) => {
  const { hub, publish, presence } = bench(t);
  const [watching, plain] = [subscriberOf({ wantsPresence: true }), subscriberOf()];
  const some = subscriberOf({ want: { kind: 'ids', ids: new Set(['b']) }, wantsPresence: true });
  for (const { subscriber } of [watching, plain, some]) hub.join(subscriber);
  publish('a');
  publish('a');
  presence('a', 'b');
  assert.equal(hub.flushedSeq, 2);
  assert.deepEqual([watching.ids(), plain.ids(), some.ids()], [['a', 'a', 'a', 'b'], ['a', 'a'], ['b']]);
});

test('PR7 a subscriber that is behind is told of presence once it is live, with everybody who changed since it was gathered', async (t) => {
  const { hub, publish, presence, pass } = bench(t);
  const steps: string[] = [];
  const { subscriber, told } = subscriberOf({ wantsPresence: true });
  hub.joinFrom(subscriber, 0, () => steps.push('caught up'));
  assert.deepEqual([subscriber.missedPresence, hub.stats.subscribers], [true, 1]);
  publish('before');
  assert.equal(hub.rejoin(subscriber), false, 'it has not read that');
  subscriber.state = { kind: 'behind', position: 1, onCaughtUp: () => steps.push('caught up') };
  assert.equal(hub.rejoin(subscriber), false, 'nobody has found out who is online');
  presence('early');
  await hub.gatherPresence(subscriber);
  presence('a');
  pass(10);
  publish('b');
  subscriber.state = { kind: 'behind', position: 2, onCaughtUp: () => steps.push('caught up') };
  subscriber.teller = { gatherPresence: async () => {}, tellPresence: (changed) => void steps.push([...changed].join()) };
  assert.equal(hub.rejoin(subscriber), true);
  assert.deepEqual([steps, told, subscriber.missedPresence, subscriber.presenceMark], [['caught up', 'a,b'], [], false, undefined]);
  // Later changes reach it as events, and are not remembered for it.
  hub.rewind(subscriber, 2);
  assert.equal(hub.rejoin(subscriber), true);
  assert.deepEqual(steps, ['caught up', 'a,b'], 'nothing was missed');
  hub.rewind(subscriber, 2);
  presence('c');
  assert.equal(subscriber.missedPresence, true);
  await hub.gatherPresence(subscriber);
  hub.change(subscriber, () => {});
  assert.equal(hub.rejoin(subscriber), false, 'what was gathered for other interests does not count');
});

test('HB3 an entry without events is written to nobody, and still moves the position', (t) => {
  const { hub, publish, pass } = bench(t);
  const all = [subscriberOf(), subscriberOf({ want: { kind: 'ids', ids: new Set(['a']) } })];
  for (const { subscriber } of all) hub.join(subscriber);
  pass(10);
  publish();
  assert.deepEqual([hub.flushedSeq, hub.stats.writes, all.map(({ outlet }) => outlet.writes)], [1, 0, [[], []]]);
});
