/** ND1–ND5: a daemon that is behind the other one, or whose clock is wrong. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually, quickest } from '../../support/eventually.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { NodeLog } from '../../support/store/node-log.ts';
import { openNode } from '../../support/store/node-store.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const FLAGS = { 'rate-limits': 'off' };
const SUBS = [{ sub: 'all', all: true }];

/** `front` writes; what `behind` knows of it is the test's to say. */
async function nodes(t: TestContext): Promise<{ front: World; behind: World; log: NodeLog }> {
  const shared = new MemoryLog({ epoch: 'e', retentionFacts: 10_000 });
  const log = new NodeLog(shared);
  const front = await World.start(t, { openStore: openNode(new NodeLog(shared)), flags: FLAGS });
  const behind = await World.start(t, { openStore: openNode(log), flags: FLAGS });
  return { front, behind, log };
}

async function resuming(world: World, seq: number, more: object = {}): Promise<LiveClient> {
  const client = await world.open();
  client.send({ op: 'connect', id: 'c', api_key: API_KEY, token: serverToken(), resume: { epoch: 'e', seq }, subs: SUBS, ...more });
  return client;
}

const isOk = ({ type }: Frame): boolean => type === 'connection.ok';

test('ND1 a subscriber that resumes on a node behind goes on where it was, without a resync', async (t) => {
  const { front, behind, log } = await nodes(t);
  const read = log.holdReading();
  for (let n = 0; n < 5; n++) await front.upsert({ id: 'ann', name: `Ann ${n}` });
  const clients = [await resuming(behind, 3), await resuming(behind, 5)];
  await behind.http('GET', '/app');
  assert.deepEqual(
    clients.map(({ frames }) => frames),
    [[], []],
    'neither is answered by what this node knows now',
  );
  read();
  for (const client of clients) assert.deepEqual([(await client.until(isOk)).resumed, (await client.until(isOk)).epoch], [true, 'e']);
  await front.upsert({ id: 'ann', name: 'Ann 5' });
  for (const client of clients) await client.until(({ seq, type }) => seq === 6 && type === 'user.updated');
  assert.deepEqual(
    clients.map(({ events }) => events.map(({ seq }) => seq)),
    [[4, 5, 6], [6]],
  );
});

test('ND1 a chat client, too, resumes on a node behind, and is judged by what is known there then', async (t) => {
  const { front, behind, log } = await nodes(t);
  await front.upsert({ id: 'ann' });
  await front.http('POST', '/users/ann/deactivate', {});
  const read = log.holdReading();
  await front.http('POST', '/users/ann/reactivate', {});
  const client = await behind.open();
  client.send({ op: 'connect', api_key: API_KEY, token: userToken('ann'), user: { id: 'ann' }, resume: { epoch: 'e', seq: 3 } });
  await behind.http('GET', '/app');
  read();
  assert.equal((await client.until(isOk)).resumed, true);
});

test('ND1 a node that does not come there within 2 s sends the subscriber elsewhere', async (t) => {
  const { front, behind, log } = await nodes(t);
  const read = log.holdReading();
  await front.upsert({ id: 'ann' });
  const client = await resuming(behind, 1);
  const refused = await client.until(({ type }) => type === 'connection.error');
  assert.deepEqual([refused.error.code, refused.error.StatusCode], [-1, 503]);
  assert.match(refused.error.message, /has not come to the position 1 yet/);
  assert.equal((await client.closed).code, 1013);
  read();
});

test('ND2 a position that does not exist is answered at once with a resync', async (t) => {
  const { front, behind } = await nodes(t);
  await front.upsert({ id: 'ann' });
  for (const resume of [
    { epoch: 'e', seq: 1_000 },
    { epoch: 'other', seq: 1 },
  ]) {
    const tookMs = await quickest(async () => {
      const ok = await (await resuming(behind, 0, { resume })).until(isOk);
      assert.equal(ok.resumed, false);
    });
    // ND1: what this node may still come to is waited for, for 2 s.
    assert.ok(tookMs < 1_500, `${tookMs} ms`);
  }
});

test('ND3 after 200 writes elsewhere, on a node 250 ms behind: what it acknowledges has its effect, conditions hold, reads with a position are new', async (t) => {
  const { front, behind, log } = await nodes(t);
  const ids = Array.from({ length: 20 }, (_, n) => `u${n}`);
  for (const id of ids) await front.upsert({ id, name: 'first' });
  log.lagMs = 250;
  const revs = new Map<string, number>();
  let position = '';
  for (let n = 0; n < 200; n++) {
    const id = ids[n % ids.length] ?? '';
    const { headers, status } = await front.http('POST', '/users', { users: { [id]: { id, name: `front ${n}` } } });
    assert.equal(status, 200);
    position = headers.get('x-rosterd-position') ?? '';
    revs.set(id, Number(position.split(':')[1]));
  }
  assert.notEqual((await behind.http('GET', '/sync/position')).body.seq, 220, 'it is behind');
  // The name that it still shows: an acknowledged request to set it must not be without effect.
  const stale = await Promise.all(ids.slice(0, 5).map((id) => behind.upsert({ id, name: 'first' })));
  assert.deepEqual(
    stale.map(({ status, body }) => [status, body.updated.length]),
    Array.from({ length: 5 }, () => [200, 1]),
  );
  const conditional = await Promise.all(
    ids.slice(5).map((id) => behind.http('POST', '/users', { users: { [id]: { id, name: 'mine' } }, if_rev: { [id]: revs.get(id) } })),
  );
  assert.deepEqual(new Set(conditional.map(({ status }) => status)), new Set([200]));
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id: 'u7' } }));
  for (let n = 0; n < 5; n++) {
    const written = await front.upsert({ id: 'u7', name: `read ${n}` });
    const answer = await fetch(`${behind.daemon.url}/users?api_key=${API_KEY}&payload=${payload}`, {
      headers: { authorization: serverToken(), 'x-rosterd-position': written.headers.get('x-rosterd-position') ?? '' },
    });
    const { users } = (await answer.json()) as { users: { name: string }[] };
    assert.deepEqual([answer.status, users[0]?.name], [200, `read ${n}`]);
  }
});

