/** WH5: how much of an answer is read. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSender } from '../../../daemon/jobs/hooks/sender.ts';

const POSTS = 10;

/** How many connections it takes to send `POSTS` requests one after the other, each answered with this many bytes. */
async function connectionsFor(t: TestContext, answerBytes: number): Promise<number> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(Buffer.alloc(answerBytes)));
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sender = createSender({ allowPrivate: true });
  t.after(() => {
    sender.close();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
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
