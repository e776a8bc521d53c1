/** CL10–CL19: the calls that applications of the published clients make, with those names and shapes, against a real daemon. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { connect } from '../../../protocol/client/api/feeds.ts';
import type { TaskAnswer } from '../../../protocol/client/api/users-api.ts';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import type { RosterClient } from '../../../protocol/client/roster-client.ts';
import { apiSecret } from '../../../protocol/client/tokens/secret.ts';
import { eventually } from '../../support/eventually.ts';
import { cuttable, serverClient } from '../../support/live/client-kit.ts';
import { API_KEY, API_SECRET, serverToken, userToken, World } from '../../support/world.ts';

async function start(t: TestContext, flags: Record<string, string> = {}): Promise<{ world: World; server: RosterClient }> {
  const world = await World.start(t, { flags });
  return { world, server: serverClient(t, world.daemon.url).client };
}

/** Fields that the daemon adds to every user. */
function own(user: unknown): Record<string, unknown> {
  assert.ok(typeof user === 'object' && user !== null);
  const added = ['banned', 'shadow_banned', 'blocked_user_ids', 'devices', 'mutes', 'invisible', 'language', 'online', 'teams'];
  return Object.fromEntries(Object.entries(user).filter(([key]) => !added.includes(key) && !key.endsWith('_at') && key !== 'last_active'));
}

async function one(server: RosterClient, id: string): Promise<Record<string, unknown>> {
  const { users } = await server.queryUsers({ id });
  assert.equal(users.length, 1, `${id} was not found`);
  return own(users[0]);
}

async function finished(server: RosterClient, { task_id }: { task_id: string }): Promise<TaskAnswer> {
  let task = await server.getTask({ id: task_id });
  await eventually(async () => {
    task = await server.getTask({ id: task_id });
    return task.status === 'completed' || task.status === 'failed';
  });
  return task;
}

const refused = (code: number, status: number) => (error: unknown) =>
  error instanceof RosterClientError && error.code === code && error.status === status;

test('CL10 connectUser creates, then merges: nothing is removed and the role stays', async (t) => {
  const { world, server } = await start(t);
  const first = cuttable(t, world.daemon.url).client;
  const me = await first.connectUser({ id: 'john', name: 'John', image: 'i.png', colour: 'blue' }, userToken('john'));
  assert.deepEqual([me.id, me.role, me.custom], ['john', 'user', { colour: 'blue' }]);
  const again = cuttable(t, world.daemon.url).client;
  await again.connectUser({ id: 'john', custom: { size: 7 } }, userToken('john'));
  assert.deepEqual(await one(server, 'john'), { id: 'john', role: 'user', name: 'John', image: 'i.png', colour: 'blue', size: 7 });
  const other = cuttable(t, world.daemon.url).client;
  await assert.rejects(other.connectUser({ id: 'john', role: 'admin' }, userToken('john')), refused(17, 403));
});

test('CL11 upsertUser replaces, upsertUsers answers by id, flat and nested custom data mean the same', async (t) => {
  const { server } = await start(t);
  await server.upsertUser({ id: 'ann', favorite_color: 'green' });
  await server.upsertUser({ id: 'ann', role: 'admin', book: 'dune' });
  assert.deepEqual(await one(server, 'ann'), { id: 'ann', role: 'admin', book: 'dune' });

  const { users, created } = await server.upsertUsers([
    { id: 'bob', role: 'admin', name: 'Bob' },
    { id: 'flat', color: 'blue' },
    { id: 'nested', custom: { color: 'blue' } },
  ]);
  assert.deepEqual(Object.keys(users).sort(), ['bob', 'flat', 'nested']);
  assert.deepEqual([...created].sort(), ['bob', 'flat', 'nested']);
  assert.deepEqual({ ...own(users.flat), id: '' }, { ...own(users.nested), id: '' });

  const hundred = Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, n }));
  assert.equal(Object.keys((await server.upsertUsers(hundred)).users).length, 100);
  await assert.rejects(server.upsertUsers([...hundred, { id: 'more' }]), (error) => {
    assert.ok(error instanceof RosterClientError);
    assert.deepEqual([error.code, error.status, error.retry, error.errors[0]?.path], [4, 400, 'no', 'users']);
    return true;
  });
});

