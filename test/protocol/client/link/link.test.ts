/** The client on a scripted socket and a clock of the test's own: CL41–CL46. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterClientError } from '../../../../protocol/client/client-error.ts';
import { connected, ending, FakeSocket, settle, socket, start } from '../../../support/live/fake-socket.ts';

test('CL41 it comes back with full jitter, doubling from half a second to thirty, and with its position', async (t) => {
  const { client, pass } = await connected(t);
  assert.equal(socket().url, 'ws://host:1/live');
  socket().tell({ type: 'user.updated', seq: 12, user: { id: 'ann', rev: 12 }, sub: [] });
  const delays: number[] = [];
  client.on('state', (state) => {
    if (state.kind === 'waiting') delays.push(state.delayMs);
  });
  for (let attempt = 0; attempt < 9; attempt++) {
    socket().emit('close', { code: 1006, reason: '' });
    await pass(delays.at(-1) ?? 0);
  }
  assert.deepEqual(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  socket().welcome({ resumed: true, seq: 12 });
  assert.deepEqual(socket().last('connect').resume, { epoch: 'e', seq: 12 });
  assert.equal(client.state.kind, 'open');
});

test('CL41 it waits as long as the daemon asks for, at a restart and at a refusal', async (t) => {
  const { client, pass } = await connected(t);
  socket().tell({ type: 'server.drain', retry_ms: 4_000 });
  socket().emit('close', { code: 1012, reason: '' });
  assert.deepEqual(client.state, { kind: 'waiting', attempt: 0, delayMs: 4_250, code: 1012, reason: '' });
  await pass(4_250);
  socket().refuse(9, 429, 4429, { retry_ms: 7_000 });
  assert.ok(client.state.kind === 'waiting' && client.state.attempt === 1);
  const { delayMs, code, error } = client.state;
  assert.deepEqual([delayMs, code, error?.code], [7_500, 4429, 9], 'why it waits is in the state');
});

test('CL42 silence of two and a half heartbeats, and of a socket that does not open, ends a connection', async (t) => {
  const { client, pass } = await connected(t);
  const first = socket();
  await pass(2_000);
  first.tell({ type: 'health.check', seq: 11 });
  await pass(2_000);
  assert.equal(client.state.kind, 'open');
  await pass(500);
  assert.deepEqual([client.state.kind, first.closedWith], ['waiting', 1005]);
  first.tell({ type: 'user.updated', seq: 99, user: { id: 'ann', rev: 99 } });
  assert.equal(client.position?.seq, 11, 'what a socket says that was given up is not listened to');
  await pass(250);
  assert.equal(FakeSocket.made.length, 2);
  await pass(20_000);
  assert.equal(client.state.kind, 'waiting');
});

test('CL43 before the token ends the provider is asked, and the daemon given the new one on the same connection', async (t) => {
  let made = 0;
  const { client } = await connected(t, {}, () => `t${++made}`);
  const told: number[] = [];
  client.on('token.expiring', (exp) => told.push(exp));
  socket().tell({ type: 'token.expiring', exp: 77 });
  await settle();
  assert.deepEqual([socket().last('refresh').token, told, FakeSocket.made.length], ['t2', [77], 1]);
});

test('CL43 an expired token is renewed for the next attempt; a fixed one is the end', async (t) => {
  let made = 0;
  const { client, pass } = await connected(t, {}, () => `t${++made}`);
  socket().tell({ type: 'connection.error', error: { code: 40, StatusCode: 401, message: 'expired' } });
  socket().emit('close', { code: 4401, reason: '' });
  assert.equal(client.state.kind, 'waiting');
  await pass(250);
  socket().emit('open');
  assert.equal(socket().last('connect').token, 't2');
  await client.disconnectUser();
  const opening = client.connect('fixed');
  await settle();
  socket().refuse(40, 401, 4401);
  await assert.rejects(opening, (error) => error instanceof RosterClientError && error.retry === 'new-token');
  assert.deepEqual(ending(client), ['closed', 40]);
});

test('CL43 a provider that gives only expired tokens is not asked for ever by who waits for the first connection', async (t) => {
  let made = 0;
  const { client, pass } = start(t);
  const opening = client.connect(() => `t${++made}`);
  opening.catch(() => {});
  await settle();
  socket().refuse(40, 401, 4401);
  await pass(500);
  socket().refuse(40, 401, 4401);
  await assert.rejects(opening, (error) => error instanceof RosterClientError && error.code === 40);
  assert.equal(made, 2);
});

test('CL43 a provider that fails rejects the first connect, and is asked again later on', async (t) => {
  let isDown = true;
  const provider = (): string => {
    if (isDown) throw new Error('down');
    return 'token';
  };
  const { client, pass } = start(t);
  await assert.rejects(client.connect(provider), /down/);
  assert.equal(ending(client)[0], 'closed');
  isDown = false;
  const open = client.connect(provider);
  await settle();
  socket().welcome();
  await open;
  isDown = true;
  socket().tell({ type: 'connection.error', error: { code: 40, StatusCode: 401, message: 'expired' } });
  socket().emit('close', { code: 4401, reason: '' });
  await pass(250);
  assert.equal(ending(client)[0], 'waiting');
  isDown = false;
  await pass(1_000);
  assert.equal(ending(client)[0], 'connecting');
});

test('CL44 what ends for good is not come back from: the reason is in the state, and whoever waits is told', async (t) => {
  for (const [code, reason] of [
    [4403, 17],
    [4404, 16],
    [4409, undefined],
  ] as const) {
    await t.test(String(code), async (inner) => {
      const { client, pass } = await connected(inner);
      const waits = client.subscribe({ sub: 'all', all: true });
      waits.catch(() => {});
      if (reason !== undefined) socket().tell({ type: 'connection.error', error: { code: reason, StatusCode: 403, message: 'gone' } });
      socket().emit('close', { code, reason: 'gone' });
      assert.deepEqual(ending(client), ['closed', reason]);
      await assert.rejects(waits, RosterClientError);
      await pass(100_000);
      assert.equal(FakeSocket.made.length, 1);
    });
  }
});

test('CL45 a frame that is too big is refused here, before it ends the connection; without a connection nothing is sent', async (t) => {
  const { client } = await connected(t);
  const ids = Array.from({ length: 1_000 }, (_, n) => `${'x'.repeat(200)}${n}`);
  await assert.rejects(client.subscribe({ sub: 'big', ids }), (error) => error instanceof RosterClientError && error.code === 22);
  assert.equal(socket().sent.length, 1);
  await client.disconnectUser();
  await assert.rejects(client.update({ set: { a: 1 } }), (error) => error instanceof RosterClientError && error.retry === 'later');
});

test('CL45 subscriptions that do not fit into the connect frame are named after it, and fed from the same position', async (t) => {
  const { client, pass } = await connected(t);
  const names = ['a', 'b', 'c'];
  for (const name of names) {
    const loaded = client.subscribe({ sub: name, ids: Array.from({ length: 1_000 }, (_, n) => `${name}-twenty-letters-${n}`) });
    await settle();
    socket().tell({ re: socket().last('sub').id, sub: name, seq: 10, users: [] });
    await loaded;
  }
  socket().tell({ type: 'user.updated', seq: 20, user: { id: 'a-twenty-letters-1', rev: 20 }, sub: ['a'] });
  const heard: number[] = [];
  client.on('event', ({ seq }) => heard.push(seq));
  socket().emit('close', { code: 1006, reason: '' });
  await pass(250);
  socket().welcome({ resumed: true, seq: 20 });
  const hello = socket().last('connect').subs as { sub: string }[];
  assert.deepEqual(
    hello.map(({ sub }) => sub),
    ['a'],
  );
  const late = socket().sent.filter(({ op }) => op === 'sub');
  assert.deepEqual(
    late.map(({ sub, snapshot }) => [sub, snapshot]),
    [
      ['b', false],
      ['c', false],
    ],
  );
  // The past of a comes first; then b and c are told theirs, from before that.
  socket().tell({ type: 'user.updated', seq: 25, user: { id: 'a-twenty-letters-1', rev: 25 }, sub: ['a'] });
  for (const { id, sub } of late) {
    socket().tell({ re: id, sub, seq: 20 });
    await settle();
  }
  socket().tell({ type: 'user.updated', seq: 22, user: { id: 'b-twenty-letters-1', rev: 22 }, sub: ['b'] });
  socket().tell({ type: 'user.updated', seq: 23, user: { id: 'c-twenty-letters-1', rev: 23 }, sub: ['c'] });
  socket().tell({ type: 'user.updated', seq: 25, user: { id: 'a-twenty-letters-1', rev: 25 }, sub: ['a'] });
  socket().tell({ type: 'user.updated', seq: 26, user: { id: 'a-twenty-letters-1', rev: 26 }, sub: ['a'] });
  assert.deepEqual(heard, [25, 22, 23, 26]);
});

test('CL46 a snapshot that a cut came into is asked for again, and whoever waits for it gets it then', async (t) => {
  const { client, pass } = await connected(t);
  const loaded = client.subscribe({ sub: 'all', all: true });
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 10, users: [{ id: 'ann', rev: 1 }], more: 'm' });
  await settle();
  assert.equal(socket().last('page').more, 'm');
  socket().emit('close', { code: 1006, reason: '' });
  await pass(250);
  socket().welcome({ resumed: true, seq: 10 });
  assert.deepEqual(socket().last('connect').subs, []);
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 11, users: [{ id: 'bob', rev: 2 }] });
  assert.deepEqual(
    (await loaded).map(({ id }) => id),
    ['bob'],
  );
  assert.deepEqual([...client.users.keys()], ['bob']);
});

test('CL46 a subscription that the daemon ends begins anew, with what is gone; one that it then refuses has ended', async (t) => {
  const { client } = await connected(t);
  const loaded = client.subscribe({ sub: 'all', all: true });
  await settle();
  socket().tell({
    re: socket().last('sub').id,
    sub: 'all',
    seq: 10,
    users: [
      { id: 'ann', rev: 1 },
      { id: 'bob', rev: 2 },
    ],
  });
  await loaded;
  const resyncs: unknown[] = [];
  client.on('resync', (sub, users, gone) => resyncs.push([sub, users.map(({ id }) => id), gone]));
  client.on('sub.refused', (sub, { code }) => resyncs.push([sub, code]));
  socket().tell({ type: 'sub.reset', sub: 'all' });
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 11, users: [{ id: 'bob', rev: 2 }], gone: ['carl'] });
  await settle();
  socket().tell({ type: 'sub.reset', sub: 'all' });
  socket().tell({ re: socket().last('sub').id, error: { code: 17, StatusCode: 403, message: 'no' } });
  await settle();
  assert.deepEqual(resyncs, [
    ['all', ['bob'], ['carl', 'ann']],
    ['all', 17],
  ]);
  assert.deepEqual([...client.users.keys()], []);
});

test('CL46 what was there for one user is forgotten when another one connects, and kept when the same comes back', async (t) => {
  const { client } = start(t);
  const open = async (id: string): Promise<void> => {
    const opening = client.connectUser({ id }, 'token');
    await settle();
    socket().welcome({ me: { id, rev: 1 } });
    await opening;
  };
  await open('ann');
  const loaded = client.subscribe({ sub: 'all', all: true });
  await settle();
  socket().tell({ re: socket().last('sub').id, sub: 'all', seq: 10, users: [{ id: 'bob', rev: 2 }] });
  await loaded;
  await assert.rejects(client.connectUser({ id: 'eve' }, 'token'), /already connected/);
  assert.equal(client.me?.id, 'ann');
  await client.disconnectUser();
  await open('ann');
  assert.deepEqual([client.users.size, socket().last('connect').resume], [1, { epoch: 'e', seq: 10 }]);
  await client.disconnectUser();
  await open('eve');
  assert.deepEqual([client.users.size, socket().last('connect').resume, client.me?.id], [0, undefined, 'eve']);
});
