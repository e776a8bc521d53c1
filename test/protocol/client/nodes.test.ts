/** CL80–CL82: which of several nodes the client uses, on scripted sockets and answers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { Nodes } from '../../../protocol/client/nodes.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { connected, ending, FakeSocket, settle, socket, start } from '../../support/live/fake-socket.ts';

const URLS = ['http://a', 'http://b', 'http://c'];
/** Begins with the first node. */
const SEVERAL = { url: URLS, random: () => 0.1 };

const hosts = (): string[] => FakeSocket.made.map(({ url }) => new URL(url).host);

const cut = (code = 1006): void => socket().emit('close', { code, reason: '' });

test('CL80 it begins with any of the nodes, and goes on to the next only from the one that failed', () => {
  assert.deepEqual(
    [0, 0.5, 0.99].map((random) => new Nodes(URLS, () => random).current),
    URLS,
  );
  const nodes = new Nodes([...URLS, 'http://a'], () => 0.99);
  nodes.leave('http://c');
  nodes.leave('http://c');
  assert.deepEqual([nodes.count, nodes.current], [3, 'http://a']);
  const single = new Nodes('http://a', () => assert.fail('a single address needs no choice'));
  single.leave('http://a');
  assert.deepEqual([single.count, single.current], [1, 'http://a']);
  assert.throws(() => new Nodes([]), RosterClientError);
});

test('CL80 after a cut it resumes at the next node, and a drained node is not waited for', async (t) => {
  const { client, pass } = await connected(t, SEVERAL);
  socket().tell({ type: 'user.updated', seq: 12, user: { id: 'ann', rev: 12 }, sub: [] });
  cut();
  await pass(50);
  assert.deepEqual(hosts(), ['a', 'b']);
  socket().welcome({ resumed: true, seq: 12 });
  assert.deepEqual(socket().last('connect').resume, { epoch: 'e', seq: 12 });
  socket().tell({ type: 'server.drain', retry_ms: 4_000 });
  cut(1012);
  assert.ok(client.state.kind === 'waiting');
  assert.equal(client.state.delayMs, 50, 'the wait is for the node that drains');
  await pass(50);
  socket().welcome({ resumed: true, seq: 12 });
  assert.deepEqual([hosts(), client.state.kind], [['a', 'b', 'c'], 'open']);
});

test('CL80 a rate limit, slowness and an expired token lead to no other node', async (t) => {
  let made = 0;
  const { pass } = await connected(t, SEVERAL, () => `t${++made}`);
  for (const code of [4429, 4013]) {
    cut(code);
    await pass(50);
    socket().welcome();
  }
  socket().tell({ type: 'connection.error', error: { code: 40, StatusCode: 401, message: 'expired' } });
  cut(4401);
  await pass(50);
  socket().welcome();
  assert.deepEqual([hosts(), made], [['a', 'a', 'a', 'a'], 2]);
});

test('CL80 the first connect is refused only when no node is left; a refusal for good ends it at once', async (t) => {
  const { client, pass } = start(t, SEVERAL);
  const opening = client.connect('token');
  opening.catch(() => {});
  for (let n = 0; n < 3; n++) {
    await settle();
    cut();
    await pass(0);
  }
  await assert.rejects(opening, RosterClientError);
  assert.deepEqual([hosts(), ending(client)[0]], [['a', 'b', 'c'], 'closed']);
  const again = client.connect('token');
  await settle();
  socket().refuse(17, 403, 4403);
  await assert.rejects(again, (error) => error instanceof RosterClientError && error.code === 17);
  assert.equal(hosts().length, 4);
});

test('CL81 with all nodes away it waits once in a round, as long as a single URL would have it wait', async (t) => {
  const { client, pass } = await connected(t, SEVERAL);
  const delays: number[] = [];
  client.on('state', (state) => {
    if (state.kind === 'waiting') delays.push(state.delayMs);
  });
  for (let attempt = 0; attempt < 24; attempt++) {
    cut();
    await pass(delays.at(-1) ?? 0);
  }
  assert.deepEqual(
    delays.filter((_, n) => n % 3 === 0),
    [50, 100, 200, 400, 800, 1_600, 3_000, 3_000],
  );
  assert.ok(delays.every((delayMs, n) => n % 3 === 0 || delayMs === 0));
  assert.deepEqual(hosts().slice(0, 7), ['a', 'b', 'c', 'a', 'b', 'c', 'a']);
});

