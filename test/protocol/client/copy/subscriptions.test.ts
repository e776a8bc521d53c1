/** Subscriptions of the client on a scripted socket, over cuts that come at the worst moment: CL60, CL62, CL63, CL64, CL66. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RosterClientError } from '../../../../protocol/client/client-error.ts';
import type { RosterClient } from '../../../../protocol/client/roster-client.ts';
import type { LiveUser, Subscription } from '../../../../protocol/client/types.ts';
import { connected, ending, FakeSocket, settle, socket, start } from '../../../support/live/fake-socket.ts';

type Pass = (ms: number) => Promise<void>;

/** Subscribes, and answers with these users. */
async function load(client: RosterClient, spec: Subscription, ...users: object[]): Promise<readonly LiveUser[]> {
  const loaded = client.subscribe(spec);
  await settle();
  answerSub({ sub: spec.sub, seq: 10, users });
  return await loaded;
}

const answerSub = (answer: object): void => socket().tell({ re: socket().last('sub').id, ...answer });
const tellEvent = (seq: number, id: string, ...sub: string[]): void =>
  socket().tell({ type: 'user.updated', seq, user: { id, rev: seq }, match: 'stay', ...(sub.length === 0 ? undefined : { sub }) });

/** Cuts the connection, and lets the client come back as far as `connect`. */
async function comeBack(pass: Pass): Promise<void> {
  const before = socket();
  before.emit('close', { code: 1006, reason: '' });
  await pass(250);
  assert.notEqual(socket(), before);
}

/** Accepts a connect that was sent before. */
const accept = (more: object = {}): void => {
  const ok = { type: 'connection.ok', connection_id: 'c', epoch: 'e', seq: 10, heartbeat_ms: 1_000, resumed: true };
  socket().tell({ re: socket().last('connect').id, ...ok, ...more });
};

const namedIn = (op: string): unknown[] => socket().sent.flatMap((frame) => (frame.op === op ? [frame.sub] : []));
const greeted = (): unknown[] => (socket().last('connect').subs as Subscription[]).map(({ sub }) => sub);
const refusedWith = (code: number) => (error: unknown) => error instanceof RosterClientError && error.code === code;
const heardBy = (client: RosterClient): number[] => {
  const heard: number[] = [];
  client.on('event', ({ seq }) => heard.push(seq));
  return heard;
};

/** As it is, too long for a connect frame, not for one of its own; with shorter ids, two of them are. */
function long(sub: string, letters = 36): Subscription {
  return { sub, ids: Array.from({ length: 1_000 }, (_, n) => `${sub}-${'x'.repeat(letters - 8)}-${n}`) };
}

async function connectedAsAnn(t: TestContext): Promise<{ client: RosterClient; pass: Pass }> {
  const made = start(t);
  const open = made.client.connectUser({ id: 'ann' }, 'token');
  await settle();
  socket().welcome({ me: { id: 'ann', rev: 1 } });
  await open;
  return made;
}

test('CL60 a cut before the daemon went back for a late subscription: the next connection resumes from before it, for that one alone', async (t) => {
  const { client, pass } = await connectedAsAnn(t);
  await load(client, { sub: 'a', ids: ['x'] });
  await load(client, long('b'));
  tellEvent(20, 'x', 'a');
  const heard = heardBy(client);
  await comeBack(pass);
  socket().welcome({ resumed: true, seq: 20 });
  assert.deepEqual([greeted(), namedIn('sub')], [['a'], ['b']]);
  tellEvent(24, 'ann');
  tellEvent(25, 'x', 'a');
  socket().tell({ type: 'health.check', seq: 26, caught_up: true });
  assert.equal(client.position?.seq, 20, 'b was told nothing yet');
  await comeBack(pass);
  socket().welcome({ resumed: true, seq: 20 });
  assert.deepEqual(socket().last('connect').resume, { epoch: 'e', seq: 20 });
  tellEvent(24, 'ann');
  tellEvent(25, 'x', 'a');
  socket().tell({ type: 'health.check', seq: 26, caught_up: true });
  answerSub({ sub: 'b', seq: 20 });
  await settle();
  tellEvent(22, 'b-1', 'b');
  tellEvent(25, 'x', 'a', 'b');
  tellEvent(27, 'x', 'a');
  assert.deepEqual(heard, [24, 25, 22, 25, 27], 'nothing is lost; 25 comes again because it is news for b');
  assert.equal(client.position?.seq, 27);
});

