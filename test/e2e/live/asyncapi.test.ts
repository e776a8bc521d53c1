/** AA2 and AA4: the description of the live protocol, held against what a real daemon says. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { messageName } from '../../../daemon/edge/describe/asyncapi.ts';
import { EXPORT_TASK } from '../../../protocol/transfer/exports.ts';
import { Checker, documentOf } from '../../support/live/asyncapi-checker.ts';
import { IoClient } from '../../support/live/io-client.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

/** A WebSocket client all of whose frames are held against the document. */
async function watched(world: World, checker: Checker, connect: Record<string, unknown>) {
  const client: LiveClient = await world.open();
  const asked = new Map<unknown, string>();
  const failures: unknown[] = [];
  client.ws.on('message', (data) => {
    const frame: Frame = JSON.parse(data.toString());
    const op = asked.get(frame.re);
    try {
      if (frame.type === 'connection.ok') checker.answer('connect', frame);
      else if (frame.type !== undefined) checker.event(frame);
      else checker.answer(op ?? 'sub', frame);
    } catch (error) {
      failures.push(error);
    }
  });
  let next = 1;
  const ask = async (op: string, argument: Record<string, unknown> = {}): Promise<Frame> => {
    const frame = { op, ...argument, id: `w${next++}` };
    checker.check(messageName.request(op), frame);
    asked.set(frame.id, op);
    const answer = client.next(({ re }) => re === frame.id, `the answer to ${op}`);
    client.send(frame);
    return await answer;
  };
  const ok = await ask('connect', { api_key: API_KEY, ...connect });
  return { client, ask, ok, failures };
}

type Watched = Awaited<ReturnType<typeof watched>>;

/** Everything a server can ask for. */
async function askEverything(world: World, checker: Checker): Promise<Watched> {
  await world.upsert(...Array.from({ length: 5 }, (_, n) => ({ id: `u${n}`, name: `U${n}`, teams: ['red'], custom: { level: n } })));
  const watching = await watched(world, checker, { token: serverToken(), durable: 'mirror' });
  const { ask } = watching;
  const first = await ask('sub', { sub: 'all', all: true, limit: 2, presence: true });
  await ask('page', { sub: 'all', more: first.more });
  await ask('sub', { sub: 'high', filter: { level: { $gte: 3 } }, snapshot: false });
  await ask('unsub', { sub: 'high' });
  await ask('update', { user_id: 'u0', set: { name: 'Zero' }, unset: ['color'] });
  const { seq } = await ask('upsert', { users: { u9: { id: 'u9' } } });
  await ask('ping');
  const ack = { op: 'ack', seq };
  checker.check(messageName.request('ack'), ack);
  watching.client.send(ack);
  assert.equal((await ask('refresh', { token: serverToken({ iat: 1 }) })).error, undefined);
  assert.ok((await ask('sub', { sub: 'x' })).error !== undefined);
  return watching;
}

/** Everything that can happen to users. */
async function letHappen(world: World): Promise<void> {
  const post = async (path: string, body: object): Promise<void> => {
    const answer = await world.http('POST', path, body);
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
  };
  await post('/users/u1/deactivate', { mark_messages_deleted: true, created_by_id: 'u0' });
  await post('/users/u1/reactivate', { restore_messages: true });
  await post('/api/v2/moderation/ban', { target_user_id: 'u1', banned_by_id: 'u0', reason: 'spam', timeout: 5 });
  await post('/api/v2/moderation/unban?target_user_id=u1', { unbanned_by_id: 'u0' });
  await post('/api/v2/moderation/mute', { target_ids: ['u1'], user_id: 'u0', timeout: 5 });
  await post('/api/v2/moderation/unmute', { target_ids: ['u1'], user_id: 'u0' });
  await post('/moderation/flag', { target_user_id: 'u1', user_id: 'u0', reason: 'rude' });
  await post('/moderation/unflag', { target_user_id: 'u1', user_id: 'u0' });
  await post('/users/u2/event', { event: { type: 'nudge', n: 1 } });
  await post('/api/v2/users/delete', { user_ids: ['u3'], user: 'soft' });
  await post('/api/v2/users/restore', { user_ids: ['u3'] });
  await post('/api/v2/users/delete', { user_ids: ['u4'], user: 'hard', messages: 'hard', conversations: 'hard' });
}

