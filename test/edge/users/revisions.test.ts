/** Where the directory is, and which users it has at one position: UL1–UL4. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { userList } from '../../../daemon/edge/users/revision-list.ts';
import { assertRefused, httpWorld, userToken as tokenOf } from '../../support/http/fake-backend.ts';
import { RulesBench } from '../../support/rules-bench.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const linesOf = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('UL3 the position says where the directory is and how many users it has, and that it is rosterd', async () => {
  const { send, backend } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: {}, bob: {} } } });
  await send('DELETE', '/users/bob');
  for (const prefix of ['', '/api/v2']) {
    const { status, body, headers } = await send('GET', `${prefix}/sync/position`);
    const { duration: _, ...position } = body;
    assert.deepEqual([status, position], [200, { epoch: 'test', seq: 3, users: 1 }]);
    assert.equal(headers['x-rosterd-position'], 'test:3');
  }
  assert.equal(backend.position.seq, 3);
});

test('UL1 the list has every living user with its revision, once, between its first and its last line', async () => {
  const { send } = httpWorld();
  await send('POST', '/users', {
    body: { users: { ann: { teams: ['red'] }, bob: {}, cem: { teams: ['red', 'blue'] }, dan: {}, eve: {} } },
  });
  await send('DELETE', '/users/dan');
  await send('DELETE', '/users/eve', { query: { hard_delete: 'true' } });
  await send('POST', '/users/bob/deactivate', { body: {} });
  const all = await send('GET', '/sync/users');
  assert.equal(all.headers['content-type'], 'application/x-ndjson');
  assert.equal(all.headers['x-rosterd-position'], 'test:8');
  assert.deepEqual(linesOf(all.text), [
    { epoch: 'test', seq: 8, count: 3 },
    { id: 'ann', rev: 1 },
    { id: 'bob', rev: 8, deactivated: true },
    { id: 'cem', rev: 3 },
    { end: true, count: 3 },
  ]);
  const red = await send('GET', '/api/v2/sync/users', { query: { team: 'red' } });
  assert.deepEqual(linesOf(red.text), [
    { epoch: 'test', seq: 8, count: 2 },
    { id: 'ann', rev: 1 },
    { id: 'cem', rev: 3 },
    { end: true, count: 2 },
  ]);
  const none = await send('GET', '/sync/users', { query: { team: 'green' } });
  assert.deepEqual(linesOf(none.text), [
    { epoch: 'test', seq: 8, count: 0 },
    { end: true, count: 0 },
  ]);
});

test('UL4 only a server may ask', async () => {
  const { send } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: {} } } });
  for (const path of ['/sync/position', '/sync/users']) {
    assertRefused(await send('GET', path, { token: tokenOf('ann') }), 403, 17);
    assertRefused(await send('GET', path, { token: null }), 401, 5);
  }
  assertRefused(await send('GET', '/sync/users', { query: { team: 'x'.repeat(300) } }), 400, 4, 'team');
});

/** More users than fit into what lies in pipes and sockets. */
function manyUsers(count: number): RulesBench {
  const bench = new RulesBench();
  for (let at = 0; at < count; at += 1_000) {
    bench.upsert(
      Array.from({ length: Math.min(1_000, count - at) }, (_, n) => ({ id: `user-${at + n}`, teams: n % 2 === 0 ? ['even'] : [] })),
    );
  }
  return bench;
}

test('UL1 what changes while the list is read changes nothing in it', async () => {
  const bench = manyUsers(10_000);
  const { seq } = bench.directory;
  const revs = new Map([...bench.directory.users()].map(({ id, rev }) => [id, rev]));
  const view = bench.directory.freezeRecords();
  const stream = userList({ view });
  let text = '';
  let round = 0;
  for await (const piece of stream) {
    text += String(piece);
    round++;
    bench.upsert([{ id: `user-${10_000 - round}`, name: 'changed' }, { id: `new-${round}` }]);
    bench.delete(`user-${9_000 - round}`, round % 2 === 0 ? 'hard' : 'soft');
  }
  assert.ok(round > 3, `${round} pieces`);
  const lines = linesOf(text);
  assert.deepEqual(lines[0], { epoch: 'test', seq, count: 10_000 });
  assert.deepEqual(lines.at(-1), { end: true, count: 10_000 });
  assert.deepEqual(new Map(lines.slice(1, -1).map(({ id, rev }) => [id, rev])), revs);
});

function countedView(bench: RulesBench) {
  const view = bench.directory.freezeRecords();
  const state = { released: 0 };
  const release = view.release.bind(view);
  view.release = () => {
    state.released++;
    release();
  };
  return { view, state };
}

test('UL2 the view is given back at the end, when the reader goes away, when it never comes, and when it stops reading', async () => {
  const bench = manyUsers(20_000);
  const whole = countedView(bench);
  for await (const piece of userList({ view: whole.view, team: 'even' })) assert.ok(String(piece).length > 0);
  assert.equal(whole.state.released, 1);

  const left = countedView(bench);
  const leaving = userList({ view: left.view });
  await once(leaving, 'readable');
  leaving.destroy();
  await once(leaving, 'close');
  assert.equal(left.state.released, 1);

  const unread = countedView(bench);
  const never = userList({ view: unread.view });
  never.destroy();
  await once(never, 'close');
  assert.equal(unread.state.released, 1);

  const stuck = countedView(bench);
  const stalled = userList({ view: stuck.view, stallMs: 20 });
  // The timer that ends it keeps no process alive by itself.
  const awake = setInterval(() => {}, 1_000);
  await once(stalled, 'readable');
  await once(stalled, 'close');
  clearInterval(awake);
  assert.equal(stuck.state.released, 1);
});

test('UL2 the event loop stays free while somebody reads as fast as can be', async () => {
  const bench = manyUsers(100_000);
  let turns = 0;
  let isDone = false;
  const ticking = (async () => {
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
  })();
  let pieces = 0;
  for await (const _ of userList({ view: bench.directory.freezeRecords() })) pieces++;
  isDone = true;
  await ticking;
  assert.ok(turns >= pieces - 2, `${turns} turns for ${pieces} pieces`);
});

test('UL2 over a real connection: a reader that goes away in the middle leaves nothing behind', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limits': 'off' } });
  const { directory } = world.daemon.roster;
  for (let at = 0; at < 20_000; at += 100) {
    await world.http('POST', '/users', {
      users: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`u${at + n}-${'x'.repeat(200)}`, {}])),
    });
  }
  let [opened, released] = [0, 0];
  const freeze = directory.freezeRecords.bind(directory);
  directory.freezeRecords = () => {
    const view = freeze();
    const release = view.release.bind(view);
    opened++;
    view.release = () => {
      released++;
      release();
    };
    return view;
  };
  const open = async () => {
    const sent = request(new URL(`/sync/users?api_key=${API_KEY}`, world.daemon.url), { headers: { Authorization: serverToken() } }).end();
    const [response] = await once(sent, 'response');
    return { sent, response };
  };
  const { sent, response } = await open();
  await once(response, 'readable');
  response.read(1_000);
  assert.deepEqual([opened, released], [1, 0], 'it waits for its reader');
  sent.destroy();
  while (released < 1) await wait(5);
  const whole = await open();
  let text = '';
  for await (const piece of whole.response) text += String(piece);
  assert.deepEqual(linesOf(text).at(-1), { end: true, count: 20_000 });
  while (released < 2) await wait(5);
  assert.equal(opened, 2);
  assert.equal((await world.http('GET', '/sync/position', undefined, userToken('u'))).status, 403);
});
