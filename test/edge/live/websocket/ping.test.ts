/** MX4: the time that a ping brings back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pingNow, roundTripMs } from '../../../../daemon/edge/live/websocket/ping.ts';

test('MX4 a pong says how long it took, and content that no ping had says nothing', () => {
  const ms = roundTripMs(pingNow(), 60_000);
  assert.ok(ms !== undefined && ms >= 0 && ms < 60_000);
  const written = (value: number): Buffer => {
    const content = Buffer.alloc(8);
    content.writeDoubleBE(value);
    return content;
  };
  for (const odd of [
    Buffer.alloc(0),
    Buffer.alloc(9),
    written(Number.NaN),
    written(-1e12),
    written(1e12),
    written(Number.POSITIVE_INFINITY),
  ])
    assert.equal(roundTripMs(odd, 60_000), undefined);
});
