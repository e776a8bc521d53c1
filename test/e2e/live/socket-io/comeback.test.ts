/** SI28, SI29: Socket.IO's own client, with its default options, comes back by itself where another attempt can help. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { io, type Socket } from 'socket.io-client';
import { eventually } from '../../../support/eventually.ts';
import type { Frame } from '../../../support/live/received.ts';
import { RestartingDaemon } from '../../../support/restarting.ts';
import { API_KEY, serverToken, userToken, World } from '../../../support/world.ts';

const PATIENCE_MS = 60_000;

type Transports = readonly ('websocket' | 'polling')[];

/** An application that does nothing for its reconnects but name its position when the client asks for `auth`. */
class Application {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly disconnects: { readonly reason: string; readonly isActive: boolean }[] = [];
  connectErrors = 0;
  #position: { epoch: string; seq: number } | undefined;
  #wake = (): void => {};

  constructor(t: TestContext, url: string, connect: object, transports: Transports) {
    const auth = (give: (auth: object) => void): void => give({ api_key: API_KEY, ...connect, resume: this.#position });
    this.socket = io(url, { auth, transports: [...transports], forceNew: true });
    t.after(() => this.socket.disconnect());
    this.socket.on('connect_error', () => this.connectErrors++);
    this.socket.on('disconnect', (reason) => this.disconnects.push({ reason, isActive: this.socket.active }));
    this.socket.on('event', (frame: Frame) => {
      this.frames.push(frame);
      if (frame.type === 'connection.ok') this.#position = { epoch: frame.epoch, seq: frame.seq };
      else if (frame.type === 'user.updated' && this.#position !== undefined) this.#position.seq = frame.seq;
      this.#wake();
    });
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  get ids(): string[] {
    return this.of('user.updated').map(({ user }) => user.id);
  }

  async until(isSo: () => boolean, what: string): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (!isSo()) {
      const leftMs = deadlineMs - performance.now();
      assert.ok(leftMs > 0, `${what}: ${JSON.stringify(this.frames)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

const ALL = { token: serverToken(), subs: [{ sub: 'all', all: true, snapshot: false }] };

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']] as const;

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`SI29 after ${signal} and a restart every client is back, with every event once and in order`, async (t) => {
    const daemon = await RestartingDaemon.start();
    t.after(() => daemon.remove());
    const apps = TRANSPORTS.map((transports) => new Application(t, daemon.url, ALL, transports));
    const each = (isSo: (app: Application) => boolean, what: string) =>
      Promise.all(apps.map((app, n) => app.until(() => isSo(app), `${what}, by ${TRANSPORTS[n]?.join(' then ')}`)));
    await each((app) => app.of('connection.ok').length === 1, 'the first connect');
    const written = [...(await daemon.write(3))];
    await each((app) => app.ids.length === 3, 'the first changes');
    await daemon.restart(signal);
    written.push(...(await daemon.write(3)));
    await each((app) => app.of('connection.ok').length === 2, 'the connect after the restart');
    written.push(...(await daemon.write(3)));
    await each((app) => app.ids.length >= written.length, 'all changes');
    for (const app of apps) {
      assert.deepEqual(app.ids, written);
      const seqs = app.of('user.updated').map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        [...new Set(seqs)].sort((a, b) => a - b),
      );
      assert.equal(app.of('connection.ok')[1]?.resumed, true);
      const goodbyes = app.of('connection.closed').map(({ code, reconnect }) => ({ code, reconnect }));
      assert.deepEqual(goodbyes, signal === 'SIGTERM' ? [{ code: 1012, reconnect: true }] : []);
      assert.ok(app.disconnects[0]?.isActive, `it comes back after ${app.disconnects[0]?.reason}`);
    }
  });
}

for (const transports of [['websocket'], ['polling']] as const) {
  test(`SI28 a client that is refused for the moment hears why, and comes back by itself (${transports})`, async (t) => {
    const world = await World.start(t, { flags: { 'rate-limit': 'Connect=30' } });
    const ann = { token: userToken('ann') };
    // Thirty a minute, a few at once: one of these is refused.
    const apps = Array.from({ length: 6 }, () => new Application(t, world.daemon.url, ann, transports));
    const refused = (): Application | undefined => apps.find((app) => app.of('connection.error').length > 0);
    for (const app of apps) await app.until(() => app.frames.length > 0 || refused() !== undefined, 'an answer');
    const app = refused();
    assert.ok(app, 'nobody was refused');
    await app.until(() => app.of('connection.closed').length > 0, 'the goodbye');
    const [error, closed] = app.frames;
    assert.equal(error.error.code, 9);
    assert.match(error.error.message, /Connect failed with error/);
    assert.ok(error.retry_ms >= 1_000);
    assert.deepEqual([closed.code, closed.reconnect], [4429, true]);
    await app.until(() => app.of('connection.ok').length > 0, 'the connect that is let in');
    assert.equal(app.connectErrors, 0);
    assert.ok(app.disconnects.every(({ isActive }) => isActive));
  });
}

test('SI28 where no attempt can help, the client does not come back', async (t) => {
  const world = await World.start(t);
  for (const transports of [['websocket'], ['polling']] as const) {
    const app = new Application(t, world.daemon.url, { token: userToken('ann'), user: { id: 'ann' } }, transports);
    await app.until(() => app.of('connection.ok').length > 0, 'the connect');
    await world.http('POST', '/users/ann/deactivate', {});
    await app.until(() => app.of('connection.closed').length > 0, 'the goodbye');
    await eventually(() => app.disconnects.length > 0);
    assert.deepEqual(app.disconnects, [{ reason: 'io server disconnect', isActive: false }]);
    const again = new Application(t, world.daemon.url, { token: userToken('ann') }, transports);
    await eventually(() => again.connectErrors > 0);
    assert.deepEqual([again.connectErrors, again.socket.active], [1, false]);
    await world.http('POST', '/users/ann/reactivate', {});
  }
});