test('CL12 partialUpdateUser, partialUpdateUsers and updateUsersPartial set and unset, also by path', async (t) => {
  const { server } = await start(t);
  await server.upsertUser({ id: 'ann', field: { unset: 1 }, field2: { other: 1 } });
  await server.partialUpdateUser({
    id: 'ann',
    set: { role: 'admin', field: { text: 'value', unset: 2 }, 'field2.subfield': 'test' },
    unset: ['field.unset'],
  });
  assert.deepEqual(await one(server, 'ann'), {
    id: 'ann',
    role: 'admin',
    field: { text: 'value' },
    field2: { other: 1, subfield: 'test' },
  });
  await server.upsertUsers([
    { id: 'bob', name: 'Bob' },
    { id: 'carl', field: { value: 1, rest: 2 } },
  ]);
  const { users } = await server.partialUpdateUsers([
    { id: 'bob', set: { nick: 'b' } },
    { id: 'carl', unset: ['field.value'] },
  ]);
  assert.deepEqual([users.bob?.nick, users.carl?.field], ['b', { rest: 2 }]);
  await server.updateUsersPartial({ users: [{ id: 'bob', set: { 'new-field': 'value' }, unset: ['name'] }] });
  assert.deepEqual(await one(server, 'bob'), { id: 'bob', role: 'user', nick: 'b', 'new-field': 'value' });
  await assert.rejects(server.partialUpdateUser({ id: 'nobody', set: { a: 1 } }), refused(16, 404));
});

test('CL12 a call sets a field and removes a part of another one', async (t) => {
  const { server } = await start(t);
  await server.upsertUser({ id: 'ann', other: { unset: 1, rest: 2 } });
  const set = { role: 'admin', field: { text: 'value' }, 'field2.subfield': 'test' };
  await server.partialUpdateUser({ id: 'ann', set, unset: ['other.unset'] });
  const field2 = { subfield: 'test' };
  assert.deepEqual(await one(server, 'ann'), { id: 'ann', role: 'admin', field: { text: 'value' }, field2, other: { rest: 2 } });
});

test('CL13 updateAppSettings makes names unique over the app, within teams, or not at all', async (t) => {
  const { server } = await start(t);
  const taken = (team: string, id: string) => server.upsertUser({ id, name: 'Ann', teams: [team] });
  await server.updateAppSettings({ enforce_unique_usernames: 'app' });
  await taken('red', 'ann');
  await assert.rejects(taken('blue', 'ann2'), refused(6, 400));
  await server.updateAppSettings({ enforce_unique_usernames: 'team' });
  await taken('blue', 'ann2');
  await assert.rejects(taken('red', 'ann3'), refused(6, 400));
  await server.updateAppSettings({ enforce_unique_usernames: 'no' });
  await taken('red', 'ann3');
  assert.equal((await server.getAppSettings()).app.enforce_unique_usernames, 'no');
});

test('CL14 users are deactivated and reactivated, one at once in both forms and many as a task', async (t) => {
  const { world, server } = await start(t);
  await server.upsertUsers([{ id: 'ann' }, { id: 'bob' }, { id: 'carl' }]);
  assert.ok((await server.deactivateUser({ user_id: 'ann' })).user.deactivated_at);
  await assert.rejects(cuttable(t, world.daemon.url).client.connectUser({ id: 'ann' }, userToken('ann')), refused(17, 403));
  assert.equal((await server.reactivateUser({ user_id: 'ann' })).user.deactivated_at, undefined);
  assert.ok((await server.deactivateUser('ann', { mark_messages_deleted: true })).user.deactivated_at);
  assert.equal((await server.reactivateUser('ann', { name: 'Ann' })).user.name, 'Ann');
  const off = await finished(server, await server.deactivateUsers({ user_ids: ['ann', 'bob'] }));
  assert.deepEqual([off.status, off.result], ['completed', { ann: { status: 'ok' }, bob: { status: 'ok' } }]);
  assert.equal((await server.queryUsers({})).users.length, 1);
  assert.equal((await server.queryUsers({}, {}, { include_deactivated_users: true })).users.length, 3);
  await finished(server, await server.reactivateUsers(['ann', 'bob']));
  assert.equal((await server.queryUsers({})).users.length, 3);
});

