/** WA: the transport of `rosterd watch`, which looks like a WebSocket to the client library. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakePeer, type Frame, fakeLive } from '../../support/live/fake-live.ts';
import { event, ok, watchUntil } from '../../support/live/fake-watcher.ts';

for (const transport of ['websocket', 'polling'] as const) {
  test(`WA33 a token that ends soon is replaced on the same connection, and the goodbye is heard (${transport})`, async (t) => {
    const refreshes: Frame[] = [];
    let gone: Promise<string> | undefined;
    const daemon = await fakeLive(t, [
      (peer: FakePeer) => {
        gone = peer.gone;
        peer.answer('refresh', (frame) => {
          refreshes.push(frame);
          peer.send(event(11));
          return { token_exp: 2 };
        });
        peer.send(ok, { type: 'token.expiring', created_at: '2026-05-17T14:35:23.313097Z', exp: 1 });
      },
    ]);
    let made = 0;
    const { end, seqs } = await watchUntil(daemon.url, 1, { transports: [transport], token: () => `t${++made}` });
    assert.deepEqual([end, seqs, refreshes], [{ kind: 'stopped' }, [11], [{ token: 't2' }]]);
    assert.equal(daemon.connects.length, 1);
    assert.equal(await gone, 'client namespace disconnect');
  });
}

test('WA34 a refused connect that says when to come back is repeated then', async (t) => {
  const refuse = { code: 9, StatusCode: 429, message: 'too many requests', retry_ms: 4_000 };
  const daemon = await fakeLive(t, [{ refuse }, (peer) => peer.send(ok, event(11))]);
  const { seqs, pauses } = await watchUntil(daemon.url, 1);
  assert.deepEqual([seqs, pauses], [[11], [4_500]]);
});

test('WA34 so is one that was refused for the moment, after which only the transport ended', async (t) => {
  const error = { code: 9, StatusCode: 429, message: 'too many requests' };
  const daemon = await fakeLive(t, [
    (peer) => {
      const closed = { type: 'connection.closed', code: 4429, reason: 'too many requests', reconnect: true };
      peer.send({ type: 'connection.error', error, retry_ms: 4_000 }, closed);
    },
    (peer) => peer.send(ok, event(11)),
  ]);
  const { seqs, pauses, talk } = await watchUntil(daemon.url, 1);
  assert.deepEqual([seqs, pauses], [[11], [4_500]]);
  assert.match(talk[0] ?? '', /not connected \(.*too many requests/);
});