test('CL60 one that fits the next time is fed in line with the others', async (t) => {
  const { client, pass } = await connected(t);
  await load(client, long('a', 20));
  await load(client, long('b', 20));
  await load(client, { sub: 'c', ids: ['x'] });
  const heard = heardBy(client);
  await comeBack(pass);
  socket().welcome({ resumed: true });
  assert.deepEqual([greeted(), namedIn('sub')], [['a', 'c'], ['b']]);
  tellEvent(15, 'x', 'c');
  socket().emit('close', { code: 1006, reason: '' });
  await client.unsubscribe('a');
  await pass(250);
  socket().welcome({ resumed: true });
  assert.deepEqual([greeted(), namedIn('sub'), socket().last('connect').resume], [['b', 'c'], [], { epoch: 'e', seq: 10 }]);
  tellEvent(12, 'b-1', 'b');
  tellEvent(15, 'x', 'c');
  tellEvent(16, 'x', 'c');
  assert.deepEqual([heard, client.position?.seq], [[15, 12, 16], 16]);
});

test('CL60 an answer that there is nothing to go back for ends the waiting too', async (t) => {
  const { client, pass } = await connected(t);
  await load(client, { sub: 'a', ids: ['x'] });
  await load(client, long('b'));
  await comeBack(pass);
  socket().welcome({ resumed: true });
  answerSub({ sub: 'b', seq: 10 });
  tellEvent(30, 'x', 'a');
  await comeBack(pass);
  socket().emit('open');
  assert.deepEqual(socket().last('connect').resume, { epoch: 'e', seq: 30 });
});

test('CL60 the past of a durable consumer waits for its late subscriptions, and is told instead of a snapshot', async (t) => {
  const { client, pass } = start(t, { durable: 'mirror' });
  const loaded = [client.subscribe({ ...long('a'), snapshot: false }), client.subscribe(long('b'))];
  const open = client.connect('token');
  await settle();
  socket().welcome({ resumed: true, seq: 5 });
  await open;
  assert.deepEqual(
    socket().sent.flatMap(({ op, sub, snapshot }) => (op === 'sub' ? [[sub, snapshot]] : [])),
    [
      ['a', false],
      ['b', false],
    ],
  );
  answerSub({ sub: 'b', seq: 5 });
  assert.deepEqual(await loaded[1], []);
  socket().tell({ type: 'health.check', seq: 9, caught_up: true });
  await comeBack(pass);
  socket().welcome({ resumed: true, seq: 5 });
  assert.deepEqual(socket().last('connect').resume, { epoch: 'e', seq: 5 });
  const first = socket().sent.find(({ op, sub }) => op === 'sub' && sub === 'a');
  socket().tell({ re: first?.id, sub: 'a', seq: 5 });
  assert.deepEqual(await loaded[0], []);
});

test('CL62 one that is replaced while a connection opens is asked for as it is now; one that is ended is ended there too', async (t) => {
  for (const resumed of [true, false]) {
    await t.test(`resumed: ${resumed}`, async (inner) => {
      const { client, pass } = await connected(inner);
      const red = { id: 'red', rev: 1 };
      await load(client, { sub: 'view', filter: { colour: 'red' } }, red);
      await load(client, { sub: 'gone', ids: ['red'] }, red);
      await comeBack(pass);
      socket().emit('open');
      assert.deepEqual(greeted(), ['view', 'gone']);
      const view = client.subscribe({ sub: 'view', filter: { colour: 'blue' } });
      await client.unsubscribe('gone');
      accept({ resumed });
      if (!resumed) socket().tell({ sub: 'view', seq: 10, users: [red, { id: 'red2', rev: 2 }] });
      const { filter, snapshot } = socket().last('sub');
      assert.deepEqual([filter, snapshot, namedIn('sub'), namedIn('unsub')], [{ colour: 'blue' }, undefined, ['view'], ['gone']]);
      // The daemon does not know of the change yet.
      socket().tell({ type: 'user.presence.changed', seq: 11, user: { ...red, online: true }, sub: ['view'], match: 'enter' });
      answerSub({ sub: 'view', seq: 12, users: [{ id: 'blue', rev: 3 }] });
      assert.deepEqual(
        (await view).map(({ id }) => id),
        ['blue'],
      );
      assert.deepEqual([...client.users.keys()], ['blue']);
      // That was for the red ones, or else the user has become blue since: the next snapshot tells.
      await settle();
      answerSub({ sub: 'view', seq: 12, users: [{ id: 'blue', rev: 3 }, red] });
      await settle();
      assert.deepEqual(
        [[...client.users.keys()], namedIn('sub')],
        [
          ['blue', 'red'],
          ['view', 'view'],
        ],
      );
    });
  }
});

