/** BU4: filters that take long hold up nobody, and lose nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesOf, type Tellable } from '../../../daemon/pipeline/tell/frames-of.ts';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { PresenceChange } from '../../../daemon/pipeline/tell/presence-change.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { batchOf } from '../../../daemon/pipeline/tell/user-event.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeOutlet, openRoster, subscribe, upsert } from '../../support/live/hub-kit.ts';

const filter = (name: string) => ({ kind: 'filter' as const, filter: new SharedFilter(parseFilter({ name: { $q: name } }), 100) });

test('BU4 when the time is over, subscribers that were not judged are left for later, and get none of the events before', async () => {
  const roster = await openRoster();
  const slow = subscribe(roster, 'slow', filter('x')).subscriber;
  const quick = subscribe(roster, 'quick', { kind: 'ids', ids: new Set(['u']) }).subscriber;
  const told: Tellable[] = ['u', 'v'].map((id) => ({
    id,
    before: undefined,
    after: undefined,
    text: () => id,
    frame: () => Buffer.from(id),
    release: () => {},
  }));
  let nowMs = 0;
  const { frames, late } = framesOf(
    told,
    new Set([quick, slow]),
    () => {
      nowMs++;
      return '';
    },
    () => nowMs,
  );
  assert.deepEqual([...late], [slow]);
  assert.deepEqual([...frames.keys()], [quick], 'it gets none of the first event either: it reads all of them later');
  assert.equal(frames.get(quick)?.length, 2);
});

test('BU4 with filters that take long, everyone gets everything once and in order, and quick ones do not wait', async () => {
  const roster = await openRoster(1 << 24);
  const outlets: FakeOutlet[] = [];
  for (let n = 0; n < 30; n++) {
    const { outlet, subscriber } = subscribe(roster, `f${n}`, filter('note'));
    const interest = subscriber.interests.get(`f${n}`);
    assert.ok(interest instanceof Interest && interest.want.kind === 'filter');
    const { matches } = interest.want.filter;
    // Half a millisecond for each judgement.
    interest.want.filter.matches = (user, online) => {
      const endsMs = performance.now() + 0.5;
      while (performance.now() < endsMs);
      return matches.call(interest.want.kind === 'filter' ? interest.want.filter : undefined, user, online);
    };
    outlets.push(outlet);
  }
  const all = subscribe(roster, 'all', { kind: 'all' });
  for (let n = 0; n < 40; n++) {
    await upsert(roster, [`u${n}`], `note ${n}`);
    roster.hub.flush();
    assert.equal(all.outlet.events.length, n + 1, 'whoever has no filter has it at once');
  }
  await eventually(() => outlets.every(({ events }) => events.length >= 40));
  const ids = Array.from({ length: 40 }, (_, n) => `u${n}`);
  for (const outlet of outlets)
    assert.deepEqual(
      outlet.events.map(({ user }) => user.id),
      ids,
    );
});

test('BU4 a subscriber whose filter had no time reads all of the events from the past, and learns anew of the presence that it missed', (t) => {
  let nowMs = 0;
  const lost: Subscriber[] = [];
  const hub = new Hub({
    ...{ seq: 7, outboxBytesMax: 10_000, gatherMs: 2, nowMs: () => nowMs, catchUp: (one: Subscriber) => void lost.push(one) },
  });
  t.after(() => hub.flush());
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  const interest = new Interest({ name: 's', want: filter('x'), since: 0, reach: 'server' });
  subscriber.interests.set('s', interest);
  const { concerns } = interest;
  interest.concerns = (event) => {
    nowMs += 3;
    return concerns.call(interest, event);
  };
  hub.join(subscriber);
  const user = { id: 'u', name: 'x', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
  const fact = { t: 'user', event: 'updated', user } as const;
  const changes = [8, 9].map((seq) => ({ seq, fact, before: user, after: user }));
  const lookups = { user: () => undefined, online: () => false, exportUrl: () => undefined };
  hub.publish(batchOf({ id: 'e', first: 8, time: 1, facts: [fact, fact] }, changes, lookups));
  assert.deepEqual(subscriber.state, { kind: 'behind', position: 7, onCaughtUp: undefined });
  assert.deepEqual([lost, outlet.writes, subscriber.missedPresence, hub.stats.fellBehind], [[subscriber], [], false, 0]);
  hub.publishPresence([new PresenceChange(user, true, 1, 9)]);
  assert.equal(subscriber.missedPresence, true);
});

test('BU4 PR7 a subscriber whose filter had no time for a change of presence learns of it anew', (t) => {
  let nowMs = 0;
  const hub = new Hub({ seq: 7, outboxBytesMax: 10_000, gatherMs: 2, nowMs: () => (nowMs += 4), catchUp: () => {} });
  t.after(() => hub.flush());
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', new Interest({ name: 's', want: filter('x'), since: 0, reach: 'server', wantsPresence: true }));
  hub.join(subscriber);
  const user = { id: 'u', name: 'x', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
  hub.publishPresence([new PresenceChange(user, true, 1, 7)]);
  assert.deepEqual([subscriber.state.kind, outlet.writes, subscriber.missedPresence], ['behind', [], true]);
});

test('BU4 filters are judged for three milliseconds, and what was judged by then is sent', () => {
  const judged = (ms: number): number => {
    let nowMs = 0;
    const subscriber = new Subscriber(new FakeOutlet(), 'live');
    subscriber.interests.set('s', new Interest({ name: 's', want: filter('x'), since: 0, reach: 'server' }));
    const told: Tellable[] = Array.from({ length: 3 }, (_, n) => ({
      ...{ id: `u${n}`, before: undefined, after: undefined, text: () => '', frame: () => Buffer.from('x'), release: () => {} },
    }));
    let count = 0;
    const { frames, late } = framesOf(
      told,
      new Set([subscriber]),
      () => {
        nowMs += ms;
        count++;
        return '';
      },
      () => nowMs,
    );
    assert.equal(late.has(subscriber), count < 3);
    assert.equal(frames.get(subscriber)?.length, count < 3 ? undefined : 3);
    return count;
  };
  assert.deepEqual([judged(3), judged(1.5), judged(1.4)], [1, 2, 3]);
});