test('EX6 ND3 an export of a user that a node behind does not know yet is not refused; a user that is gone is not exported', async (t) => {
  const { front, behind, log } = await nodes(t);
  await front.upsert({ id: 'gone' });
  await behind.http('GET', '/sync/position');
  const read = log.holdReading();
  await front.upsert({ id: 'ann' });
  await front.http('DELETE', '/users/gone');
  const asked = Promise.all([['ann'], ['gone']].map((user_ids) => behind.http('POST', '/export/users', { user_ids })));
  await behind.http('GET', '/app');
  read();
  const [known, gone] = await asked;
  assert.deepEqual([known?.status, gone?.status, gone?.body.message.includes('the user gone was deleted')], [201, 404, true]);
});

test('ND3 a user that a node behind does not know yet is deleted over the feeds API, and one that nobody knows is refused', async (t) => {
  const { front, behind, log } = await nodes(t);
  const read = log.holdReading();
  await front.upsert({ id: 'ann' });
  const asked = Promise.all(['ann', 'nobody'].map((id) => behind.http('DELETE', `/api/v1.0/user/${id}/`)));
  await behind.http('GET', '/app');
  read();
  assert.deepEqual(
    (await asked).map(({ status }) => status),
    [200, 404],
  );
});

test('ND3 writes that rest on what is read first read the newest state, also on a node behind', async (t) => {
  const { front, behind, log } = await nodes(t);
  await front.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'twin-1', name: 'Twin' }, { id: 'twin-2', name: 'Twin' });
  const activity = (text: string) => ({ actor: 'ann', verb: 'post', object: text });
  const post = async (text: string): Promise<void> => {
    assert.equal((await front.http('POST', '/api/v1.0/feed/user/ann/', activity(text))).status, 201);
  };
  await post('old');
  await behind.http('GET', '/sync/position');
  const read = log.holdReading();
  assert.equal((await front.http('POST', '/moderation/flag', { target_user_id: 'bob', user_id: 'ann', reason: 'rude' })).status, 201);
  assert.equal((await front.http('PATCH', '/app', { enforce_unique_usernames: 'app' })).status, 200);
  await post('new');
  const asked = Promise.all([
    behind.http('POST', '/moderation/unflag', { target_user_id: 'bob', user_id: 'ann' }),
    behind.http('PATCH', '/app', { enforce_unique_usernames: 'app' }),
    behind.http('POST', '/api/v1.0/feed/timeline/bob/follows/', { target: 'user:ann', activity_copy_limit: 1 }),
  ]);
  await behind.http('GET', '/app');
  read();
  const [unflagged, set, followed] = await asked;
  assert.equal(unflagged?.body.flag?.reason, 'rude', 'the report that is taken back');
  assert.equal(set?.body.collisions, undefined, 'names were unique before');
  assert.equal(followed?.status, 201);
  const { results } = (await behind.http('GET', '/api/v1.0/feed/timeline/bob/')).body;
  assert.deepEqual(
    results.map(({ object }: { object: string }) => object),
    ['new'],
    'one activity is copied, the newest',
  );
});

test('ND4 ND5 times come from the storage; a machine an hour off is not ready and does no harm to the log', async (t) => {
  const shared = new MemoryLog({ epoch: 'e' });
  const lines: string[] = [];
  const clock = { aheadMs: -3_600_000, nowMs: () => Date.now() + clock.aheadMs };
  const log = new NodeLog(shared);
  const world = await World.start(t, { openStore: openNode(log, clock), onLog: (line) => lines.push(line), flags: FLAGS });
  const { body } = await world.upsert({ id: 'ann' });
  assert.ok(Math.abs(body.users.ann.created_at / 1e6 - clock.nowMs()) < 30_000, `${body.users.ann.created_at}`);
  const off = await world.http('GET', '/readyz');
  assert.equal(off.status, 503);
  const [, aheadMs] = /(\d+) ms ahead of that of the storage.*NTP/.exec(off.body.reason) ?? assert.fail(off.body.reason);
  assert.equal(off.body.clock_ahead_ms, Number(aheadMs));
  assert.ok(Math.abs(off.body.clock_ahead_ms - 3_600_000) < 30_000, `${aheadMs} ms`);
  // A ban ends by that clock, not by the one of this machine.
  await world.upsert({ id: 'bob' });
  const ban = { target_user_id: 'ann', user_id: 'bob', timeout: 1 };
  assert.equal((await world.http('POST', '/moderation/ban', ban)).status, 201);
  const banned = async (): Promise<boolean> => (await world.http('GET', `/users?payload=${QUERY_ANN}`)).body.users[0].banned;
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(await banned(), true, 'by the clock of this machine, the hour that it is ahead is over');
  clock.aheadMs += 61_000;
  await eventually(async () => !(await banned()), 'the ban is over by the clock of the storage');
  clock.aheadMs = 0;
  assert.equal((await world.http('GET', '/readyz')).status, 200);
  await eventually(() => lines.some((line) => line.includes('agrees with that of the storage again')));
  assert.equal(lines.filter((line) => line.includes('"clock_ahead_ms"')).length, 1, 'told once');
});

const QUERY_ANN = encodeURIComponent(JSON.stringify({ filter_conditions: { id: 'ann' } }));