test('CL15 users are deleted as a task and restored; one is deleted at once', async (t) => {
  const { server } = await start(t);
  await server.upsertUsers([{ id: 'ann', colour: 'blue' }, { id: 'bob' }, { id: 'carl' }, { id: 'dora' }]);
  await finished(server, await server.deleteUsers({ user_ids: ['ann', 'bob'] }));
  await finished(
    server,
    await server.deleteUsers({
      user_ids: ['carl'],
      user: 'hard',
      messages: 'hard',
      conversations: 'hard',
      calls: 'hard',
      new_channel_owner_id: 'dora',
    }),
  );
  assert.deepEqual(
    (await server.queryUsers({})).users.map(({ id }) => id),
    ['dora'],
  );
  await server.restoreUsers({ user_ids: ['ann', 'bob'] });
  assert.equal((await one(server, 'ann')).colour, 'blue');
  await assert.rejects(server.restoreUsers({ user_ids: ['carl'] }), refused(4, 400));
  assert.ok((await server.deleteUser('dora', { hard_delete: true })).user.deleted_at);
});

test('CL16 exportUsers ends in a file at the URL of the finished task', async (t) => {
  const { server } = await start(t);
  await server.upsertUsers([{ id: 'ann', book: 'dune' }, { id: 'bob' }]);
  const { status, result } = await finished(server, await server.exportUsers({ user_ids: ['ann', 'bob'] }));
  assert.equal(status, 'completed');
  const lines = (await (await fetch(String(result?.url))).text()).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).user.id),
    ['ann', 'bob'],
  );
  assert.equal((await server.exportUser('ann')).user.book, 'dune');
});

test('CL17 a guest is counted and connected under the id it was given; an anonymous user is neither counted nor a user', async (t) => {
  const { world, server } = await start(t);
  const guest = cuttable(t, world.daemon.url).client;
  const me = await guest.setGuestUser({ id: 'visitor', name: 'Visitor', colour: 'blue' });
  assert.match(me.id, /visitor/);
  assert.deepEqual([me.role, me.name, me.custom.colour, guest.state.kind], ['guest', 'Visitor', 'blue', 'open']);
  assert.equal((await guest.update({ set: { name: 'Me' } })).name, 'Me');
  const nobody = cuttable(t, world.daemon.url).client;
  await nobody.connectAnonymousUser();
  assert.deepEqual([nobody.state.kind, nobody.me], ['idle', undefined]);
  await assert.rejects(nobody.queryUsers({}), refused(17, 403));
  const known = cuttable(t, world.daemon.url).client;
  await known.connectAnonymousUser(userToken('!anon'));
  assert.deepEqual([known.state.kind, known.me], ['open', undefined]);
  const made = serverClient(t, world.daemon.url).client;
  await made.connectAnonymousUser();
  assert.equal(made.state.kind, 'open');
  const usage = await server.getUsage();
  assert.deepEqual([usage.monthly_active_users, usage.guests], [1, 1]);
});

