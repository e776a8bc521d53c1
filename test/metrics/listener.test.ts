/** MX2, MX3, MX6: the listener of the metrics. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MetricsListener, type MetricsListenerOptions } from '../../daemon/metrics/listener.ts';
import { eventually } from '../support/eventually.ts';

const TOKEN = 'a-token-of-thirty-two-characters';

interface Bench {
  readonly listener: MetricsListener;
  readonly url: string;
  readonly errors: unknown[];
}

async function started(t: TestContext, options: Partial<MetricsListenerOptions> = {}, text = async () => 'a 1\n'): Promise<Bench> {
  const errors: unknown[] = [];
  const listener = new MetricsListener({ token: undefined, logger: { error: (details) => errors.push(details) }, ...options });
  await listener.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => listener.close());
  listener.show({ contentType: 'text/plain; version=0.0.4', text });
  return { listener, url: listener.url ?? assert.fail('it listens'), errors };
}

const statusOf = async (url: string, init?: RequestInit): Promise<number> => {
  const response = await fetch(url, init);
  await response.text();
  return response.status;
};

test('MX3 GET and HEAD of /metrics are answered, and nothing else is', async (t) => {
  const { url } = await started(t);
  const answer = await fetch(`${url}?x=1`);
  assert.deepEqual([answer.status, await answer.text()], [200, 'a 1\n']);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const head = await fetch(url, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '4', '']);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) assert.equal(await statusOf(url, { method }), 404, method);
  for (const path of ['/', '/metrics/', '/metricsx', '/healthz', '/api/v2/users'])
    assert.equal(await statusOf(new URL(path, url).href), 404, path);
  const posted = await fetch(url, { method: 'POST', body: 'x' });
  assert.deepEqual([posted.status, posted.headers.get('connection')], [404, 'close'], 'the rest of a body is not waited for');
});

test('MX2 before the daemon has started, a scrape is told so', async (t) => {
  const listener = new MetricsListener({ token: undefined, logger: { error: assert.fail } });
  assert.equal(listener.url, undefined);
  await listener.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => listener.close());
  const answer = await fetch(listener.url ?? '');
  assert.deepEqual([answer.status, await answer.text()], [503, 'the daemon is starting\n']);
});

test('MX6 with a token, only a scrape that has it is answered', async (t) => {
  const { url } = await started(t, { token: TOKEN });
  const given = (authorization: string): RequestInit => ({ headers: { authorization } });
  for (const right of [`Bearer ${TOKEN}`, `bearer  ${TOKEN} `]) assert.equal(await statusOf(url, given(right)), 200, right);
  for (const wrong of ['', TOKEN, 'Bearer', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, `Bearer ${TOKEN} ${TOKEN}`]) {
    const answer = await fetch(url, given(wrong));
    assert.deepEqual([answer.status, answer.headers.get('www-authenticate')], [401, 'Bearer'], wrong);
    assert.doesNotMatch(await answer.text(), new RegExp(TOKEN));
  }
  assert.equal(await statusOf(new URL('/', url).href), 401, 'not even which paths there are');
});

test('MX3 a peer that does not take its answer, or asks for nothing, is cut off and holds up nobody', async (t) => {
  const { url } = await started(t, { answerMs: 200 }, async () => 'a 1\n'.repeat(8_000_000));
  const peer = connect(Number(new URL(url).port), '127.0.0.1');
  t.after(() => peer.destroy());
  peer.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  let isCut = false;
  const cut = (): void => {
    isCut = true;
  };
  peer.on('close', cut).on('error', cut);
  await once(peer, 'readable');
  // What the kernel holds is read; then the connection is gone, and the answer is not whole.
  let bytes = 0;
  await eventually(() => {
    bytes += (peer.read() as Buffer | null)?.length ?? 0;
    return isCut;
  });
  assert.ok(bytes < 32_000_000, `${bytes} bytes`);
});

test('MX3 no more than a few connections are held', async (t) => {
  const { url } = await started(t);
  const port = Number(new URL(url).port);
  const peers = Array.from({ length: 40 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  t.after(() => {
    for (const peer of peers) peer.destroy();
  });
  const open = () => peers.filter(({ closed }) => !closed).length;
  await eventually(
    () => open() === 32,
    () => `${open()} connections are open`,
  );
  peers[peers.findIndex(({ closed }) => !closed)]?.destroy();
  await eventually(async () => (await statusOf(url).catch(() => 0)) === 200);
});

test('MX3 a scrape that fails is an answer, and the next one may be well', async (t) => {
  let fails = true;
  const { url, errors } = await started(t, {}, async () => {
    if (fails) throw new Error('odd');
    return 'a 1\n';
  });
  assert.equal(await statusOf(url), 500);
  fails = false;
  assert.deepEqual([await statusOf(url), errors.length], [200, 1]);
});

test('MX2 the end cuts every connection, and an address that is taken is an error', async (t) => {
  const { listener, url } = await started(t);
  const other = new MetricsListener({ token: undefined, logger: { error: assert.fail } });
  await assert.rejects(other.listen({ host: '127.0.0.1', port: Number(new URL(url).port) }), { code: 'EADDRINUSE' });
  await other.close();
  const peer = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  await once(peer, 'connect');
  assert.equal(await statusOf(url), 200);
  await listener.close();
  if (!peer.closed) await once(peer, 'close');
  await assert.rejects(fetch(url));
});
