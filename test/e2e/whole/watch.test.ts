/** WA: `rosterd watch` against a real daemon, by each transport. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { runCli } from '../../../daemon/cli/commands.ts';
import { socketIoClass } from '../../../daemon/cli/watch/socket-io.ts';
import { type WatchEnd, type WatchOptions, watch } from '../../../daemon/cli/watch/watch.ts';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { apiSecret } from '../../../protocol/client/tokens/secret.ts';
import { eventually } from '../../support/eventually.ts';
import { RosterdProcess } from '../../support/process.ts';
import { type FakeIo, fakeIo } from '../../support/sync/fake-server.ts';
import { API_KEY, API_SECRET, serverToken, World } from '../../support/world.ts';

const ENV = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };

async function dataDirectory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'rosterd-watch-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

class Watcher {
  readonly seqs: unknown[] = [];
  readonly ids: string[] = [];
  readonly talk: string[] = [];
  readonly end: Promise<WatchEnd>;
  readonly #stop = new AbortController();

  constructor(t: TestContext, url: string, options: Partial<WatchOptions> = {}) {
    this.end = watch(
      { url, apiKey: API_KEY, token: serverToken, interest: { all: true }, ...options },
      {
        random: () => 0.1,
        onEvent: ({ seq, user }) => {
          this.seqs.push(seq);
          this.ids.push(typeof user === 'object' && user !== null && 'id' in user ? String(user.id) : '');
          return undefined;
        },
        onTalk: (text) => this.talk.push(text),
        stop: this.#stop.signal,
      },
    );
    t.after(() => this.stop());
  }

  said(text: RegExp): Promise<void> {
    return eventually(
      () => this.talk.some((line) => text.test(line)),
      () => `${text} in ${this.talk.join('; ')}`,
    );
  }

  saw(count: number): Promise<void> {
    return eventually(
      () => this.seqs.length >= count,
      () => `${count} events; there are ${this.seqs.length}`,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.end;
  }
}

function command(t: TestContext, args: readonly string[]): { readonly io: FakeIo; readonly ended: Promise<number> } {
  const io = fakeIo({ cwd: '/', env: ENV });
  const ended = runCli(['watch', ...args], io, { serve: () => assert.fail('serve was called') });
  t.after(async () => {
    io.interrupt();
    await ended;
  });
  return { io, ended };
}

const named = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => ({ id: `${prefix}-${n}`, name: `Ünë ${n}` }));

for (const transports of [['websocket'], ['polling']] as const) {
  test(`WA24 every change is handed on once and in order over a restart of the daemon (${transports})`, async (t) => {
    const data = await dataDirectory(t);
    const flags = { listen: `127.0.0.1:${await freePort()}` };
    const first = await World.start(t, { data, flags });
    const watcher = new Watcher(t, first.daemon.url, { transports });
    await watcher.said(/^connected; events after #0 follow/);
    await first.upsert(...named('a', 60));
    await watcher.saw(20);
    await first.upsert(...named('b', 40));
    await first.stop();
    await watcher.said(/^not connected \(/);
    const second = await World.start(t, { data, flags });
    await second.upsert(...named('c', 50));
    await watcher.saw(150);
    await second.upsert({ id: 'last' });
    await watcher.saw(151);
    assert.deepEqual(
      watcher.seqs,
      Array.from({ length: 151 }, (_, n) => n + 1),
    );
    assert.deepEqual(
      watcher.ids,
      [...named('a', 60), ...named('b', 40), ...named('c', 50), { id: 'last' }].map(({ id }) => id),
    );
    assert.ok(watcher.talk.some((line) => /^connected again; resumed after #\d+$/.test(line)));
    assert.ok(!watcher.talk.some((line) => line.startsWith('resync')), watcher.talk.join('\n'));
    await watcher.stop();
    assert.deepEqual(await watcher.end, { kind: 'stopped' });
  });
}

/** A proxy that puts the daemon below `/roster` and knows nothing of WebSockets. */
async function plainProxy(t: TestContext, target: string): Promise<string> {
  const { hostname, port } = new URL(target);
  const proxy = createServer((incoming, outgoing) => {
    const path = incoming.url?.replace(/^\/roster/, '') ?? '/';
    const passed = request({ hostname, port, path, method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  proxy.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    proxy.closeAllConnections();
    return new Promise((resolve) => proxy.close(resolve));
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/roster`;
}

test('WA25 behind a proxy that lets no WebSocket through, below a path, it goes on by long polling', async (t) => {
  const world = await World.start(t);
  const url = await plainProxy(t, world.daemon.url);
  const { io, ended } = command(t, ['--url', url, '--json']);
  await eventually(
    () => io.stderr.text.includes('connected'),
    () => io.stderr.text,
  );
  await world.upsert(...named('u', 30));
  await eventually(
    () => io.stdout.text.split('\n').length > 30,
    () => io.stdout.text,
  );
  const lines = io.stdout.text.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).user.id),
    named('u', 30).map(({ id }) => id),
  );
  io.interrupt();
  assert.equal(await ended, 130);
  assert.equal(io.stderr.text, 'rosterd: connected; events after #0 follow\n');
});

test('WA26 the filter and the key are judged by the daemon, and a refusal ends it', async (t) => {
  const world = await World.start(t);
  const cases: [readonly string[], Record<string, string>, RegExp][] = [
    [['--filter', '{"role":{"$foo":1}}'], {}, /^rosterd: Connect failed with error: ".*\$foo/],
    [[], { ROSTERD_API_KEY: 'other' }, /^rosterd: Connect failed with error: "api_key not valid"/],
    [[], { ROSTERD_API_SECRET: 'x'.repeat(40) }, /^rosterd: Connect failed with error: "the token signature is invalid"/],
  ];
  for (const [args, env, expected] of cases) {
    const io = fakeIo({ cwd: '/', env: { ...ENV, ...env } });
    assert.equal(await runCli(['watch', '--url', world.daemon.url, ...args], io, { serve: () => assert.fail() }), 1);
    assert.match(io.stderr.text, expected);
    assert.equal(io.stdout.text, '');
  }
});

test('WA27 a subscription too big for one frame is refused, not tried for ever', async (t) => {
  const world = await World.start(t);
  const ids = Array.from({ length: 1_000 }, (_, n) => `${n}-${'x'.repeat(80)}`);
  for (const transports of [['websocket'], ['polling']] as const) {
    const watcher = new Watcher(t, world.daemon.url, { transports, interest: { ids } });
    assert.deepEqual(await watcher.end, { kind: 'refused', reason: 'the subscription is too big for one frame' });
  }
});

test('WA28 --presence prints who comes and goes, and tells who is online after a cut', async (t) => {
  const data = await dataDirectory(t);
  const flags = { listen: `127.0.0.1:${await freePort()}`, 'presence-grace-ms': '0' };
  const world = await World.start(t, { data, flags });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const quiet = command(t, ['--url', world.daemon.url, '--ids', 'ann,bob']);
  const { io } = command(t, ['--url', world.daemon.url, '--ids', 'ann,bob', '--presence']);
  const printed = (target: FakeIo, text: RegExp) =>
    eventually(
      () => text.test(target.stdout.text + target.stderr.text),
      () => `${text} in ${target.stdout.text}${target.stderr.text}`,
    );
  await printed(io, /connected;/);
  await printed(quiet.io, /connected;/);
  const ann = await world.chat('ann');
  await printed(io, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}online {3}ann$/m);
  ann.terminate();
  await printed(io, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}offline {2}ann$/m);
  await world.stop();
  await printed(io, /not connected/);
  const second = await World.start(t, { data, flags });
  await second.chat('bob');
  await printed(io, /online now: (bob|nobody)|online {3}bob/);
  await second.upsert({ id: 'ann', name: 'Ann' });
  await printed(quiet.io, /user\.updated {6}ann {2}"Ann"/);
  assert.doesNotMatch(quiet.io.stdout.text + quiet.io.stderr.text, /online|offline/);
});

test('WA29 a process whose output nobody reads for a while gets nothing lost or printed twice, and ends at Ctrl-C', async (t) => {
  const world = await World.start(t);
  const watcher = RosterdProcess.run(['watch', '--url', world.daemon.url, '--json'], { env: ENV });
  t.after(() => watcher.child.kill('SIGKILL'));
  await eventually(
    () => watcher.stderr.includes('connected'),
    () => watcher.stderr,
  );
  let lines = 0;
  watcher.child.stdout?.on('data', (text: string) => {
    lines += text.split('\n').length - 1;
  });
  watcher.child.stdout?.pause();
  // More than it holds, and than lies in the pipe.
  const users = 1_300;
  for (let from = 0; from < users; from += 100) {
    const batch = Array.from({ length: 100 }, (_, n) => ({ id: `u-${from + n}`, bio: 'x'.repeat(8_000) }));
    assert.equal((await world.upsert(...batch)).status, 201);
  }
  await eventually(
    () => watcher.stderr.includes('read too slowly'),
    () => watcher.stderr,
  );
  watcher.child.stdout?.resume();
  await eventually(
    () => lines >= users,
    () => `${lines} lines`,
  );
  assert.deepEqual(
    watcher.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).seq),
    Array.from({ length: users }, (_, n) => n + 1),
  );
  assert.match(watcher.stderr, /connected again; resumed after #\d+/);
  assert.equal((await watcher.kill('SIGINT')).code, 130);
});

for (const transports of [['websocket'], ['polling']] as const) {
  test(`WA35 the whole client library works over its transport (${transports})`, async (t) => {
    const world = await World.start(t);
    await world.upsert(...named('a', 5));
    const webSocket = socketIoClass(transports);
    const client = new RosterClient({ url: world.daemon.url, apiKey: API_KEY, secret: apiSecret(API_SECRET), webSocket });
    t.after(() => client.disconnectUser());
    await client.connect();
    const users = await client.subscribe({ sub: 'all', all: true, limit: 2 });
    assert.deepEqual(
      users.map(({ id }) => id),
      named('a', 5).map(({ id }) => id),
    );
    const heard: number[] = [];
    client.on('user.updated', ({ seq }) => heard.push(seq));
    const ann = await client.update({ user_id: 'a-0', set: { name: 'Änn' } });
    await eventually(
      () => client.users.get('a-0')?.rev === ann.rev,
      () => JSON.stringify(client.users.get('a-0')),
    );
    const refused = (error: unknown): boolean => error instanceof RosterClientError && error.code === 4;
    await assert.rejects(client.subscribe({ sub: 'odd', filter: { role: { $foo: 1 } } }), refused);
    await client.disconnectUser();
    await world.upsert({ id: 'a-1', name: 'Missed' });
    await client.connect();
    await eventually(
      () => heard.length === 2,
      () => `${heard}`,
    );
    assert.deepEqual([heard, client.users.get('a-1')?.name], [[6, 7], 'Missed']);
  });
}
