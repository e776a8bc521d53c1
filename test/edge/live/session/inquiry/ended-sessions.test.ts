/** DW4: the sessions that ended lately, in number and age. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EndedSessions } from '../../../../../daemon/edge/live/session/inquiry/ended-sessions.ts';
import type { SessionTrace } from '../../../../../daemon/edge/live/session/inquiry/explain.ts';
import { Subscriber } from '../../../../../daemon/pipeline/tell/subscriber.ts';

const KEPT = 500;

function traceOf(outlet: { goodbye: number | undefined }): SessionTrace {
  const whole = { ...outlet, queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };
  // The goodbye is read later.
  Object.defineProperty(whole, 'goodbye', { get: () => outlet.goodbye });
  return { subscriber: new Subscriber(whole, 'live'), outlet: whole, since: 1, isResumed: false, durable: undefined };
}

test('DW4 when thousands end at once, the last 500 are kept and no more, each with the goodbye that came just afterwards', async () => {
  let nowMs = 1_000;
  const ended = new EndedSessions({ handedSeq: () => 7, nowMs: () => nowMs });
  const outlets = Array.from({ length: 3_000 }, () => ({ goodbye: undefined as number | undefined }));
  for (const [n, outlet] of outlets.entries()) {
    ended.note({ connection: `c${n}`, userId: undefined, openedMs: 0 }, traceOf(outlet));
    outlet.goodbye = 1012;
  }
  await turn();
  await turn();
  const kept = ended.of(undefined);
  assert.deepEqual([kept.length, kept[0]?.connection, kept.at(-1)?.connection], [KEPT, 'c2999', `c${3_000 - KEPT}`]);
  assert.ok(kept.every((one) => one.ended?.code === 1012));
  nowMs += 60 * 60_000;
  assert.equal(ended.find('c2999'), undefined);
});
