/** The client on a scripted socket when something around it is at fault: CL51–CL55. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RosterClientError } from '../../../../protocol/client/client-error.ts';
import { connected, ending, FakeSocket, settle, socket, start } from '../../../support/live/fake-socket.ts';

/** What listeners threw becomes uncaught errors: caught here, as an application's own handler would. */
function uncaught(t: TestContext): string[] {
  const seen: string[] = [];
  const handler = (error: Error): void => void seen.push(error.message);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', handler);
  t.after(() => {
    process.off('uncaughtException', handler);
    for (const other of others) process.on('uncaughtException', other);
  });
  return seen;
}

/** Microtasks that throw are reported between tasks. */
const reported = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const expire = (closeCode = 4401): void => {
  socket().tell({ type: 'connection.error', error: { code: 40, StatusCode: 401, message: 'expired' } });
  socket().emit('close', { code: closeCode, reason: '' });
};

test('CL51 a connect that is too big, or no JSON, is refused here and ends the client for good', async (t) => {
  const cases = [
    [{ id: 'ann', bio: 'x'.repeat(70_000) }, 22, 413],
    [{ id: 'ann', big: 1n }, 4, 400],
  ] as const;
  for (const [user, code, status] of cases) {
    await t.test(String(code), async (inner) => {
      const { client, pass } = start(inner);
      const opening = client.connectUser(user, 'token');
      await settle();
      socket().emit('open');
      await assert.rejects(opening, (error) => error instanceof RosterClientError && error.code === code && error.status === status);
      assert.deepEqual([...ending(client), socket().sent.length, socket().closedWith], ['closed', code, 0, 1000]);
      socket().emit('close', { code: 1000, reason: '' });
      await pass(100_000);
      assert.equal(FakeSocket.made.length, 1);
    });
  }
});

test('CL51 a refusal of the daemon is told as such, and nothing of it is left for the next connection', async (t) => {
  const { client, pass } = start(t);
  const opening = client.connect('token');
  await settle();
  socket().refuse(22, 413, 4400);
  await assert.rejects(opening, (error) => error instanceof RosterClientError && error.message === 'no');
  assert.equal(client.state.kind === 'closed' && client.state.code, 4400);
  let made = 0;
  const again = client.connect(() => `t${++made}`);
  await settle();
  socket().refuse(40, 401, 4401);
  await pass(500);
  socket().welcome();
  await again;
  socket().emit('close', { code: 1006, reason: '' });
  await pass(250);
  assert.deepEqual([ending(client)[0], made], ['connecting', 2], 'a cut is no reason for another token');
});

test('CL52 a provider that hands out its cached token is asked every 10 s until it has another; the old one is not sent again', async (t) => {
  let asked = 0;
  let token = 'cached';
  const { client, pass } = await connected(t, {}, () => {
    asked++;
    return token;
  });
  let told = 0;
  client.on('token.expiring', () => told++);
  const beat = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      socket().tell({ type: 'health.check', seq: 10 });
      await pass(1_000);
    }
  };
  socket().tell({ type: 'token.expiring', exp: 60 });
  await settle();
  await beat(25_000);
  assert.deepEqual([asked, told, socket().sent.length], [4, 1, 1]);
  token = 'new';
  await beat(10_000);
  assert.deepEqual([asked, socket().last('refresh').token], [5, 'new']);
  socket().tell({ re: socket().last('refresh').id, exp: 99 });
  await settle();
  await beat(30_000);
  assert.deepEqual([asked, socket().sent.length], [5, 2]);
});

test('CL52 tokens that end soon are renewed at most once in 10 s, over cuts too; nobody is asked after the end', async (t) => {
  let made = 0;
  const { client, pass } = await connected(t, {}, () => `t${++made}`);
  const warned = async (): Promise<void> => {
    socket().tell({ type: 'token.expiring', exp: made });
    await settle();
  };
  const accepted = async (): Promise<void> => {
    socket().tell({ re: socket().last('refresh').id, exp: made });
    await settle();
  };
  await warned();
  await accepted();
  await warned();
  assert.equal(made, 2);
  socket().emit('close', { code: 1006, reason: '' });
  await pass(250);
  socket().welcome({ resumed: true, heartbeat_ms: 60_000 });
  await warned();
  assert.equal(made, 2, 'the gap lasts over a cut');
  await pass(9_750);
  assert.deepEqual([made, socket().last('refresh').token], [3, 't3']);
  // The answer never comes: the connection is closed instead.
  await client.disconnectUser();
  await pass(60_000);
  assert.deepEqual([made, FakeSocket.made.length], [3, 2]);
});

test('CL52 a token that a call came by is given to the daemon unasked; one that it has of the application is not', async (t) => {
  let made = 0;
  const { client, pass } = await connected(t, {}, () => `t${++made}`);
  const warned = async (): Promise<unknown[]> => {
    socket().tell({ type: 'token.expiring', exp: made });
    await settle();
    const { id, token } = socket().last('refresh');
    socket().tell({ re: id, exp: made });
    await pass(1_000);
    return [made, token];
  };
  t.mock.method(globalThis, 'fetch', async (_: string, { headers }: { headers: Record<string, string> }) => {
    return headers.authorization === 't1' ? new Response('{"code":40}', { status: 401 }) : new Response('{}');
  });
  await client.getAppSettings();
  assert.equal(made, 2);
  assert.deepEqual(await warned(), [2, 't2']);
  const given = client.refreshToken('by hand');
  await settle();
  socket().tell({ re: socket().last('refresh').id, exp: 1 });
  await given;
  for (let second = 0; second < 9; second++) {
    socket().tell({ type: 'health.check', seq: 10 });
    await pass(1_000);
  }
  assert.deepEqual(await warned(), [3, 't3']);
});