test('CL62 one that began anew while a connection opened gets its snapshot', async (t) => {
  const { client, pass } = await connected(t);
  await load(client, { sub: 'x', filter: { a: 1 } });
  await load(client, { sub: 'y', filter: { b: 1 } });
  // In x or in y, or in both.
  tellEvent(11, 'ann', 'x', 'y');
  await comeBack(pass);
  socket().emit('open');
  await client.unsubscribe('x');
  accept({ seq: 11 });
  await settle();
  answerSub({ sub: 'y', seq: 11, users: [] });
  await settle();
  assert.deepEqual([namedIn('sub'), namedIn('unsub'), client.users.size], [['y'], ['x'], 0]);
});

test('CL36 a filter that is doubted while it is read is asked again when its snapshot is from before the doubt', async (t) => {
  const { client } = await connected(t);
  await load(client, { sub: 'x', filter: { a: 1 } });
  await load(client, { sub: 'y', filter: { b: 1 } }, { id: 'ann', rev: 5 });
  tellEvent(11, 'ann', 'x', 'y');
  void client.unsubscribe('x');
  await settle();
  // It left y and stays in x, which has ended here and not yet there.
  tellEvent(12, 'ann', 'x', 'y');
  answerSub({ sub: 'y', seq: 11, users: [{ id: 'ann', rev: 11 }] });
  await settle();
  assert.deepEqual([namedIn('sub'), client.users.size], [['x', 'y', 'y', 'y'], 1]);
  answerSub({ sub: 'y', seq: 12, users: [] });
  await settle();
  assert.deepEqual([namedIn('sub').length, client.users.size], [4, 0]);
});

test('CL36 so it is when one of two filters is refused', async (t) => {
  const { client, pass } = await connected(t);
  await load(client, { sub: 'x', filter: { a: 1 } });
  await load(client, { sub: 'y', filter: { b: 1 } });
  tellEvent(11, 'ann', 'x', 'y');
  await comeBack(pass);
  socket().welcome({ resumed: true, seq: 11 });
  socket().tell({ type: 'sub.reset', sub: 'x' });
  socket().tell({ re: socket().last('sub').id, error: { code: 17, StatusCode: 403, message: 'no' } });
  await settle();
  assert.deepEqual(namedIn('sub'), ['x', 'y']);
  answerSub({ sub: 'y', seq: 11, users: [] });
  await settle();
  assert.equal(client.users.size, 0);
});

test('CL73 a subscription whose snapshot is over before it was read starts again', async (t) => {
  const { client } = await connected(t);
  const loaded = client.subscribe({ sub: 'x', all: true });
  const refused: unknown[] = [];
  client.on('sub.refused', (...heard) => refused.push(heard));
  await settle();
  answerSub({ sub: 'x', seq: 10, users: [{ id: 'ann', rev: 1 }], more: 'p2' });
  await settle();
  const errors = [{ path: 'more', message: 'unknown or expired' }];
  socket().tell({ re: socket().last('page').id, error: { code: 4, StatusCode: 400, message: 'over', errors } });
  await settle();
  assert.deepEqual(namedIn('sub'), ['x', 'x']);
  answerSub({ sub: 'x', seq: 12, users: [{ id: 'bob', rev: 12 }] });
  assert.deepEqual(
    (await loaded).map(({ id }) => id),
    ['bob'],
  );
  assert.deepEqual([[...client.users.keys()], refused], [['bob'], []]);
});

test('CL62 what is subscribed to in the moment of opening is asked for once', async (t) => {
  const { client, pass } = await connected(t);
  client.on('state', ({ kind }) => {
    if (kind === 'open') void client.subscribe({ sub: 'all', all: true });
  });
  await comeBack(pass);
  socket().welcome({ resumed: true });
  assert.deepEqual(namedIn('sub'), ['all']);
});

test('CL63 a connect that is refused is tried without subscriptions: the one at fault fails alone', async (t) => {
  const { client, pass } = start(t);
  const bad = client.subscribe({ sub: 'bad', all: true });
  const good = client.subscribe({ sub: 'good', ids: ['bob'] });
  const open = client.connect('token');
  await settle();
  socket().refuse(17, 403, 4403);
  await settle();
  socket().welcome();
  await open;
  assert.deepEqual([FakeSocket.made.length, greeted(), namedIn('sub')], [2, [], ['bad', 'good']]);
  const [first, second] = socket().sent.filter(({ op }) => op === 'sub');
  socket().tell({ re: first?.id, error: { code: 17, StatusCode: 403, message: 'no' } });
  socket().tell({ re: second?.id, sub: 'good', seq: 10, users: [{ id: 'bob', rev: 1 }] });
  await assert.rejects(bad, refusedWith(17));
  assert.equal((await good).length, 1);
  await comeBack(pass);
  socket().emit('open');
  assert.deepEqual(greeted(), ['good']);
});

