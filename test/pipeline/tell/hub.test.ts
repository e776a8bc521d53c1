/** The hub and the catch-up on sockets that the test controls: rules HB1–HB5, HB9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { FakeOutlet, OUTBOX_BYTES_MAX, openRoster, subscribe, upsert } from '../../support/live/hub-kit.ts';
import { sized } from '../../support/long.ts';
import { seeded, testOption } from '../../support/random.ts';

/** Of random readers. */
const STEPS = sized(300, 600);

const batch = (n: number, of = 10) => Array.from({ length: of }, (_, i) => `u${n * of + i}`);

test('HB1 every subscriber gets the events that concern it, once and in order', async () => {
  const roster = await openRoster();
  const all = subscribe(roster, 'all', { kind: 'all' });
  const some = subscribe(roster, 'some', { kind: 'ids', ids: new Set(['u3', 'u17']) });
  for (let n = 0; n < 5; n++) await upsert(roster, batch(n));
  for (const { subscriber } of [all, some]) roster.hub.settle(subscriber);
  assert.deepEqual(
    all.outlet.events.map(({ seq }) => seq),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    some.outlet.events.map(({ user, sub }) => [user.id, sub]),
    [
      ['u3', ['some']],
      ['u17', ['some']],
    ],
  );
});

test('HB2 subscribers that are told the same share the same bytes', async () => {
  const roster = await openRoster();
  const first = subscribe(roster, 'all', { kind: 'all' });
  const second = subscribe(roster, 'all', { kind: 'all' });
  const filter = new SharedFilter(parseFilter({ id: { $in: ['u1'] } }), 100);
  const third = subscribe(roster, 'one', { kind: 'filter', filter });
  const fourth = subscribe(roster, 'one', { kind: 'filter', filter });
  await upsert(roster, batch(0));
  for (const { subscriber } of [first, second, third, fourth]) roster.hub.settle(subscriber);
  assert.equal(first.outlet.writes[0], second.outlet.writes[0]);
  assert.equal(third.outlet.writes[0], fourth.outlet.writes[0]);
});

test('HB3 a batch reaches a socket in one write', async () => {
  const roster = await openRoster();
  const { outlet, subscriber } = subscribe(roster, 'all', { kind: 'all' });
  await upsert(roster, batch(0, 100));
  roster.hub.settle(subscriber);
  assert.equal(outlet.events.length, 100);
  assert.equal(outlet.writes.length, 1);
});

test('HB4 the first event of a quiet moment leaves at once, those that follow closely share a write', async () => {
  const roster = await openRoster();
  const { outlet } = subscribe(roster, 'all', { kind: 'all' });
  await upsert(roster, ['first']);
  assert.equal(outlet.writes.length, 1, 'it does not wait for others');
  for (let n = 0; n < 200; n++) await upsert(roster, [`u${n}`]);
  roster.hub.flush();
  assert.equal(outlet.events.length, 201);
  assert.ok(outlet.writes.length < 150, `${outlet.writes.length} writes for 201 events that followed one another`);
});

test('HB5 a subscriber that does not read costs its bound, delays nobody, and later gets everything once', async () => {
  for (const historyBytes of [1 << 24, 100_000]) {
    const roster = await openRoster(historyBytes);
    const slow = subscribe(roster, 'all', { kind: 'all' });
    const quick = subscribe(roster, 'all', { kind: 'all' });
    slow.outlet.isReading = false;
    for (let n = 0; n < 100; n++) await upsert(roster, batch(n), 'x'.repeat(300));
    roster.hub.flush();
    while (quick.outlet.events.length < 1_000) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(slow.outlet.peakBytes < OUTBOX_BYTES_MAX + 256 * 1024, `${slow.outlet.peakBytes} bytes were queued`);
    assert.ok(roster.hub.stats.fellBehind > 0);
    slow.outlet.read();
    while (slow.outlet.events.length < 1_000) await new Promise((resolve) => setImmediate(resolve));
    await upsert(roster, ['last']);
    while (slow.outlet.events.length < 1_001) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(slow.outlet.events, quick.outlet.events, `with a history of ${historyBytes} bytes`);
  }
});

