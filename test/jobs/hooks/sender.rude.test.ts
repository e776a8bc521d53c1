/** OR1, OR2: a request to a webhook settles in time, whatever the receiver does. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { createSender, type Post } from '../../../daemon/jobs/hooks/sender.ts';
import { MANNER_NAMES, type MannerName, rudeServer } from '../../support/rude-server.ts';

const TIMEOUT_MS = 3_000;
/** For a busy machine. */
const SLACK_MS = 30_000;

const post = (url: string): Post => ({
  url,
  headers: {},
  body: Buffer.alloc(500_000, 'x'),
  timeoutMs: TIMEOUT_MS,
  cut: new AbortController().signal,
});

/** What the sender makes of each: the status that counts, or how it failed. */
const EXPECTED: Readonly<Record<MannerName, RegExp>> = {
  '101 Switching Protocols': /ERR_SWITCHED_PROTOCOLS/,
  '101 without an upgrade': /ERR_SWITCHED_PROTOCOLS/,
  'a close without an answer': /network/,
  'a reset without an answer': /network/,
  'half a status line': /network/,
  'half the headers, then silence': /timeout/,
  'half the headers, then a close': /network/,
  'a flood of 102': /network .*ERR_INTERIM_ANSWERS/,
  'endless headers': /network/,
  'an endless body': /status 200/,
  'a body that never comes': /status 200/,
  'a Content-Length that is too long': /status 200/,
  'two different lengths': /network/,
  'garbage in chunks': /status 200/,
  'a redirect to itself': /status 302/,
  'a reset after the head': /status 200|network/,
  'no reading, no answer': /timeout/,
  'one byte a second': /timeout/,
  'a huge status line': /network/,
  'HTTP/0.9': /network/,
  'keep-alive, then a close': /status 200/,
  'an offer of h2c': /status 200/,
  '204 with a body': /status 204/,
  '407 Proxy Authentication Required': /status 407/,
  'bytes that are no HTTP': /network/,
};

test('OR1 a request settles within its timeout, whatever the receiver does', async (t) => {
  const sender = createSender({ allowPrivate: true });
  t.after(() => sender.close());
  await Promise.all(
    MANNER_NAMES.map(async (name) => {
      const { url } = await rudeServer(t, name);
      // The second request may find a connection that the first one left behind.
      for (let round = 1; round <= 2; round++) {
        const startedMs = performance.now();
        const result = await sender.post(post(url));
        const tookMs = performance.now() - startedMs;
        const told =
          result.kind === 'status' ? `status ${result.status}` : 'reason' in result ? `${result.kind} ${result.reason}` : result.kind;
        assert.match(told, EXPECTED[name], `${name}, round ${round}`);
        assert.ok(tookMs < TIMEOUT_MS + SLACK_MS, `${name} took ${Math.round(tookMs)} ms`);
      }
    }),
  );
});

test('OR1 some interim answers are read over, and more of them end the request', async (t) => {
  const sender = createSender({ allowPrivate: true });
  t.after(() => sender.close());
  for (const [count, told] of [
    [32, { kind: 'status', status: 200, retryAfterMs: undefined }],
    [33, { kind: 'network', reason: 'the connection failed (ERR_INTERIM_ANSWERS)' }],
  ] as const) {
    const server = createServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', () => {
          socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(count));
          setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 100);
        });
    });
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const result = await sender.post({ ...post(`http://127.0.0.1:${address.port}/`), body: Buffer.from('x') });
    assert.deepEqual(result, told);
  }
});

test('OR1 names that do not exist, and servers that speak no TLS, fail in time', async (t) => {
  const sender = createSender({ allowPrivate: true });
  t.after(() => sender.close());
  const silent = (await rudeServer(t, 'no reading, no answer')).url.replace('http:', 'https:');
  const garbage = (await rudeServer(t, 'bytes that are no HTTP')).url.replace('http:', 'https:');
  for (const [url, expected] of [
    ['http://nowhere.invalid/', /network|timeout/],
    [silent, /timeout/],
    [garbage, /network/],
  ] as const) {
    const startedMs = performance.now();
    const { kind } = await sender.post(post(url));
    assert.match(kind, expected, url);
    assert.ok(performance.now() - startedMs < TIMEOUT_MS + SLACK_MS, url);
  }
});

test('OR2 a cut, and the close of the sender, end every request and connection', async (t) => {
  const sender = createSender({ allowPrivate: true });
  const cut = new AbortController();
  setMaxListeners(0, cut.signal);
  const urls = await Promise.all(MANNER_NAMES.map(async (name) => (await rudeServer(t, name)).url));
  const sent = urls.map((url) => sender.post({ ...post(url), timeoutMs: 60_000, cut: cut.signal }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedMs = performance.now();
  cut.abort();
  const results = await Promise.all(sent);
  assert.ok(performance.now() - startedMs < SLACK_MS);
  assert.ok(results.some(({ kind }) => kind === 'stopped'));
  sender.close();
});