test('CL63 so it is when the client comes back: it hears of the one that was refused, and keeps the others', async (t) => {
  const { client, pass } = await connected(t);
  await load(client, { sub: 'all', all: true }, { id: 'bob', rev: 1 });
  await load(client, { sub: 'bob', ids: ['bob'] }, { id: 'bob', rev: 1 });
  const refused: unknown[] = [];
  client.on('sub.refused', (sub, { code }) => refused.push([sub, code]));
  await comeBack(pass);
  socket().refuse(4, 400, 4400);
  await settle();
  socket().welcome({ resumed: true });
  const late = socket().sent.filter(({ op }) => op === 'sub');
  assert.deepEqual(
    late.map(({ sub, snapshot }) => [sub, snapshot]),
    [
      ['all', false],
      ['bob', false],
    ],
  );
  socket().tell({ re: late[0]?.id, error: { code: 4, StatusCode: 400, message: 'no' } });
  socket().tell({ re: late[1]?.id, sub: 'bob', seq: 10 });
  await settle();
  assert.deepEqual([refused, [...client.users.keys()], client.state.kind], [[['all', 4]], ['bob'], 'open']);
});

test('CL63 when a connect without subscriptions is refused too, or for another reason, that is the end', async (t) => {
  for (const [codes, end] of [
    [[17, 4], 4],
    [[5], 5],
  ] as const) {
    await t.test(codes.join(), async (inner) => {
      const { client, pass } = start(inner);
      const waits = client.subscribe({ sub: 'all', all: true });
      const open = client.connect('token');
      for (const code of codes) {
        await settle();
        socket().refuse(code, 403, 4403);
      }
      await assert.rejects(open, refusedWith(end));
      await assert.rejects(waits, refusedWith(end));
      await pass(100_000);
      assert.deepEqual([ending(client), FakeSocket.made.length], [['closed', end], codes.length]);
      // The next one names what is wanted again.
      client.connect('token').catch(() => {});
      await settle();
      socket().emit('open');
      assert.deepEqual(greeted(), ['all']);
    });
  }
});

test('CL64 one that could not be asked for is refused, and the one that it would have replaced stays', async (t) => {
  const { client } = await connected(t);
  await load(client, { sub: 'a', ids: ['x'] }, { id: 'x', rev: 1 });
  const heard = heardBy(client);
  const ids = Array.from({ length: 1_000 }, (_, n) => `${'x'.repeat(70)}${n}`);
  await assert.rejects(client.subscribe({ sub: 'a', ids }), refusedWith(22));
  await assert.rejects(client.subscribe({ sub: 'a', filter: { n: 1n } }), refusedWith(4));
  tellEvent(11, 'x', 'a');
  assert.deepEqual([heard, client.users.size, namedIn('sub')], [[11], 1, ['a']]);
});

test('CL66 nobody has to await a subscription: a connect that fails rejects it, and ends no process', async (t) => {
  const { client } = start(t);
  const unhandled: unknown[] = [];
  const handler = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', handler);
  t.after(() => process.off('unhandledRejection', handler));
  const all = client.subscribe({ sub: 'all', all: true });
  const open = client.connect('token');
  await settle();
  socket().emit('close', { code: 1006, reason: '' });
  await assert.rejects(open);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
  await assert.rejects(all, RosterClientError);
  const again = client.connect('token');
  await settle();
  socket().welcome();
  await again;
  assert.deepEqual(greeted(), ['all']);
});

test('CL66 who has no connection and gets none is told so; who unsubscribes during a cut has done so', async (t) => {
  const { client } = start(t);
  const before = client.subscribe({ sub: 'a', ids: ['x'] });
  await client.connectAnonymousUser();
  await assert.rejects(before, /no live connection/);
  await assert.rejects(client.subscribe({ sub: 'b', ids: ['x'] }), /no live connection/);
  const open = client.connect('token');
  await settle();
  socket().welcome();
  await open;
  await load(client, { sub: 'b', ids: ['x'] });
  const unsubscribing = client.unsubscribe('b');
  socket().emit('close', { code: 1006, reason: '' });
  await unsubscribing;
});
