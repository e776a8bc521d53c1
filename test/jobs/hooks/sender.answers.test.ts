/** WH5–WH7: what is sent, how much of an answer is read, and a connection that the receiver had closed. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSender } from '../../../daemon/jobs/hooks/sender.ts';

const POSTS = 10;

/** A sender, and the address of the server, which listens from here on. */
async function sending(t: TestContext, server: Server, path = '/'): Promise<{ sender: ReturnType<typeof createSender>; url: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sender = createSender({ allowPrivate: true });
  t.after(() => {
    sender.close();
    server.close();
  });
  return { sender, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}` };
}

/** How many connections it takes to send `POSTS` requests one after the other, each answered with this many bytes. */
async function connectionsFor(t: TestContext, answerBytes: number): Promise<number> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(Buffer.alloc(answerBytes)));
  });
  server.on('connection', () => connections++);
  const { sender, url } = await sending(t, server);
  for (let sent = 0; sent < POSTS; sent++) {
    const result = await sender.post({ url, headers: {}, body: Buffer.from('{}'), timeoutMs: 20_000, cut: new AbortController().signal });
    assert.deepEqual(result, { kind: 'status', status: 200, retryAfterMs: undefined });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return connections;
}

test('WH5 an answer of 64 KiB is read and dropped, and its connection used again; a longer one is cut off', async (t) => {
  for (const bytes of [0, 64 * 1024]) assert.ok((await connectionsFor(t, bytes)) < POSTS, `${bytes} bytes`);
  for (const bytes of [64 * 1024 + 1, 1024 * 1024]) assert.equal(await connectionsFor(t, bytes), POSTS, `${bytes} bytes`);
});

test('WH6 the receiver gets a POST with the body and the headers, and its status and Retry-After are the result', async (t) => {
  const seen: unknown[] = [];
  const answers: [number, Record<string, string>][] = [
    [204, {}],
    [302, { location: 'http://127.0.0.1:1/' }],
    [503, { 'retry-after': '7' }],
    [429, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }],
    [429, { 'retry-after': new Date(Date.now() - 3_600_000).toUTCString() }],
    [429, { 'retry-after': 'soon' }],
  ];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece) => {
      body += piece;
    });
    request.on('end', () => {
      seen.push([request.method, request.url, request.headers['x-a'], request.headers['content-length'], body]);
      response.writeHead(...(answers[seen.length - 1] ?? [500, {}])).end();
    });
  });
  const { sender, url } = await sending(t, server, '/path?q=1');
  const results: { status: number; retryAfterMs: number | undefined }[] = [];
  for (const _ of answers) {
    const result = await sender.post({
      url,
      headers: { 'X-A': 'b' },
      body: Buffer.from('{"ü":1}'),
      timeoutMs: 20_000,
      cut: new AbortController().signal,
    });
    assert.ok(result.kind === 'status', JSON.stringify(result));
    results.push({ status: result.status, retryAfterMs: result.retryAfterMs });
  }
  for (const one of seen) assert.deepEqual(one, ['POST', '/path?q=1', 'b', '8', '{"ü":1}']);
  assert.deepEqual(
    results.map(({ status }) => status),
    [204, 302, 503, 429, 429, 429],
  );
  const [none, redirect, seconds, later, past, unreadable] = results.map(({ retryAfterMs }) => retryAfterMs);
  assert.deepEqual([none, redirect, seconds, past, unreadable], [undefined, undefined, 7_000, 0, undefined]);
  assert.ok(later !== undefined && later > 3_500_000 && later <= 3_600_000, `${later}`);
});

test('WH7 a connection that the receiver closed while it was idle is no failure; one that it cuts is one', async (t) => {
  const used = new WeakSet<object>();
  let answered = 0;
  let cutsAll = false;
  const server = createServer((request, response) => {
    // As if it had been closed just before: the second request on a connection is never seen.
    if (cutsAll || used.has(request.socket)) return void request.socket.destroy();
    used.add(request.socket);
    request.resume().on('end', () => {
      answered++;
      response.end('fine');
    });
  });
  const { sender, url } = await sending(t, server);
  const post = () => sender.post({ url, headers: {}, body: Buffer.from('{}'), timeoutMs: 20_000, cut: new AbortController().signal });
  for (let sent = 1; sent <= 6; sent++) {
    assert.deepEqual(await post(), { kind: 'status', status: 200, retryAfterMs: undefined });
    assert.equal(answered, sent, 'each event is seen once');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  cutsAll = true;
  assert.equal((await post()).kind, 'network');
});
