/** What a transport may give the client (CL71), and what the bundle repeats of the schemas (CL31). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { FRAME_BYTES, SUBPROTOCOL } from '../../../../protocol/client/link/socket.ts';
import { TokenKeeper } from '../../../../protocol/client/tokens/token-keeper.ts';
import { LIVE_SUBPROTOCOL } from '../../../../protocol/live/client-frames.ts';
import { bareLink, settle, socket } from '../../../support/live/fake-socket.ts';

test('CL71 a transport may give frames that it has read; anything else that is no text cuts the connection', async () => {
  for (const [data, kind] of [
    [{ type: 'health.check', seq: 11 }, 'open'],
    [Buffer.from('{"type":"health.check","seq":11}'), 'waiting'],
    [[{ type: 'health.check' }], 'waiting'],
    [undefined, 'waiting'],
  ] as const) {
    const { link: made } = bareLink({});
    const opening = made.open(new TokenKeeper('token'));
    await settle();
    socket().welcome();
    await opening;
    socket().emit('message', { data });
    assert.equal(made.state.kind, kind);
    made.close();
  }
});

test('CL31 what the bundle repeats of the schemas is what they say', () => {
  assert.deepEqual([SUBPROTOCOL, FRAME_BYTES], [LIVE_SUBPROTOCOL, LIMITS.frameBytes]);
});
