/** WA: `rosterd watch` stays connected, resumes, and says when it cannot. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { runCli } from '../../daemon/cli/commands.ts';
import { type WatchEnd, type WatchOptions, watch } from '../../daemon/cli/watch.ts';
import { formatEvent } from '../../daemon/cli/watch-format.ts';
import { fakeIo } from '../support/fake-server.ts';

type Frame = Record<string, unknown>;
/** What the daemon does on one connection, once its connect frame is there. */
type Script = (socket: WebSocket, connect: Frame) => void;

interface Live {
  readonly url: string;
  readonly connects: Frame[];
  readonly protocols: string[];
}

const ok = { re: '1', type: 'connection.ok', connection_id: 'c', epoch: 'e1', seq: 10, heartbeat_ms: 25_000, resumed: false };
const event = (seq: number, id = 'ann') => ({
  type: 'user.updated',
  seq,
  created_at: '2026-05-17T14:35:23.313097Z',
  user: { id, rev: seq },
});

/** Plays one script per connection; the last one again for those after. */
async function live(t: TestContext, ...scripts: readonly Script[]): Promise<Live> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const wss = new WebSocketServer({ server: http, path: '/live', handleProtocols: (offered) => [...offered][0] ?? false });
  const connects: Frame[] = [];
  const protocols: string[] = [];
  wss.on('connection', (socket) => {
    protocols.push(socket.protocol);
    socket.once('message', (data) => {
      const connect: Frame = JSON.parse(data.toString());
      connects.push(connect);
      scripts[Math.min(connects.length, scripts.length) - 1]?.(socket, connect);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of wss.clients) socket.terminate();
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, connects, protocols };
}

function send(socket: WebSocket, ...frames: readonly object[]): void {
  for (const frame of frames) socket.send(JSON.stringify(frame));
}

interface Watched {
  readonly end: WatchEnd;
  readonly seqs: unknown[];
  readonly talk: string[];
  readonly pauses: number[];
}

/** Watches until `count` events are there. Pauses pass at once; the watch for silence never fires unless `silence` says so. */
async function watchUntil(
  url: string,
  count: number,
  setup: { interest?: WatchOptions['interest']; silence?: boolean } = {},
): Promise<Watched> {
  const stop = new AbortController();
  const seqs: unknown[] = [];
  const talk: string[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  let isSilent = setup.silence === true;
  const untilAborted = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
  const end = await watch(
    { url, apiKey: 'key', token: () => 'a.b.c', interest: setup.interest ?? { all: true } },
    {
      clock: {
        now: () => nowMs,
        sleep: async (ms, signal) => {
          if (signal === stop.signal) pauses.push(ms);
          else if (isSilent && talk.length > 0) {
            isSilent = false;
            nowMs += ms;
          } else if (!signal?.aborted)
            await Promise.race([untilAborted(signal), new Promise((resolve) => setTimeout(resolve, isSilent ? 20 : 60_000).unref())]);
        },
      },
      random: () => 0.5,
      onEvent: (got) => {
        seqs.push(got.seq);
        if (seqs.length === count) stop.abort();
        return undefined;
      },
      onTalk: (text) => {
        talk.push(text);
        if (count === 0 && talk.length === 3) stop.abort();
      },
      stop: stop.signal,
    },
  );
  return { end, seqs, talk, pauses };
}

test('WA1 connects with key, token and subscription in one frame, and hands on events', async (t) => {
  const daemon = await live(t, (socket) =>
    send(socket, ok, { sub: 'watch', seq: 10 }, event(11), { type: 'health.check', seq: 11 }, event(12)),
  );
  const { end, seqs, talk } = await watchUntil(daemon.url, 2);
  assert.deepEqual(end, { kind: 'stopped' });
  assert.deepEqual(seqs, [11, 12]);
  assert.deepEqual(talk, ['connected; events after #10 follow']);
  assert.deepEqual(daemon.protocols, ['roster.v1']);
  assert.deepEqual(daemon.connects, [
    { op: 'connect', id: '1', api_key: 'key', token: 'a.b.c', subs: [{ sub: 'watch', all: true, snapshot: false }] },
  ]);
});

test('WA2 after a cut it resumes exactly behind the last event or heartbeat', async (t) => {
  const daemon = await live(
    t,
    (socket) => {
      send(socket, ok, event(11), event(12));
      socket.close(4013, 'too slow');
    },
    (socket) => {
      send(socket, { ...ok, resumed: true, seq: 12 }, { type: 'health.check', seq: 15 });
      setTimeout(() => socket.terminate(), 20);
    },
    (socket) => send(socket, { ...ok, resumed: true, seq: 15 }, event(16)),
  );
  const { seqs, talk, pauses } = await watchUntil(daemon.url, 3);
  assert.deepEqual(seqs, [11, 12, 16]);
  assert.deepEqual(
    daemon.connects.map(({ resume }) => resume),
    [undefined, { epoch: 'e1', seq: 12 }, { epoch: 'e1', seq: 15 }],
  );
  assert.deepEqual(pauses, [250, 250]);
  assert.match(talk[1] ?? '', /^not connected \(too slow\); trying again in 0\.3 s$/);
  assert.equal(talk[2], 'connected again; resumed after #12');
});

test('WA3 says so when it could not resume, and goes on in the new epoch', async (t) => {
  const daemon = await live(
    t,
    (socket) => {
      send(socket, ok, event(11));
      socket.close(1012);
    },
    (socket) => {
      send(socket, { ...ok, epoch: 'e2', seq: 3 }, event(4));
      socket.close(1012);
    },
    (socket) => send(socket, { ...ok, epoch: 'e2', seq: 4, resumed: true }, event(5)),
  );
  const { seqs, talk } = await watchUntil(daemon.url, 3);
  assert.deepEqual(seqs, [11, 4, 5]);
  assert.match(talk.join('\n'), /resync: the daemon no longer has what follows #11; changes up to #3 may be missing/);
  assert.deepEqual(daemon.connects[2]?.resume, { epoch: 'e2', seq: 4 });
});

test('WA4 an announced restart is waited for as long as it asks', async (t) => {
  const daemon = await live(
    t,
    (socket) => {
      send(socket, ok, { type: 'server.drain', retry_ms: 5_000 });
      socket.close(1012);
    },
    (socket) => send(socket, { ...ok, resumed: true }, event(11)),
  );
  assert.deepEqual((await watchUntil(daemon.url, 1)).pauses, [5_250]);
});

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
    const daemon = await live(
      t,
      (socket) => {
        if (error !== undefined) send(socket, { type: 'connection.error', error });
        socket.close(code, 'goodbye');
      },
      (socket) => send(socket, ok, event(11)),
    );
    const { end } = await watchUntil(daemon.url, 1);
    assert.deepEqual(end, isFinal ? { kind: 'refused', reason: error?.message ?? 'goodbye' } : { kind: 'stopped' });
  });
}