test('CL18 feeds: create, getOrCreate, get, update, delete and setUser', async (t) => {
  const { world, server } = await start(t);
  const options = { url: world.daemon.url };
  const client = connect(API_KEY, serverToken(), 'app', options);
  const made = await client.user('john-doe').create({ name: 'John Doe', occupation: 'Engineer' });
  assert.deepEqual([made.id, made.data], ['john-doe', { name: 'John Doe', occupation: 'Engineer' }]);
  await assert.rejects(client.user('john-doe').create({ name: 'Else' }), (error) => {
    assert.ok(error instanceof RosterClientError);
    assert.deepEqual([error.status, error.retry], [409, 'no']);
    return true;
  });
  const same = await client.user('john-doe').getOrCreate({ name: 'Else' });
  assert.deepEqual([same.data, same.created_at], [made.data, made.created_at]);
  assert.deepEqual((await client.user('john-doe').update({ name: 'Jane' })).data, { name: 'Jane' });
  assert.deepEqual((await client.user('john-doe').get()).data, { name: 'Jane' });
  // One record, whatever the dialect.
  assert.deepEqual(await one(server, 'john-doe'), { id: 'john-doe', role: 'user', name: 'Jane' });
  const own = connect(API_KEY, async () => userToken('kim'), 'app', options);
  assert.deepEqual((await own.setUser({ name: 'Kim' })).id, 'kim');
  assert.deepEqual((await own.setUser({ name: 'Other' })).data, { name: 'Kim' });
  await assert.rejects(own.user('john-doe').update({}), refused(17, 403));
  await client.user('john-doe').delete();
  await assert.rejects(client.user('john-doe').get(), refused(16, 404));
  assert.deepEqual((await client.user('john-doe').getOrCreate({ name: 'New' })).data, { name: 'New' });
  await assert.rejects(client.setUser({}), RosterClientError);
});

test('CL19 feeds: an activity is read with the user in place of the reference, and after its deletion with what is missing', async (t) => {
  const world = await World.start(t);
  const client = connect(API_KEY, serverToken(), 'app', { url: world.daemon.url });
  const user = client.user('john-doe');
  const { duration: _, ...john } = await user.create({ name: 'John' });
  const feed = client.feed('user', 'john-doe');
  const added = await feed.addActivity({ actor: user.ref, verb: 'post', object: 'picture:1' });
  const [plain] = (await feed.get()).results;
  assert.equal(plain?.actor, 'SU:john-doe');
  const [enriched] = (await feed.get({ enrich: true })).results;
  assert.deepEqual(enriched?.actor, john);
  await user.delete();
  const [missing] = (await feed.get({ enrich: true, limit: 1 })).results;
  assert.deepEqual(missing?.actor, { id: 'john-doe', error: 'ReferenceNotFound', reference: 'SU:john-doe', reference_type: 'user' });
  await feed.removeActivity(String(added.id));
  assert.equal((await feed.get()).results.length, 0);
});

test('CL20 tokens are made with WebCrypto, and revoked ones are refused', async (t) => {
  const { world, server } = await start(t);
  const exp = Math.floor(Date.now() / 1_000) + 60;
  const token = await server.createToken('ann', exp, 1);
  assert.equal(token, userToken('ann', { iat: 1, exp }));
  const ann = cuttable(t, world.daemon.url).client;
  await ann.connectUser({ id: 'ann' }, token);
  await server.revokeUserToken('ann');
  await assert.rejects(ann.queryUsers({}), (error) => error instanceof RosterClientError && error.retry === 'new-token');
  await server.revokeUserToken('ann', null);
  assert.equal((await ann.queryUsers({ id: 'ann' })).users.length, 1);
  await assert.rejects(ann.createToken('ann'), RosterClientError);
  await assert.rejects(apiSecret('').sign({}), Error);
  assert.notEqual(await apiSecret(API_SECRET).sign({}), await apiSecret('other').sign({}));
});

