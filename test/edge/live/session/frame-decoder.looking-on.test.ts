/** CO10: the frames that a live connection of the console may send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeLookingOn } from '../../../../daemon/edge/live/session/frame-decoder.ts';
import type { CLIENT_FRAMES } from '../../../../protocol/live/client-frames.ts';

const FRAMES: Readonly<Record<keyof typeof CLIENT_FRAMES, object>> = {
  connect: { subs: [{ sub: 'tail', all: true, snapshot: false }] },
  sub: { sub: 'one', ids: ['ann'] },
  page: { sub: 'one', more: 'x' },
  unsub: { sub: 'one' },
  update: { user_id: 'ann', set: { name: 'Ann' } },
  upsert: { users: { ann: { id: 'ann' } } },
  refresh: { token: 'x' },
  ack: { seq: 1 },
  ping: {},
};

test('CO10 the console looks on: every frame that writes is refused, with its name', () => {
  for (const [op, frame] of Object.entries(FRAMES)) {
    const decoded = decodeLookingOn(JSON.stringify({ op, id: '1', ...frame }));
    if (['connect', 'sub', 'page', 'unsub', 'ping'].includes(op)) assert.equal(decoded.kind, 'frame', op);
    else assert.deepEqual(decoded, { kind: 'invalid', op, id: '1', reason: `${op}: the console only looks on` });
  }
  const durable = decodeLookingOn(JSON.stringify({ op: 'connect', id: '1', durable: 'mine' }));
  assert.deepEqual(durable, { kind: 'invalid', op: 'connect', id: '1', reason: 'durable: the console only looks on' });
  assert.equal(decodeLookingOn('no frame').kind, 'bad');
});
