/** WH4: what is connected to, and what is said of a failure. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSender, type Post } from '../../../daemon/jobs/hooks/sender.ts';

/** A receiver, and how often it was reached. */
async function receiver(t: TestContext): Promise<{ url: string; reached: () => number }> {
  let count = 0;
  const server = createServer((_, response) => {
    count++;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, reached: () => count };
}

const post = (url: string): Post => ({ url, headers: {}, body: Buffer.from('{}'), timeoutMs: 5_000, cut: new AbortController().signal });

test('WH4 neither an address nor a name that leads to one is connected to', async (t) => {
  const { url, reached } = await receiver(t);
  const sender = createSender({ allowPrivate: false });
  t.after(() => sender.close());
  for (const target of [url, url.replace('127.0.0.1', 'localhost'), url.replace('127.0.0.1', '[::ffff:127.0.0.1]'), 'ftp://example.com/']) {
    const answer = await sender.post(post(target));
    assert.equal(answer.kind, 'refused', `${target}: ${JSON.stringify(answer)}`);
  }
  assert.equal(reached(), 0);
  const open = createSender({ allowPrivate: true });
  t.after(() => open.close());
  assert.deepEqual(await open.post(post(url)), { kind: 'status', status: 200, retryAfterMs: undefined });
  assert.equal(reached(), 1);
});

test('WH4 what is said of a failure names no host, path or query', async () => {
  const sender = createSender({ allowPrivate: true });
  const answer = await sender.post(post('http://user:word@127.0.0.1:1/path-secret?token=query-secret'));
  assert.deepEqual(answer, { kind: 'network', reason: 'the connection failed (ECONNREFUSED)' });
  sender.close();
});