test('CL21 moderation, devices, roles, groups and custom events', async (t) => {
  const { world, server } = await start(t);
  await server.upsertUsers([{ id: 'ann', name: 'Ann' }, { id: 'bob' }]);
  await server.banUser('bob', { banned_by_id: 'ann', reason: 'spam', timeout: 5 });
  const { bans } = await server.queryBannedUsers({ user_id: 'bob' });
  assert.deepEqual([bans.length, bans[0]?.reason], [1, 'spam']);
  await server.unbanUser('bob');
  await server.shadowBan('bob', { banned_by_id: 'ann' });
  assert.equal((await one(server, 'bob')).id, 'bob');
  await server.unbanUser('bob', { shadow: true });
  assert.equal((await server.queryBannedUsers()).bans.length, 0);

  const ann = cuttable(t, world.daemon.url).client;
  await ann.connectUser({ id: 'ann' }, userToken('ann'));
  assert.equal((await ann.muteUser('bob')).own_user.id, 'ann');
  await server.unmuteUser('bob', 'ann');
  await ann.blockUser('bob');
  assert.deepEqual(
    (await ann.getBlockedUsers()).blocks.map(({ blocked_user_id }) => blocked_user_id),
    ['bob'],
  );
  await ann.unBlockUser('bob');
  await ann.flagUser('bob', { reason: 'rude' });
  await ann.unflagUser('bob');
  await ann.addDevice('phone', 'firebase');
  assert.deepEqual(
    (await server.getDevices('ann')).devices.map(({ id }) => id),
    ['phone'],
  );
  await ann.removeDevice('phone');
  await ann.setPushPreferences([{ chat_level: 'mentions' }]);

  const waved = new Promise((resolve) => ann.onCustom('wave', ({ custom }) => resolve(custom)));
  await server.sendUserCustomEvent('ann', { type: 'wave', to: 'bob' });
  assert.deepEqual(await waved, { to: 'bob' });

  await server.createRole('editor');
  assert.ok((await server.listRoles()).roles.some(({ name }) => name === 'editor'));
  await server.deleteRole('editor');
  assert.ok((await server.listPermissions()).permissions.length > 0);
  const { user_group: group } = await server.createUserGroup({ id: 'g1', name: 'Group', member_ids: ['ann'] });
  assert.equal(group.id, 'g1');
  await server.addUserGroupMembers('g1', ['bob'], { as_admin: true });
  await server.removeUserGroupMembers('g1', ['ann']);
  await server.updateUserGroup('g1', { name: 'Renamed' });
  const whole = (await server.getUserGroup('g1')).user_group;
  assert.deepEqual([whole.name, (whole.members as unknown[]).length], ['Renamed', 1]);
  assert.equal((await server.listUserGroups({ limit: 5 })).user_groups.length, 1);
  await server.deleteUserGroup('g1');
  assert.ok('server_side' in (await server.getRateLimits()));
  await server.revokeTokens();
  await assert.rejects(ann.queryUsers({}), refused(40, 401));
  await server.revokeTokens(null);
});

test('CL22 queryUsers sorts, pages, and with presence hears of whom it found', async (t) => {
  const { world, server } = await start(t, { 'presence-grace-ms': '0' });
  await server.upsertUsers([
    { id: 'bob', n: 2 },
    { id: 'carl', n: 1 },
    { id: 'dora', n: 3 },
  ]);
  const ids = async (...query: Parameters<RosterClient['queryUsers']>) => (await server.queryUsers(...query)).users.map(({ id }) => id);
  assert.deepEqual(await ids({ n: { $gt: 0 } }, { n: 1 }), ['carl', 'bob', 'dora']);
  assert.deepEqual(await ids({ n: { $gt: 0 } }, [{ field: 'n', direction: -1 }], { limit: 1, offset: 1 }), ['bob']);
  const ann = cuttable(t, world.daemon.url).client;
  await ann.connectUser({ id: 'ann' }, userToken('ann'));
  await ann.queryUsers({ id: 'bob' }, {}, { presence: true });
  await ann.queryUsers({ id: 'carl' }, {}, { presence: true });
  assert.deepEqual([...ann.users.keys()].sort(), ['bob', 'carl']);
  const came = new Promise<boolean>((resolve) => ann.once('user.presence.changed', ({ user }) => resolve(user.online)));
  const changed = new Promise<readonly string[]>((resolve) => ann.once('users.changed', resolve));
  await cuttable(t, world.daemon.url).client.connectUser({ id: 'bob' }, userToken('bob'));
  assert.equal(await came, true);
  assert.deepEqual(await changed, ['bob']);
  assert.deepEqual([ann.users.get('bob')?.online, ann.users.get('carl')?.online], [true, false]);
});