/** Answers by host; an error is thrown. Returns the hosts that were asked, with their methods. */
function answering(t: TestContext, answers: Readonly<Record<string, () => Response>>): string[] {
  const asked: string[] = [];
  t.mock.method(globalThis, 'fetch', async (url: string, { method }: { method: string }) => {
    const { host } = new URL(url);
    asked.push(`${method} ${host}`);
    return (answers[host] ?? assert.fail(host))();
  });
  return asked;
}

const fine = (): Response => new Response('{"users":[]}');
const away = (status = 503) => new Response('{"code":-1,"message":"away"}', { status });
const failing =
  (code: string): (() => Response) =>
  () => {
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
  };

const caller = () => new RosterClient({ ...SEVERAL, apiKey: 'key', secret: { sign: async () => 'token' } });

test('CL82 a read goes on to a node that answers, and the next call begins there', async (t) => {
  const asked = answering(t, { a: failing('ECONNRESET'), b: () => away(), c: fine });
  const client = caller();
  assert.deepEqual((await client.queryUsers()).users, []);
  await client.queryUsers();
  assert.deepEqual(asked, ['GET a', 'GET b', 'GET c', 'GET c']);
});

test('CL82 when no node answers, the last error is the answer, after one round', async (t) => {
  const asked = answering(t, { a: () => away(502), b: failing('ECONNRESET'), c: () => away(504) });
  await assert.rejects(caller().queryUsers(), (error) => error instanceof RosterClientError && error.status === 504);
  assert.equal(asked.length, 3);
});

test('CL82 a write that was surely not sent goes on; one that a node may have carried out is rejected', async (t) => {
  const asked = answering(t, { a: failing('ECONNREFUSED'), b: failing('ECONNRESET'), c: () => away() });
  const client = caller();
  const isUnanswered = (error: unknown) => error instanceof RosterClientError && error.status === 0 && error.retry === 'later';
  await assert.rejects(client.upsertUser({ id: 'ann' }), isUnanswered);
  assert.deepEqual(asked.splice(0), ['POST a', 'POST b']);
  await assert.rejects(client.upsertUser({ id: 'ann' }), (error) => error instanceof RosterClientError && error.status === 503);
  assert.deepEqual(asked.splice(0), ['POST c']);
});

test('CL82 SQ11 a write that a node has surely not stored goes on; one that it may have stored is rejected, and says so', async (t) => {
  const refusing = (outcome: string) => () => new Response(`{"code":-1,"message":"away","outcome":"${outcome}"}`, { status: 503 });
  const asked = answering(t, { a: refusing('not_stored'), b: refusing('unknown'), c: refusing('not_stored') });
  const client = caller();
  const ends = (outcome: string) => (error: unknown) => error instanceof RosterClientError && error.outcome === outcome;
  await assert.rejects(client.upsertUser({ id: 'ann' }), ends('unknown'));
  assert.deepEqual(asked.splice(0), ['POST a', 'POST b']);
  await assert.rejects(client.upsertUser({ id: 'ann' }), ends('unknown'));
  assert.deepEqual(asked.splice(0), ['POST c', 'POST a', 'POST b'], 'one round');
});

test('CL82 a write with an idempotency key is repeated anywhere, a refusal nowhere', async (t) => {
  const asked = answering(t, { a: () => away(), b: failing('ECONNRESET'), c: () => new Response('{"code":4}', { status: 400 }) });
  await assert.rejects(
    caller().upsertUsers([{ id: 'ann' }], { idempotencyKey: 'key' }),
    (error) => error instanceof RosterClientError && error.status === 400,
  );
  assert.deepEqual(asked, ['POST a', 'POST b', 'POST c']);
});

test('CL82 after a stale answer the next call goes elsewhere; the connection and the calls use one node', async (t) => {
  const stale = () => new Response('{"users":[]}', { headers: { 'x-rosterd-stale': '900' } });
  const asked = answering(t, { a: stale, b: fine, c: fine });
  const { client, pass } = await connected(t, SEVERAL);
  await client.queryUsers();
  await client.queryUsers();
  assert.deepEqual(asked, ['GET a', 'GET b']);
  cut();
  await pass(50);
  assert.deepEqual(hosts(), ['a', 'b']);
  socket().welcome();
  cut();
  await pass(50);
  await client.queryUsers();
  assert.equal(asked.at(-1), 'GET c');
});
