/** WH4: what is connected to, and what is said of a failure. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSender, type Post, publicLookup } from '../../../daemon/jobs/hooks/sender.ts';

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

test('WH4 of the addresses of a name only the public ones are tried, and a name without one is refused', () => {
  const [inside, outside, other] = [
    { address: '10.0.0.1', family: 4 },
    { address: '8.8.8.8', family: 4 },
    { address: '2606:4700:4700::1111', family: 6 },
  ];
  const asked: unknown[] = [];
  const looked = (found: readonly { address: string; family: number }[] | Error, options: object): unknown => {
    let result: unknown;
    const lookUp = publicLookup((hostname, how, callback) => {
      asked.push([hostname, how]);
      if (found instanceof Error) callback(found, []);
      else callback(null, [...found]);
    });
    lookUp('hooks.example', options, (error, ...answer) => {
      result = error === null ? answer : error.message;
    });
    return result;
  };
  assert.deepEqual(looked([inside, outside, other], { all: true }), [[outside, other]]);
  assert.deepEqual(looked([inside, outside, other], { family: 4 }), ['8.8.8.8', 4]);
  assert.deepEqual(asked, [
    ['hooks.example', { all: true }],
    ['hooks.example', { all: true, family: 4 }],
  ]);
  const refused = 'the address is not on the public internet; webhooks.allow_private allows it';
  assert.deepEqual([looked([inside], { all: true }), looked([], {}), looked(new Error('ENOTFOUND'), {})], [refused, refused, 'ENOTFOUND']);
});
