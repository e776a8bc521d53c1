/** HB5: the bound of what waits for one receiver, to the byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTBOX_BYTES_MAX, openRoster, subscribe, upsert } from '../../support/live/hub-kit.ts';

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
