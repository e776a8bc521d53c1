/** HB5, HB7, HB9, BU4, LV9, LV44: how the past is read, and what happens to a subscriber meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentPast } from '../../../daemon/core/directory/recent-past.ts';
import { CatchUp } from '../../../daemon/pipeline/tell/catch-up.ts';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { Interest, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import type { EventBatch } from '../../../daemon/pipeline/tell/user-event.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { type Log, LogClosed, LogTrimmed } from '../../../store/log.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { lookupsOf } from '../../support/document-kit.ts';
import { FakeOutlet, openRoster, upsert } from '../../support/live/hub-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

/** A log whose readers wait in the middle of reading when a test says so. */
class PausedLog extends MemoryLog {
  /** Called when a reader has an entry in its hands. */
  onRead: (entry: Entry) => Promise<void> = async () => {};

  override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    for await (const entry of super.read(after, signal)) {
      await this.onRead(entry);
      yield entry;
    }
  }
}

const wanting = (want: Want): Interest => new Interest({ name: 's', want, since: 0, reach: 'server' });

/** A subscriber that reads 20 events from `position` on in the log, and what it got; `meanwhile` happens once, during the read. */
async function seqsAfter(
  position: number,
  want: Want,
  meanwhile: (hub: Awaited<ReturnType<typeof openRoster>>['hub'], self: Subscriber) => void,
) {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  // With so little memory, the past is read from the log.
  const roster = await openRoster(1, log);
  for (const n of [0, 1])
    await upsert(
      roster,
      Array.from({ length: 10 }, (_, i) => `u${n * 10 + i + 1}`),
    );
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', wanting(want));
  let reads = 0;
  log.onRead = async () => {
    if (++reads === 1) meanwhile(roster.hub, subscriber);
  };
  await new Promise<void>((resolve) => roster.hub.joinFrom(subscriber, position, resolve));
  assert.ok(reads > 0, 'the log was read');
  return outlet.events.map(({ seq }) => seq);
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('HB7 a subscriber that is sent back while the log is read for it gets everything from there on, once', async () => {
  for (const want of [{ kind: 'all' }, { kind: 'ids', ids: new Set(upTo(20).map((n) => `u${n}`)) }] satisfies Want[]) {
    assert.deepEqual(await seqsAfter(5, want, () => {}), upTo(20).slice(5));
    assert.deepEqual(await seqsAfter(5, want, (hub, self) => hub.rewind(self, 0)), upTo(20));
    assert.deepEqual(await seqsAfter(5, want, (hub, self) => hub.rewind(self, 12)), upTo(20).slice(5), 'it is never sent forward');
  }
});

test('HB7 what was read for earlier interests is not sent', async () => {
  const other = wanting({ kind: 'ids', ids: new Set(['u3', 'u17']) });
  const change: Parameters<typeof seqsAfter>[2] = (hub, self) => hub.change(self, (interests) => void interests.set('s', other));
  assert.deepEqual(await seqsAfter(0, { kind: 'all' }, change), [3, 17]);
  assert.deepEqual(await seqsAfter(0, { kind: 'ids', ids: new Set(['u1', 'u3']) }, change), [3, 17]);
});

test('HB7 nothing is sent to a subscriber that left while the log was read for it', async () => {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(1, log);
  await upsert(roster, ['u1', 'u2']);
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  const left = new Promise<void>((resolve) => {
    log.onRead = async () => {
      roster.hub.leave(subscriber);
      resolve();
    };
  });
  roster.hub.joinFrom(subscriber, 0, () => assert.fail('it caught up'));
  await left;
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(outlet.writes, []);
});

test('LV44 a subscriber that may see only some users is not fed from the log: it is closed and gets nothing', async () => {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(1, log);
  await upsert(roster, ['u1', 'u2']);
  await upsert(roster, ['u3']);
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  const confined = new Interest({ name: 's', want: { kind: 'all' }, since: 0, reach: 'others', sight: () => true });
  subscriber.interests.set('s', confined);
  log.onRead = () => assert.fail('the log was read');
  roster.hub.joinFrom(subscriber, 0, () => assert.fail('it caught up'));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([outlet.closedAs, outlet.writes], ['slow', []]);
});

test('LV44 one that may see only some users is fed from memory, from the first position that it knows', async () => {
  const roster = await openRoster(5_000);
  for (let n = 1; n <= 40; n++) await upsert(roster, [`u${n}`]);
  roster.hub.flush();
  const tail = roster.remembersAfter;
  assert.ok(tail > 1 && tail < 40);
  const read = async (position: number): Promise<unknown> => {
    const outlet = new FakeOutlet();
    const subscriber = new Subscriber(outlet, 'live');
    subscriber.interests.set('s', new Interest({ name: 's', want: { kind: 'all' }, since: 0, reach: 'others', sight: () => true }));
    let isLive = false;
    roster.hub.joinFrom(subscriber, position, () => (isLive = true));
    while (!isLive && outlet.closedAs === undefined) await new Promise((resolve) => setImmediate(resolve));
    return outlet.closedAs ?? outlet.events.map(({ seq }) => seq);
  };
  assert.deepEqual([await read(tail), await read(tail - 1)], [upTo(40).slice(tail), 'slow']);
});

test('BU6 who is online is found out before a subscriber that missed it goes live, and it is told after that', async () => {
  const roster = await openRoster();
  await upsert(roster, ['u1']);
  roster.hub.flush();
  const steps: string[] = [];
  const subscriber = new Subscriber(new FakeOutlet(), 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  subscriber.teller = {
    gatherPresence: async () => {
      steps.push('asked');
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      steps.push('gathered');
    },
    tellPresence: () => void steps.push('told'),
  };
  await new Promise<void>((resolve) => roster.hub.joinFrom(subscriber, 0, () => resolve(void steps.push('live'))));
  assert.deepEqual(steps, ['asked', 'gathered', 'live', 'told']);
});

/** A roster with `count` users in its past, each with a note of `noteBytes`, and what was asked of its log. */
async function past(count: number, { noteBytes = 0, inMemory = false } = {}) {
  const reads: number[] = [];
  class WatchedLog extends MemoryLog {
    open = 0;
    most = 0;

    override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
      reads.push(after);
      this.most = Math.max(this.most, ++this.open);
      try {
        for await (const entry of super.read(after, signal)) {
          await new Promise((resolve) => setImmediate(resolve));
          yield entry;
        }
      } finally {
        this.open--;
      }
    }
  }
  const log = new WatchedLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(inMemory ? 1 << 26 : 1, log);
  for (let from = 1; from <= count; from += 100) {
    const ids = Array.from({ length: Math.min(100, count - from + 1) }, (_, n) => `u${from + n}`);
    await upsert(roster, ids, 'x'.repeat(noteBytes));
  }
  roster.hub.flush();
  // The applier reads, too, for as long as the roster lives.
  reads.length = 0;
  log.most = log.open;
  return { roster, log, reads };
}

/** A subscriber that reads from `position` on, what it got, and the positions at which its socket was empty again. */
async function caughtUp(
  { hub }: Awaited<ReturnType<typeof openRoster>>,
  position: number,
  interest: Interest,
  { conflates = false, form = 'live' as 'live' | 'v1' } = {},
) {
  const outlet = new FakeOutlet();
  const positions: number[] = [];
  const subscriber = new Subscriber(outlet, form);
  subscriber.conflates = conflates;
  subscriber.interests.set('s', interest);
  const { drained } = outlet;
  outlet.drained = () => {
    if (subscriber.state.kind === 'behind') positions.push(subscriber.state.position);
    return drained.call(outlet);
  };
  await new Promise<void>((resolve) => hub.joinFrom(subscriber, position, resolve));
  return { outlet, positions };
}

test('HB9 the past of everything is read in chunks that end at round positions, wherever they begin', async () => {
  for (const inMemory of [true, false]) {
    const { roster } = await past(600, { inMemory });
    for (const [from, expected] of [
      [0, [0, 256, 512]],
      [5, [5, 256, 512]],
      [255, [255, 256, 512]],
      [256, [256, 512]],
      [511, [511, 512]],
      [512, [512]],
      [599, [599]],
    ] as const) {
      const { positions, outlet } = await caughtUp(roster, from, wanting({ kind: 'all' }));
      assert.deepEqual(positions, expected, `from ${from}, in memory: ${inMemory}`);
      assert.deepEqual(
        outlet.events.map(({ seq }) => seq),
        upTo(600).slice(from),
      );
    }
  }
});

test('HB9 those that want the same everything share what is read; another name, form or beginning is read for itself', async () => {
  const { roster, reads } = await past(300);
  const named = (name: string, since = 0): Interest => new Interest({ name, want: { kind: 'all' }, since, reach: 'server' });
  const together = (...all: Promise<{ outlet: FakeOutlet }>[]) => Promise.all(all);
  const [first, second] = await together(caughtUp(roster, 0, named('s')), caughtUp(roster, 0, named('s')));
  assert.deepEqual(reads.splice(0), [0, 256]);
  assert.deepEqual(first?.outlet.events, second?.outlet.events);
  // The whole chunk is kept for those that come later; the one that ended at the head is not, as it would be longer by now.
  await caughtUp(roster, 0, named('s'));
  assert.deepEqual(reads.splice(0), [256]);
  const [other, v1] = await together(caughtUp(roster, 0, named('t')), caughtUp(roster, 0, named('s'), { form: 'v1' }));
  assert.deepEqual(reads.splice(0), [0, 0, 256, 256]);
  assert.deepEqual([other?.outlet.events[0]?.sub, v1?.outlet.events[0]?.sub], [['t'], ['s']]);
  // A subscription that began later than its connection gets only what came after it.
  const late = await caughtUp(roster, 0, named('s', 200));
  assert.deepEqual(reads.splice(0), [0]);
  assert.deepEqual(
    late.outlet.events.map(({ seq }) => seq),
    upTo(300).slice(200),
  );
  assert.equal((await caughtUp(roster, 200, named('s', 200))).outlet.events.length, 100);
  assert.deepEqual(reads.splice(0), [200, 256]);
});

test('HB5 a subscriber that reads the past is handed one chunk of bytes, and more when its socket has taken that', async () => {
  for (const conflates of [false, true]) {
    const { roster } = await past(300, { noteBytes: 2_000, inMemory: true });
    const ids = new Set(upTo(300).map((n) => `u${n}`));
    const { outlet } = await caughtUp(roster, 0, wanting({ kind: 'ids', ids }), { conflates });
    const events = outlet.events.map(({ seq }) => seq);
    assert.deepEqual(events, upTo(300));
    assert.ok(outlet.writes.length > 3);
    for (const { length } of outlet.writes.slice(0, -1)) {
      if (conflates) assert.ok(length < 128 * 1024, `${length} bytes: what it costs is estimated, and never less`);
      else assert.ok(length >= 128 * 1024 && length < 134 * 1024, `${length} bytes`);
    }
  }
});

test('HB9 after a thousand events that do not concern it, a subscriber gives way to others', async () => {
  for (const inMemory of [true, false]) {
    const { roster } = await past(2_100, { inMemory });
    const { positions, outlet } = await caughtUp(roster, 50, wanting({ kind: 'ids', ids: new Set(['u60', 'u2100']) }));
    assert.deepEqual(positions, [50, 1_050, 2_050]);
    assert.deepEqual(
      outlet.events.map(({ user }) => user.id),
      ['u60', 'u2100'],
    );
  }
});

test('BU4 a subscriber with a filter gives way after a few milliseconds, one without goes on', async (t) => {
  const { roster } = await past(10, { inMemory: true });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const judged = (want: Want): Interest => {
    const interest = wanting(want);
    const { concerns } = interest;
    interest.concerns = (event) => {
      nowMs += 1;
      return concerns.call(interest, event);
    };
    return interest;
  };
  const filter: Want = { kind: 'filter', filter: new SharedFilter(parseFilter({ id: { $in: ['u1', 'u9'] } }), 10) };
  const filtered = await caughtUp(roster, 0, judged(filter));
  assert.deepEqual(filtered.positions, [0, 2, 4, 6, 8]);
  assert.deepEqual(
    filtered.outlet.events.map(({ user, ...rest }) => [user.id, 'match' in rest && rest.match]),
    [
      ['u1', 'enter'],
      ['u9', 'enter'],
    ],
  );
  assert.deepEqual((await caughtUp(roster, 0, judged({ kind: 'ids', ids: new Set(['u9']) }))).positions, [0]);
});

test('BU4 LV20 a filter that takes its time does not change what becomes one event, and gives way meanwhile', async (t) => {
  const { roster } = await past(0, { inMemory: true });
  const names = ['u1', 'u2', 'u3', 'u4', 'u5', 'u6'];
  for (let round = 0; round < 5; round++) await upsert(roster, names, `round ${round}`);
  roster.hub.flush();
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const interest = wanting({ kind: 'filter', filter: new SharedFilter(parseFilter({ id: { $exists: true } }), 10) });
  /** When each was judged, and -1 for a turn of others. */
  const turns: number[] = [];
  const { concerns } = interest;
  interest.concerns = (event) => {
    nowMs += 1;
    turns.push(nowMs);
    setImmediate(() => turns.push(-1));
    return concerns.call(interest, event);
  };
  const { outlet, positions } = await caughtUp(roster, 0, interest, { conflates: true });
  assert.deepEqual(positions, [0]);
  assert.deepEqual(
    outlet.events.map(({ seq }) => seq),
    [25, 26, 27, 28, 29, 30],
    'the newest state of each',
  );
  const between = turns.slice(0, turns.lastIndexOf(6)).filter((one) => one === -1).length;
  assert.ok(between >= 2, `others had a turn: ${turns}`);
});

test('HB5 at most four subscribers read the log at the same time', async () => {
  const { roster, log } = await past(20);
  const before = log.open;
  const all = Array.from({ length: 9 }, (_, n) => caughtUp(roster, 0, wanting({ kind: 'ids', ids: new Set([`u${n + 1}`]) })));
  for (const { outlet } of await Promise.all(all)) assert.equal(outlet.events.length, 1);
  assert.deepEqual([log.most - before, log.open - before], [4, 0]);
});

test('LV9 a subscriber whose past is gone, or whose log is closing, is closed without a word; any other error is reported, too', async () => {
  for (const [error, isReported] of [
    [new LogTrimmed(0, 5), false],
    [new LogClosed(), false],
    [new Error('the disk is gone'), true],
  ] as const) {
    const errors: unknown[] = [];
    const failing = {
      read: () => {
        throw error;
      },
    } as unknown as Log;
    const history = new RecentPast<EventBatch>(9, 1);
    const catchUp = new CatchUp({
      ...{ log: failing, history, hub: () => hub, lookups: lookupsOf(new RulesBench()) },
      onError: (one) => void errors.push(one),
    });
    const hub: Hub = new Hub({ seq: 9, outboxBytesMax: 1, gatherMs: 2, nowMs: () => 0, catchUp: (one) => catchUp.start(one) });
    const outlet = new FakeOutlet();
    const subscriber = new Subscriber(outlet, 'live');
    subscriber.interests.set('s', wanting({ kind: 'all' }));
    hub.joinFrom(subscriber, 3, () => assert.fail('it caught up'));
    for (let turn = 0; outlet.closedAs === undefined && turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([outlet.closedAs, errors], ['slow', isReported ? [error] : []]);
  }
});

test('PV7 those that share the past of everything are servers, and see private fields', async () => {
  const { roster } = await past(1, { inMemory: true });
  const privacy_settings = { typing_indicators: { enabled: false } };
  await roster.submit(
    { kind: 'upsert', actor: { kind: 'server' }, users: [{ id: 'ann', custom: {}, privacy_settings }], problems: [] },
    'live',
  );
  roster.hub.flush();
  const { outlet } = await caughtUp(roster, 0, wanting({ kind: 'all' }));
  assert.match(String(outlet.writes), /privacy_settings/);
});

test('BU6 nobody finds out who is online for a subscriber that missed nothing of it', async () => {
  const { roster } = await past(3, { inMemory: true });
  const subscriber = new Subscriber(new FakeOutlet(), 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  subscriber.teller = { gatherPresence: () => assert.fail('it was asked'), tellPresence: () => assert.fail('it was told') };
  roster.hub.join(subscriber);
  await new Promise<void>((resolve) => roster.hub.rewind(subscriber, 0, resolve));
  assert.deepEqual(subscriber.state, { kind: 'live' });
});

test('HB7 a subscriber that left, or has nothing to read, reads nothing', async () => {
  const { roster, reads } = await past(3);
  const { positions } = await caughtUp(roster, 3, wanting({ kind: 'all' }));
  assert.deepEqual([positions, reads], [[3], []]);
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  roster.hub.joinFrom(subscriber, 0, () => assert.fail('it caught up'));
  roster.hub.leave(subscriber);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([reads, outlet.writes, outlet.closedAs], [[], [], undefined]);
});

test('HB5 at most 64 shared chunks are kept; the oldest one gives way', async () => {
  const { roster, reads } = await past(256);
  const read = async (n: number): Promise<number> => {
    reads.length = 0;
    await caughtUp(roster, 0, new Interest({ name: `s${n}`, want: { kind: 'all' }, since: 0, reach: 'server' }));
    return reads.length;
  };
  for (let n = 0; n < 64; n++) assert.equal(await read(n), 1);
  assert.deepEqual([await read(0), await read(63)], [0, 0]);
  assert.equal(await read(64), 1);
  assert.deepEqual([await read(1), await read(63), await read(64), await read(0)], [0, 0, 0, 1]);
});

test('HB5 one that reads the past is live at its end, also where the last entries hold no event', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(1, log);
  await upsert(roster, ['u1', 'u2']);
  const { seq } = roster.directory;
  await roster.submit({ kind: 'active', ids: ['u1', 'u2'] }, 'live');
  assert.equal(roster.directory.seq, seq + 2);
  roster.hub.flush();
  for (const want of [{ kind: 'all' }, { kind: 'ids', ids: new Set(['u2']) }] satisfies Want[]) {
    const outlet = new FakeOutlet();
    const subscriber = new Subscriber(outlet, 'live');
    subscriber.interests.set('s', wanting(want));
    await new Promise<void>((resolve) => roster.hub.joinFrom(subscriber, 0, resolve));
    assert.deepEqual([subscriber.state.kind, outlet.events.map((event) => event.seq)], ['live', want.kind === 'all' ? [1, 2] : [2]]);
    roster.hub.leave(subscriber);
  }
});
