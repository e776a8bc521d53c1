/** HB7: what a subscriber wants may change while it reads the past; nothing that was read for what it wanted before counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';

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