/** Everything that is told of what is no user. */
async function letEndTasks(world: World, { client }: Watched): Promise<void> {
  const ok = async (method: string, path: string, body?: object): Promise<Frame> => {
    const answer = await world.http(method, path, body);
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
    return answer.body;
  };
  await ok('POST', '/usergroups', { id: 'g', name: 'Crew', description: 'all', team_id: 'red', member_ids: ['u0'], created_by_id: 'u0' });
  await ok('POST', '/usergroups/g/members', { member_ids: ['u1'], as_admin: true });
  await ok('PUT', '/usergroups/g', { name: 'Staff' });
  await ok('POST', '/usergroups/g/members/delete', { member_ids: ['u0'] });
  await ok('DELETE', '/usergroups/g');
  await ok('POST', '/export/users', { user_ids: ['u0'] });
  const broken = { id: 'broken', kind: EXPORT_TASK, status: 'failed', created_at: 1, updated_at: 2 } as const;
  await world.daemon.roster.submit({ kind: 'docs', changes: [{ kind: 'task', id: 'broken', doc: broken }] }, 'bulk');
  const { path, upload_url } = await ok('POST', '/import_urls', { filename: 'users.jsonl' });
  await fetch(upload_url, { method: 'PUT', body: '{"type":"user","item":{"id":"u0"}}\n{"type":"user","item":{"id":"u1"}}\n' });
  await ok('POST', '/imports', { path, merge_custom: true });
  await client.until(({ import_task }) => import_task?.state === 'completed');
  await client.until(({ type }) => type === 'export.users.success');
}

/** Clients within their teams: who goes out of sight, and what happens when the own teams change. */
async function moveTeams(world: World, checker: Checker): Promise<Watched> {
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  const details = { id: 'u2', privacy_settings: { read_receipts: { enabled: false } } };
  const exp = Math.floor(Date.now() / 1000) + 30;
  const watching = await watched(world, checker, { token: userToken('u2', { exp }), user: details, dates: 'ns' });
  const { client, ask } = watching;
  await client.until(({ type }) => type === 'token.expiring');
  await ask('sub', { sub: 'mates', all: true });
  await world.upsert({ id: 'u3', teams: ['blue'] });
  await client.until(({ type }) => type === 'user.hidden');
  await world.upsert({ id: 'u2', name: 'Two', teams: ['blue'] });
  await client.until(({ type }) => type === 'sub.reset');
  return watching;
}

async function bySocketIo(t: TestContext, world: World, checker: Checker): Promise<IoClient> {
  const auth = { api_key: API_KEY, token: serverToken(), subs: [{ sub: 'all', all: true, snapshot: false }] };
  checker.check(messageName.request('connect'), { op: 'connect', ...auth });
  const client = new IoClient(world.daemon.url, auth);
  t.after(() => client.close());
  await client.opened();
  checker.answer('ping', await client.request('ping'));
  checker.answer('sub', await client.request('sub', { sub: 'x' }));
  await world.upsert({ id: 'u5' });
  await client.until(({ type }) => type === 'user.updated');
  return client;
}

test('AA2 the document is served to everyone', async (t) => {
  const world = await World.start(t);
  const response = await fetch(`${world.daemon.url}/asyncapi.json`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), documentOf());
});

test('AA4 everything that is sent and received is in the document as it is, and nothing else is in it', async (t) => {
  // Without time for goodbyes, whether one arrives is a matter of luck.
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0', 'drain-ms': '4000' } });
  const checker = new Checker();
  const server = await askEverything(world, checker);
  const online = server.client.until(({ type }) => type === 'user.presence.changed');
  const two = await watched(world, checker, { token: userToken('u0') });
  await online;
  await letHappen(world);
  await letEndTasks(world, server);
  await server.client.until(({ type, user }) => type === 'user.deleted' && user.id === 'u4');

  const { epoch } = server.ok;
  const subs = [{ sub: 'all', all: true, presence: true }];
  const resumed = await watched(world, checker, { token: serverToken(), resume: { epoch, seq: server.ok.seq }, subs, dates: 'ns' });
  await resumed.client.until(({ type }) => type === 'presence.state');
  assert.ok(resumed.client.frames.some(({ caught_up }) => caught_up === true));
  const future = { epoch, seq: world.daemon.roster.position.seq + 1_000 };
  const lost = await watched(world, checker, { token: serverToken(), resume: future, subs: [{ sub: 'all', all: true }] });
  assert.equal(lost.ok.resumed, false);

  const mate = await moveTeams(world, checker);
  const io = await bySocketIo(t, world, checker);
  const refused = await watched(world, checker, { token: 'nonsense' });
  assert.equal(refused.ok.type, 'connection.error');
  await world.stop();
  const closing = await io.until(({ type }) => type === 'connection.closed');
  assert.equal(closing.code, 1012);
  for (const frame of io.frames) {
    if (frame.type === 'connection.ok') checker.answer('connect', frame);
    else if (frame.type === undefined) checker.answer('sub', frame);
    else checker.event(frame);
  }
  for (const { failures } of [server, two, resumed, lost, mate, refused]) assert.deepEqual(failures, []);
  assert.deepEqual(
    Object.keys(documentOf().components.messages).filter((name) => !checker.seen.has(name)),
    [],
  );
});
