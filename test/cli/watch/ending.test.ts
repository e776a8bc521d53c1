/** WA: how connections of `rosterd watch` end, which endings are final, and what is said about them. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { runCli } from '../../../daemon/cli/commands.ts';
import { type Frame, fakeLive } from '../../support/live/fake-live.ts';
import { event, ok, watchUntil } from '../../support/live/fake-watcher.ts';
import { fakeIo } from '../../support/sync/fake-server.ts';

const closes: [number, Frame | undefined, boolean][] = [
  [4401, { code: 43, message: 'the token signature is invalid' }, true],
  [4401, { code: 40, message: 'the token has expired' }, false],
  [4400, undefined, true],
  [4403, { code: 17, message: 'not allowed' }, true],
  [4409, undefined, true],
  [4408, undefined, false],
  [4429, { code: 9, message: 'too many' }, false],
  [1000, undefined, false],
  [1013, undefined, false],
  [4099, undefined, false],
  [4499, undefined, true],
];
for (const [code, error, isFinal] of closes) {
  test(`WA5 a close with ${code}${error === undefined ? '' : ` after error ${error.code}`} ${isFinal ? 'ends it' : 'is tried again'}`, async (t) => {
    const daemon = await fakeLive(t, [
      (peer) => {
        if (error !== undefined) peer.send({ type: 'connection.error', error });
        peer.close(code, 'goodbye');
      },
      (peer) => peer.send(ok, event(11)),
    ]);
    const { end } = await watchUntil(daemon.url, 1);
    assert.deepEqual(end, isFinal ? { kind: 'refused', reason: error?.message ?? 'goodbye' } : { kind: 'stopped' });
  });
}

test('WA6 a subscription that is refused ends it', async (t) => {
  const refusal = { code: 4, message: 'filter: unknown operator $foo', StatusCode: 400 };
  const interest = { filter: { role: { $foo: 1 } } };
  for (const script of [(peer: { send(...frames: Frame[]): void }) => peer.send(ok, { error: refusal }), { refuse: refusal }]) {
    const daemon = await fakeLive(t, [script]);
    const { end } = await watchUntil(daemon.url, 1, { interest });
    assert.deepEqual(end, { kind: 'refused', reason: 'filter: unknown operator $foo' });
  }
});

test('WA7 an address without Socket.IO ends it; one that nobody listens on is tried again, ever more slowly', async (t) => {
  const daemon = await fakeLive(t, [() => {}]);
  const { end } = await watchUntil(`${daemon.url}/elsewhere`, 1);
  assert.equal(end.kind, 'refused');
  assert.match(end.kind === 'refused' ? end.reason : '', /answers 4/);
  const { pauses, talk } = await watchUntil('http://127.0.0.1:1', 0);
  assert.deepEqual(pauses, [500, 1_000, 2_000]);
  assert.match(talk[0] ?? '', /ECONNREFUSED/);
});

test('WA9 something that does not speak the live protocol ends it', async (t) => {
  const reason = 'the daemon sent something that is not a frame of roster.v1';
  const strange = [
    (peer: { send(...frames: unknown[]): void }) => peer.send('hello'),
    (peer: { send(...frames: unknown[]): void }) => peer.send(event(11)),
    (peer: { sendRaw(packet: string): void }) => peer.sendRaw('hello'),
    (peer: { sendRaw(packet: string): void }) => peer.sendRaw('4hello'),
  ];
  for (const script of strange) {
    const daemon = await fakeLive(t, [script]);
    assert.deepEqual((await watchUntil(daemon.url, 1)).end, { kind: 'refused', reason });
  }
});

test('WA12 a refusal is told on stderr and ends with 1', async (t) => {
  const daemon = await fakeLive(t, [{ refuse: { code: 5, message: 'authentication failed', StatusCode: 401 } }]);
  const io = fakeIo({ cwd: '/', env: { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' } });
  assert.equal(await runCli(['watch', '--url', daemon.url], io, { serve: () => assert.fail() }), 1);
  assert.deepEqual([io.stdout.text, io.stderr.text], ['', 'rosterd: authentication failed\n']);
});

const refusals: [Frame, boolean][] = [
  [{ code: 2, StatusCode: 401, message: 'api_key not valid' }, true],
  [{ code: 43, StatusCode: 401, message: 'the token signature is invalid' }, true],
  [{ code: 42, StatusCode: 401, message: 'the token was issued in the future' }, true],
  [{ code: 17, message: 'not allowed' }, true],
  [{ code: 40, StatusCode: 401, message: 'the token has expired' }, false],
  [{ code: 9, StatusCode: 429, message: 'too many requests' }, false],
  [{ code: -1, StatusCode: 503, message: 'the server restarts' }, false],
  [{ code: -1, message: 'internal error' }, false],
];
for (const [error, isFinal] of refusals) {
  test(`WA15 a connect refused with code ${error.code} (${error.message}) ${isFinal ? 'ends it' : 'is tried again'}`, async (t) => {
    const daemon = await fakeLive(t, [{ refuse: error }, (peer) => peer.send(ok, event(11))]);
    const { end, talk } = await watchUntil(daemon.url, 1);
    assert.deepEqual(end, isFinal ? { kind: 'refused', reason: error.message } : { kind: 'stopped' });
    if (!isFinal) assert.equal(talk[0], `not connected (${error.message}); trying again in 0.5 s`);
  });
}

test('WA16 being turned away before the handshake is told with its reason, and ends it unless it passes', async (t) => {
  let reason: string | undefined = '403 Forbidden';
  const daemon = await fakeLive(t, [(peer) => peer.send(ok, event(11))], { refusal: () => reason });
  assert.deepEqual((await watchUntil(daemon.url, 1)).end, { kind: 'refused', reason: 'the daemon answers 403 Forbidden' });
  for (reason of ['503 Service Unavailable', '429 Too Many Requests']) {
    const { end, talk } = await watchUntil(daemon.url, 0);
    assert.deepEqual(end, { kind: 'stopped' });
    assert.equal(talk[0], `not connected (the daemon answers ${reason}); trying again in 0.5 s`);
  }
  const before = daemon.turnedAway;
  const { seqs } = await watchUntil(daemon.url, 1, {
    onConnected: () => {
      reason = undefined;
    },
  });
  assert.deepEqual(seqs, [11]);
  assert.ok(daemon.turnedAway > before);
});

test('WA30 a redirect is not followed: it is told and ends it', async (t) => {
  const server = createServer((_request, response) => response.writeHead(302, { Location: 'https://example.com/login' }).end());
  let requests = 0;
  server.on('upgrade', (_request, socket) => {
    requests++;
    socket.end('HTTP/1.1 302 Found\r\nLocation: https://example.com/login\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  server.on('request', () => requests++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const { end } = await watchUntil(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 1);
  assert.deepEqual(end, { kind: 'refused', reason: 'the daemon answers 302' });
  assert.equal(requests, 1);
});

test('WA31 a connection that the daemon has forgotten in the middle is made anew', async (t) => {
  const handshake = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":35000,"maxPayload":65536}';
  let posts = 0;
  const server = createServer((incoming, response) => {
    // A connect that is answered by a daemon which was started anew after the handshake.
    if (incoming.method === 'POST') {
      posts++;
      response.writeHead(400).end('{"code":1,"message":"Session ID unknown"}');
    } else if (!incoming.url?.includes('sid=')) response.writeHead(200).end(handshake);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { end } = await watchUntil(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 0, { transports: ['polling'] });
  assert.deepEqual(end, { kind: 'stopped' });
  assert.ok(posts >= 3, `${posts} connects`);
});
