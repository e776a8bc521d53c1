/** HB2, LV44, PV7, BU4: how the hub sees a receiver, by what it asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interest, type InterestOptions, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { FakeOutlet } from '../../support/live/hub-kit.ts';

const ALL: Want = { kind: 'all' };
const ME: Want = { kind: 'ids', ids: new Set(['me']) };
const TEAM: Want = { kind: 'teams', teams: new Set(['red']) };
const FILTER: Want = { kind: 'filter', filter: new SharedFilter(parseFilter({ id: 'me' }), 10) };

const interest = (want: Want, more: Partial<InterestOptions> = {}): Interest =>
  new Interest({ name: 's', want, since: 0, reach: 'server', ...more });

function subscriberOf(...interests: readonly Interest[]): Subscriber {
  const subscriber = new Subscriber(new FakeOutlet(), 'live');
  for (const one of interests) subscriber.interests.set(Symbol(), one);
  return subscriber;
}

test('HB2 a subscriber of everything shares whole batches, unless another interest adds a name to them', () => {
  const all = interest(ALL);
  const self = interest(ME, { name: '' });
  assert.equal(subscriberOf().onlyAll, undefined);
  assert.equal(subscriberOf(self).onlyAll, undefined);
  for (const interests of [[all], [self, all], [all, self], [self, all, self]]) assert.equal(subscriberOf(...interests).onlyAll, all);
  for (const other of [
    interest(ME),
    interest(ME, { name: '', wantsPresence: true }),
    interest(TEAM, { name: '' }),
    interest(FILTER, { name: '' }),
    interest(TEAM),
    interest(ALL, { name: 'other' }),
  ]) {
    assert.equal(subscriberOf(all, other).onlyAll, undefined);
    assert.equal(subscriberOf(other, all).onlyAll, undefined);
  }
  for (const reach of ['self', 'others'] as const) assert.equal(subscriberOf(interest(ALL, { reach })).onlyAll, undefined, reach);
});

test('LV44 BU4 one interest is enough to be confined, or to take work', () => {
  const plain = interest(ALL);
  const confined = interest(ALL, { sight: () => true });
  const filtered = interest(FILTER);
  assert.deepEqual([subscriberOf().isConfined, subscriberOf(plain, plain).isConfined], [false, false]);
  assert.deepEqual([subscriberOf(plain, confined).isConfined, subscriberOf(confined, plain).isConfined], [true, true]);
  assert.deepEqual([subscriberOf().hasFilter, subscriberOf(plain, interest(ME), interest(TEAM)).hasFilter], [false, false]);
  assert.deepEqual([subscriberOf(plain, filtered).hasFilter, subscriberOf(filtered, plain).hasFilter], [true, true]);
});

test('PV7 a server sees all of everybody, a client all of itself, and nobody without a user all of anyone', () => {
  const privy = (owner?: string): boolean[] => ['me', 'you', ''].map((id) => new Subscriber(new FakeOutlet(), 'live', owner).isPrivyTo(id));
  assert.deepEqual(
    [privy(), privy('me'), privy('').slice(0, 2)],
    [
      [true, true, true],
      [true, false, false],
      [false, false],
    ],
  );
});