test('CL53 a state listener that throws is heard of, and the client comes back all the same', async (t) => {
  const seen = uncaught(t);
  const { client, pass } = start(t);
  client.on('state', ({ kind }) => {
    throw new Error(kind);
  });
  const opening = client.connect('token');
  await settle();
  socket().welcome();
  await opening;
  socket().emit('close', { code: 1006, reason: '' });
  await pass(250);
  socket().welcome({ resumed: true });
  assert.equal(client.state.kind, 'open');
  await client.disconnectUser();
  client.removeAllListeners();
  await reported();
  assert.deepEqual(seen, ['connecting', 'open', 'waiting', 'connecting', 'open', 'closed']);
});

test('CL53 a connection that is closed in a state listener stays closed, in whatever state', async (t) => {
  for (const kind of ['connecting', 'open', 'waiting'] as const) {
    await t.test(kind, async (inner) => {
      const { client, pass } = start(inner);
      client.on('state', (state) => {
        if (state.kind === kind) void client.disconnectUser();
      });
      const opening = client.connect('token');
      opening.catch(() => {});
      await settle();
      if (kind !== 'connecting') socket().welcome();
      if (kind === 'waiting') socket().emit('close', { code: 1006, reason: '' });
      await pass(100_000);
      await pass(100_000);
      assert.deepEqual([client.state.kind, FakeSocket.made.length], ['closed', kind === 'connecting' ? 0 : 1]);
      assert.equal(client.position === undefined, kind !== 'waiting', 'a connection that is closed tells nothing any more');
    });
  }
});

test('CL53 a connection that a state listener replaces does not take the answer for its own', async (t) => {
  const { client } = start(t);
  let second: Promise<void> | undefined;
  client.on('state', ({ kind }) => {
    if (kind !== 'open' || second !== undefined) return;
    void client.disconnectUser();
    second = client.connect('token');
  });
  const first = client.connect('token');
  await settle();
  socket().welcome();
  await assert.rejects(first, RosterClientError);
  let isOpen = false;
  second?.then(() => {
    isOpen = true;
  });
  await settle();
  assert.deepEqual([client.state.kind, isOpen, FakeSocket.made.length], ['connecting', false, 2]);
  socket().welcome();
  await settle();
  assert.deepEqual([client.state.kind, isOpen], ['open', true]);
});

test('CL54 an address that is none rejects with the error of the library', async (t) => {
  class Picky extends FakeSocket {
    constructor(url: string) {
      super(url);
      throw new SyntaxError('Invalid URL');
    }
  }
  const { client } = start(t, { webSocket: Picky });
  await assert.rejects(client.connect('token'), (error) => {
    assert.ok(error instanceof RosterClientError && error.cause instanceof SyntaxError);
    return error.message.includes('ws://host:1/live');
  });
  assert.equal(client.state.kind, 'closed');
});

test('CL54 a frame that is no JSON object ends the connection: the first one rejects, a later one comes back', async (t) => {
  for (const data of ['welcome', 'null', '[]', new ArrayBuffer(1)]) {
    await t.test(String(data), async (inner) => {
      const { client, pass } = start(inner);
      const opening = client.connect('token');
      await settle();
      socket().emit('message', { data });
      await assert.rejects(opening, (error) => error instanceof RosterClientError && error.retry === 'later');
      assert.deepEqual([client.state.kind, socket().closedWith], ['closed', 1005]);
      const again = client.connect('token');
      await settle();
      socket().welcome();
      await again;
      const waits = client.update({ set: { a: 1 } });
      socket().emit('message', { data });
      await assert.rejects(waits, RosterClientError);
      assert.deepEqual([client.state.kind, socket().closedWith], ['waiting', 1005]);
      await pass(250);
      socket().welcome({ resumed: true });
      assert.equal(client.state.kind, 'open');
    });
  }
});

test('CL55 a question to the provider that is never answered is given up after 20 s, and the next attempt asks anew', async (t) => {
  let asked = 0;
  const { client, pass } = await connected(t, {}, () => {
    asked++;
    return asked === 2 ? new Promise<string>(() => {}) : `t${asked}`;
  });
  expire();
  await pass(250);
  assert.deepEqual([asked, client.state.kind], [2, 'connecting']);
  await pass(19_999);
  assert.deepEqual(ending(client), ['connecting', undefined]);
  await pass(1);
  assert.deepEqual(ending(client), ['waiting', undefined]);
  await pass(500);
  socket().welcome({ resumed: true });
  assert.deepEqual([asked, client.state.kind, socket().last('connect').token], [3, 'open', 't3']);
});

test('CL55 the first connect rejects when the provider does not answer', async (t) => {
  const { client, pass } = start(t);
  const opening = client.connect(() => new Promise<string>(() => {}));
  opening.catch(() => {});
  await pass(20_000);
  await assert.rejects(opening, (error) => error instanceof RosterClientError && error.retry === 'later');
  assert.deepEqual([client.state.kind, FakeSocket.made.length], ['closed', 0]);
});