test('WA6 a subscription that is refused ends it', async (t) => {
  const daemon = await live(t, (socket) => send(socket, ok, { re: '1', error: { code: 4, message: 'filter: unknown operator $foo' } }));
  const { end } = await watchUntil(daemon.url, 1, { interest: { filter: { role: { $foo: 1 } } } });
  assert.deepEqual(end, { kind: 'refused', reason: 'filter: unknown operator $foo' });
});

test('WA7 an address without /live ends it; one that nobody listens on is tried again, ever more slowly', async (t) => {
  const daemon = await live(t, () => {});
  const { end } = await watchUntil(`${daemon.url}/elsewhere`, 1);
  assert.equal(end.kind, 'refused');
  assert.match(end.kind === 'refused' ? end.reason : '', /answers 4/);
  const { pauses, talk } = await watchUntil('http://127.0.0.1:1', 0);
  assert.deepEqual(pauses, [500, 1_000, 2_000]);
  assert.match(talk[0] ?? '', /ECONNREFUSED/);
});

test('WA8 a connection without any sign of life is given up', async (t) => {
  const daemon = await live(
    t,
    (socket) => send(socket, ok),
    (socket) => send(socket, { ...ok, resumed: true }, event(11)),
  );
  const { seqs, talk } = await watchUntil(daemon.url, 1, { silence: true });
  assert.deepEqual(seqs, [11]);
  assert.match(talk.join('\n'), /no sign of life/);
});

