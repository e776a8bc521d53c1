/** LV17: a subscriber that stops reading is not buffered for; it is fed again from where it was, or closed so that it resumes. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { SocketOutlet } from '../../../daemon/edge/live/websocket/outlet.ts';
import { World } from '../../support/world.ts';

test('LV17 a paused socket holds no memory, and gets every event once when it reads again', async (t) => {
  const world = await World.start(t, { flags: { 'outbox-bytes-max': '65536', 'history-bytes': '65536' } });
  const slow = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  const quick = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  slow.ws.pause();
  const rounds = 120;
  for (let round = 0; round < rounds; round++) {
    await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, custom: { round, pad: 'x'.repeat(600) } })));
  }
  await quick.until(({ user }) => user?.custom.round === rounds - 1 && user.id === 'u99');
  assert.ok(world.daemon.roster.hub.stats.fellBehind > 0, 'the paused socket was switched to reading the past');
  slow.ws.resume();
  await slow.until(({ user }) => user?.custom.round === rounds - 1 && user.id === 'u99');
  assert.deepEqual(
    slow.events.map(({ seq }) => seq),
    quick.events.map(({ seq }) => seq),
  );
});

test('LV17 a peer that takes nothing for the stall time is closed with 4013', async (t) => {
  const server: Server = createServer();
  t.after(() => server.close());
  const wss = new WebSocketServer({ noServer: true });
  const traffic = { framesSent: 0, bytesSent: 0, bytesReceived: 0 };
  const outlet = new Promise<SocketOutlet>((resolve) => {
    server.on('upgrade', (request, socket, head) => {
      wss.handleUpgrade(request, socket, head, (ws) => resolve(new SocketOutlet(ws, socket, 100, traffic)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const peer: Socket = connect(address.port, '127.0.0.1');
  t.after(() => peer.destroy());
  peer.write(
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const socket = await outlet;
  // The peer reads nothing, so the kernel's buffers fill up and the rest stays in the queue.
  for (let n = 0; n < 200; n++) socket.write(Buffer.alloc(65_536, 0x20), 1);
  assert.equal(await socket.drained(), false);
  assert.deepEqual([traffic.framesSent, traffic.bytesSent, socket.goodbye], [200, 200 * 65_536, 4013]);
  socket.write(Buffer.alloc(10), 1);
  assert.equal(traffic.framesSent, 200, 'nothing is sent after a goodbye');
  assert.ok(socket.queuedBytes > 0);
});
