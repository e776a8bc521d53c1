/** What the client says and hands on over its connections, on a scripted socket: CL61, CL65, CL67, CL68, CL69. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { connected, settle, socket, start } from '../../support/live/fake-socket.ts';

/** Errors that nobody caught, instead of the end of the process. */
function uncaught(t: TestContext): string[] {
  const messages: string[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void messages.push(error.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  return messages;
}

const cut = (): void => socket().emit('close', { code: 1006, reason: '' });
const acks = (): unknown[] => socket().sent.flatMap(({ op, seq }) => (op === 'ack' ? [seq] : []));
const tellEvent = (seq: number): void => socket().tell({ type: 'user.updated', seq, user: { id: 'ann', rev: seq }, sub: [] });

test('CL61 the details of connectUser are told once: a client that comes back says only who it is', async (t) => {
  const { client, pass } = start(t);
  const ann = { id: 'ann', name: 'Ann', role: 'user' };
  for (const round of ['first', 'again']) {
    const open = client.connectUser(ann, 'token');
    await settle();
    socket().welcome({ me: { id: 'ann', rev: 1 } });
    await open;
    assert.deepEqual(socket().last('connect').user, ann, round);
    cut();
    await pass(250);
    socket().welcome({ resumed: true, me: { id: 'ann', rev: 2 } });
    assert.deepEqual([socket().last('connect').user, client.me?.rev], [{ id: 'ann' }, 2]);
    await client.disconnectUser();
  }
});

test('CL65 what a listener throws is an uncaught error of its own: the snapshot is read, the client comes back', async (t) => {
  const errors = uncaught(t);
  const { client, pass } = await connected(t);
  const fail = (what: string) => () => {
    throw new Error(what);
  };
  client.once('users.changed', fail('draw'));
  client.once('state', fail('badge'));
  client.once('event', fail('event'));
  const loaded = client.subscribe({ sub: 'all', all: true });
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 10, users: [{ id: 'ann', rev: 1 }] });
  assert.equal((await loaded).length, 1);
  const heard: number[] = [];
  client.on('user.updated', ({ seq }) => heard.push(seq));
  socket().tell({ type: 'user.updated', seq: 11, user: { id: 'ann', rev: 11 }, sub: ['all'] });
  assert.deepEqual([heard, client.users.get('ann')?.rev], [[11], 11]);
  cut();
  await pass(250);
  socket().welcome({ resumed: true, seq: 11 });
  assert.equal(client.state.kind, 'open');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(errors.sort(), ['badge', 'draw', 'event']);
});

test('CL65 a page that is none rejects the subscription', async (t) => {
  const { client } = await connected(t);
  const loaded = client.subscribe({ sub: 'all', all: true });
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 10, users: 7 });
  await assert.rejects(loaded, (error) => error instanceof RosterClientError && error.cause instanceof TypeError);
});

test('CL67 an acknowledgement that found no connection, or went down with one, is told to the next', async (t) => {
  const { client, pass } = await connected(t, { durable: 'mirror' });
  tellEvent(20);
  tellEvent(30);
  cut();
  client.ack(20);
  client.ack(15);
  await pass(250);
  socket().welcome({ resumed: true, seq: 30 });
  assert.deepEqual(acks(), [20]);
  client.ack();
  assert.deepEqual(acks(), [20, 30]);
  cut();
  await pass(250);
  socket().welcome({ resumed: true, seq: 30 });
  assert.deepEqual(acks(), [30]);
  cut();
  await pass(250);
  socket().welcome({ epoch: 'other', seq: 40 });
  assert.deepEqual(acks(), [], 'it says nothing of another history');
});

test('CL67 what was not handed on for every subscription is not acknowledged', async (t) => {
  const { client, pass } = await connected(t, { durable: 'mirror' });
  const ids = Array.from({ length: 1_000 }, (_, n) => `${'x'.repeat(40)}${n}`);
  const loaded = client.subscribe({ sub: 'late', ids });
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'late', seq: 10, users: [] });
  await loaded;
  cut();
  await pass(250);
  socket().welcome({ resumed: true, seq: 10 });
  tellEvent(12);
  client.ack();
  client.ack(12);
  socket().tell({ re: socket().last('sub').id, sub: 'late', seq: 10 });
  tellEvent(13);
  client.ack();
  assert.deepEqual(acks(), [10, 10, 13]);
});

test('CL68 an update for nobody in particular is refused here: the daemon would take the number of the request for an id', async (t) => {
  const { client } = await connected(t);
  const refused = (error: unknown): boolean =>
    error instanceof RosterClientError && error.code === 4 && error.errors[0]?.path === 'user_id';
  await assert.rejects(client.update({ set: { a: 1 } }), refused);
  assert.deepEqual(
    socket().sent.map(({ op }) => op),
    ['connect'],
  );
  const updated = client.update({ user_id: 'ann', set: { a: 1 } });
  socket().tell({ re: socket().last('update').id, user: { id: 'ann', rev: 2 } });
  assert.deepEqual([(await updated).id, client.me], ['ann', undefined]);
});

test('CL69 a guest is not made for a client that is connected already', async (t) => {
  const calls = t.mock.method(globalThis, 'fetch', () => Promise.reject(new Error('not now')));
  const { client } = await connected(t);
  await assert.rejects(client.setGuestUser({ id: 'guest' }), /already connected/);
  assert.equal(calls.mock.callCount(), 0);
});

test('CL72 a read after an update over the connection names its position', async (t) => {
  const { client } = await connected(t);
  const positions: (string | undefined)[] = [];
  t.mock.method(globalThis, 'fetch', async (_: string, { headers }: { headers: Record<string, string> }) => {
    positions.push(headers['x-rosterd-position']);
    return new Response('{"users":[]}');
  });
  await client.queryUsers();
  const updating = client.update({ user_id: 'ann', set: { name: 'Ann' } });
  await settle();
  socket().tell({ re: socket().last('update').id, user: { id: 'ann', rev: 12 }, seq: 12 });
  await updating;
  await client.queryUsers();
  assert.deepEqual(positions, [undefined, `${client.position?.epoch}:12`]);
});
