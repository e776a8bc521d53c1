/** BU4: filters that take long hold up nobody, and lose nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesOf, type Tellable } from '../../../daemon/pipeline/tell/frames-of.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { type FakeOutlet, openRoster, subscribe, upsert } from '../../support/live/hub-kit.ts';

const filter = (name: string) => ({ kind: 'filter' as const, filter: new SharedFilter(parseFilter({ name: { $q: name } }), 100) });

test('BU4 when the time is over, subscribers with a filter are left for later, and all others get their frames', async () => {
  const roster = await openRoster();
  const slow = subscribe(roster, 'slow', filter('x')).subscriber;
  const quick = subscribe(roster, 'quick', { kind: 'ids', ids: new Set(['u']) }).subscriber;
  const told: Tellable[] = ['u', 'v'].map((id) => ({
    id,
    before: undefined,
    after: undefined,
    text: () => id,
    frame: () => Buffer.from(id),
  }));
  let nowMs = 0;
  const { frames, late } = framesOf(
    told,
    () => [slow, quick],
    () => {
      nowMs += 2;
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
  const endsMs = performance.now() + 20_000;
  while (outlets.some(({ events }) => events.length < 40) && performance.now() < endsMs)
    await new Promise((resolve) => setImmediate(resolve));
  const ids = Array.from({ length: 40 }, (_, n) => `u${n}`);
  for (const outlet of outlets)
    assert.deepEqual(
      outlet.events.map(({ user }) => user.id),
      ids,
    );
});