test('WA9 something that does not speak roster.v1 ends it', async (t) => {
  const daemon = await live(t, (socket) => socket.send('hello'));
  assert.equal((await watchUntil(daemon.url, 1)).end.kind, 'refused');
});

test('WA10 a slow reader of the output holds back the daemon, not the memory', async (t) => {
  const daemon = await live(t, (socket) => send(socket, ok, ...Array.from({ length: 100 }, (_, i) => event(11 + i))));
  const stop = new AbortController();
  let busy = 0;
  let busyMost = 0;
  let count = 0;
  await watch(
    { url: daemon.url, apiKey: 'key', token: () => 't', interest: { all: true } },
    {
      clock: {
        now: () => 0,
        sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true })),
      },
      random: () => 0,
      onEvent: async () => {
        busyMost = Math.max(busyMost, ++busy);
        await new Promise((resolve) => setImmediate(resolve));
        busy--;
        if (++count === 100) stop.abort();
      },
      onTalk: () => {},
      stop: stop.signal,
    },
  );
  assert.equal(count, 100);
  assert.ok(busyMost < 100, `${busyMost} events were handed on at once`);
});

test('WA11 the command prints one line per event, as text or JSON, and ends with 130', async (t) => {
  const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };
  for (const json of [false, true]) {
    const io = fakeIo({ cwd: '/', env });
    const daemon = await live(t, (socket) => {
      send(socket, ok, event(11), { type: 'health.check', seq: 11 });
      setTimeout(() => io.interrupt(), 30);
    });
    const args = ['watch', '--url', daemon.url, '--ids', 'ann,bob', ...(json ? ['--json'] : [])];
    assert.equal(await runCli(args, io, { serve: () => assert.fail('serve was called') }), 130);
    assert.deepEqual(daemon.connects[0]?.subs, [{ sub: 'watch', ids: ['ann', 'bob'], snapshot: false }]);
    if (json) assert.deepEqual(JSON.parse(io.stdout.text), event(11));
    else assert.equal(io.stdout.text, '2026-05-17 14:35:23.313  #11  user.updated      ann\n');
    assert.equal(io.stderr.text, 'rosterd: connected; events after #10 follow\n');
  }
});

test('WA12 a refusal is told on stderr and ends with 1', async (t) => {
  const daemon = await live(t, (socket) => socket.close(4401, 'authentication failed'));
  const io = fakeIo({ cwd: '/', env: { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' } });
  assert.equal(await runCli(['watch', '--url', daemon.url], io, { serve: () => assert.fail() }), 1);
  assert.deepEqual([io.stdout.text, io.stderr.text], ['', 'rosterd: authentication failed\n']);
});

test('WA13 a line says what matters', () => {
  const user = { id: 'ann', name: 'Ann', role: 'admin', teams: ['red', 'blue'], custom: { plan: 'pro' } };
  const base = { seq: 7, created_at: '2026-05-17T14:35:23.313097Z' };
  assert.equal(
    formatEvent({ ...base, type: 'user.updated', created: true, user }),
    '2026-05-17 14:35:23.313  #7  user.updated      ann  created  "Ann"  role=admin  teams=red,blue  custom={"plan":"pro"}',
  );
  assert.equal(
    formatEvent({ ...base, type: 'user.deleted', delete_user: 'hard', user: { id: 'bob' } }),
    '2026-05-17 14:35:23.313  #7  user.deleted      bob  hard',
  );
  assert.match(formatEvent({ ...base, type: 'user.presence.changed', user: { id: 'bob', online: true } }), /online$/);
});

test('WA14 what users wrote cannot steer the terminal', () => {
  const user = { id: 'ann', name: 'a\u001b[2J\u009b1m\u202edcba\r\n', custom: { '\u0007': '\u2028' } };
  const line = formatEvent({ type: 'user.updated', seq: 1, created_at: 'x\u001b', user });
  assert.ok(!/[\p{Cc}\p{Cf}\p{Zl}]/u.test(line), JSON.stringify(line));
});