test('HB9 whoever reads the past goes live although something happens before each of its turns', async () => {
  const roster = await openRoster();
  await upsert(roster, batch(0));
  const outlet = new FakeOutlet();
  let rounds = 0;
  const drained = async (): Promise<boolean> => {
    await upsert(roster, [`during${rounds}`]);
    roster.hub.flush();
    return ++rounds < 20;
  };
  const subscriber = new Subscriber(Object.assign(outlet, { drained }), 'live');
  subscriber.interests.set('all', new Interest({ name: 'all', want: { kind: 'all' }, since: 0, reach: 'server' }));
  await new Promise<void>((resolve) => {
    roster.hub.joinFrom(subscriber, 0, resolve);
    setTimeout(resolve, 1_000).unref();
  });
  assert.deepEqual(subscriber.state, { kind: 'live' });
  assert.equal(rounds, 1);
  await upsert(roster, ['after']);
  roster.hub.flush();
  assert.deepEqual(
    outlet.events.map(({ seq }) => seq),
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
});

test('HB5 random readers: whatever is paused, added or left when, everyone gets its own events once and in order', async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const roster = await openRoster(60_000);
  const readers: { outlet: FakeOutlet; subscriber: Subscriber; from: number; wants: (id: string) => boolean }[] = [];
  const announced: { seq: number; id: string }[] = [];
  roster.onEvents((events) => announced.push(...events.map(({ seq, id }) => ({ seq, id }))));
  for (let step = 0; step < STEPS; step++) {
    const chance = random();
    if (chance < 0.1 && readers.length < 30) {
      const ids = new Set(Array.from({ length: 20 }, () => `u${Math.floor(random() * 60)}`));
      const isAll = random() < 0.5;
      const wants = isAll ? () => true : (id: string) => ids.has(id);
      // The hub flushes when somebody joins, so the position it joins at is the directory's.
      readers.push({ ...subscribe(roster, 'r', isAll ? { kind: 'all' } : { kind: 'ids', ids }), from: roster.directory.seq, wants });
    } else if (chance < 0.2) {
      const reader = readers[Math.floor(random() * readers.length)];
      if (reader !== undefined) reader.outlet.isReading = false;
    } else if (chance < 0.3) {
      readers[Math.floor(random() * readers.length)]?.outlet.read();
    } else {
      const count = 1 + Math.floor(random() * 30);
      const ids = new Set(Array.from({ length: count }, () => `u${Math.floor(random() * 60)}`));
      await upsert(roster, [...ids], `${step}${'x'.repeat(Math.floor(random() * 500))}`);
    }
  }
  await upsert(roster, ['last']);
  roster.hub.flush();
  for (const { outlet, from, wants } of readers) {
    outlet.read();
    const expected = announced.filter(({ seq, id }) => seq > from && wants(id)).map(({ seq }) => seq);
    while (outlet.events.length < expected.length) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      outlet.events.map(({ seq }) => seq),
      expected,
      `seed ${seed}`,
    );
  }
});

test('HB5 what fills the queue exactly is still handed over; one byte more is read from the past, and nothing is lost', async () => {
  const roster = await openRoster();
  const { outlet, subscriber } = subscribe(roster, 'all', { kind: 'all' });
  await upsert(roster, ['ann']);
  const bytes = outlet.writes[0]?.length ?? 0;
  for (const [room, state] of [
    [0, 'live'],
    [-1, 'behind'],
  ] as const) {
    outlet.isReading = false;
    outlet.queuedBytes = OUTBOX_BYTES_MAX - bytes + -room;
    const before = outlet.writes.length;
    await upsert(roster, [room === 0 ? 'bob' : 'cem']);
    roster.hub.flush();
    assert.equal(subscriber.state.kind, state);
    assert.equal(outlet.writes.length, before + (state === 'live' ? 1 : 0));
    outlet.read();
  }
  while (subscriber.state.kind !== 'live') await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    outlet.events.map(({ user }) => user.id),
    ['ann', 'bob', 'cem'],
  );
  // However long a write is, it goes out when nothing waits before it.
  outlet.queuedBytes = 0;
  await upsert(
    roster,
    Array.from({ length: 100 }, (_, n) => `u${n}`),
    'x'.repeat(1_000),
  );
  assert.equal(subscriber.state.kind, 'live');
  assert.ok((outlet.writes.at(-1)?.length ?? 0) > OUTBOX_BYTES_MAX);
});
