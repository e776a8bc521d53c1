/** Who is told of bans, mutes, reports and blocks, and of their end, by a real daemon: MD15 and MD16. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../support/eventually.ts';
import type { LiveClient } from '../../../support/live/live-client.ts';
import { World } from '../../../support/world.ts';

interface Scene {
  readonly world: World;
  /** Subscribed to everything, with a server token. */
  readonly server: LiveClient;
  /** Connected as ann. */
  readonly ann: LiveClient;
  /** Connected as bob, and watching ann. */
  readonly watcher: LiveClient;
  post(path: string, body: object): Promise<void>;
}

async function scene(t: TestContext): Promise<Scene> {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'cem' }, { id: 'mod', role: 'moderator' });
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  const ann = await world.chat('ann');
  const watcher = await world.chat('bob', {}, { subs: [{ sub: 'friends', ids: ['ann'], snapshot: false }] });
  const post = async (path: string, body: object): Promise<void> => {
    const answer = await world.http('POST', path, body);
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
  };
  return { world, server, ann, watcher, post };
}

/** Events about moderation, in short. They are complete once a later update of ann has come. */
async function toldOf(client: LiveClient, mark: string): Promise<string[]> {
  await client.until(({ type, user }) => type === 'user.updated' && user.name === mark, `the update ${mark}`);
  return client.events.filter(({ type }) => /ban|mute|flag/.test(type)).map(({ type, user }) => `${type} ${user.id}`);
}

async function toldAll(scene: Scene): Promise<{ server: string[]; ann: string[]; watcher: string[] }> {
  await scene.world.upsert({ id: 'ann', name: 'the end' });
  const [server, ann, watcher] = await Promise.all([scene.server, scene.ann, scene.watcher].map((client) => toldOf(client, 'the end')));
  return { server: server ?? [], ann: ann ?? [], watcher: watcher ?? [] };
}

test('MD16 a ban and its lifting are told to whoever watches the user, with the state after it', async (t) => {
  const at = await scene(t);
  const ban = { target_user_id: 'ann', banned_by_id: 'mod', reason: 'spam', timeout: 60, delete_messages: 'soft' };
  await at.post('/api/v2/moderation/ban', ban);
  const told = await at.ann.until(({ type }) => type === 'user.banned');
  assert.deepEqual([told.user.banned, told.created_by_id, told.reason, told.delete_messages], [true, 'mod', 'spam', 'soft']);
  assert.equal(told.expiration, told.user.ban_expires);
  assert.equal(told.user.rev, told.seq);
  await at.post('/api/v2/moderation/unban?target_user_id=ann', { unbanned_by_id: 'mod' });
  const lifted = await at.ann.until(({ type }) => type === 'user.unbanned');
  assert.deepEqual([lifted.user.banned, lifted.created_by_id], [false, 'mod']);
  const both = ['user.banned ann', 'user.unbanned ann'];
  assert.deepEqual(await toldAll(at), { server: both, ann: both, watcher: both });
});

test('MD16 a shadow ban is told to servers alone, and whoever is banned may still connect', async (t) => {
  const at = await scene(t);
  await at.post('/moderation/ban', { target_user_id: 'ann', user_id: 'mod', shadow: true });
  const told = await at.server.until(({ type }) => type === 'user.banned');
  assert.deepEqual([told.user.banned, told.shadow], [false, true]);
  const again = await at.world.chat('ann');
  assert.equal(again.frames.find(({ type }) => type === 'connection.ok').me.banned, false);
  await at.post('/moderation/ban', { target_user_id: 'ann', user_id: 'mod' });
  const banned = await at.world.chat('ann');
  assert.equal(banned.frames.find(({ type }) => type === 'connection.ok').me.banned, true);
  assert.deepEqual(await toldAll(at), {
    server: ['user.banned ann', 'user.banned ann'],
    ann: ['user.banned ann'],
    watcher: ['user.banned ann'],
  });
});

test('MD16 mutes are told to the own user and to servers, reports to servers, blocks to nobody', async (t) => {
  const at = await scene(t);
  await at.post('/api/v2/moderation/mute', { target_ids: ['bob', 'cem'], user_id: 'ann', timeout: 5 });
  const muted = await at.ann.until(({ type }) => type === 'user.muted');
  assert.deepEqual([muted.target_ids, typeof muted.expiration], [['bob', 'cem'], 'string']);
  await at.post('/moderation/unmute', { target_id: 'bob', user_id: 'ann' });
  await at.post('/moderation/flag', { target_user_id: 'ann', user_id: 'bob', reason: 'rude' });
  const flagged = await at.server.until(({ type }) => type === 'user.flagged');
  assert.deepEqual([flagged.created_by_id, flagged.reason, flagged.total_flags], ['bob', 'rude', 1]);
  await at.post('/moderation/unflag', { target_user_id: 'ann', user_id: 'bob' });
  await at.post('/users/block', { blocked_user_id: 'bob', user_id: 'ann' });
  assert.deepEqual(await toldAll(at), {
    server: ['user.muted ann', 'user.unmuted ann', 'user.flagged ann', 'user.unflagged ann'],
    ann: ['user.muted ann', 'user.unmuted ann'],
    watcher: [],
  });
});

test('MD16 what ends by itself is told like what is lifted, without anyone who did it', async (t) => {
  const at = await scene(t);
  const { roster } = at.world.daemon;
  const actor = { kind: 'server' } as const;
  const soon = 0.005; // minutes: 300 ms
  await roster.submit({ kind: 'ban', actor, target: 'ann', by: 'mod', minutes: soon }, 'live');
  await roster.submit({ kind: 'mute', actor, by: 'ann', targets: ['cem'], minutes: soon }, 'live');
  const ends = roster.directory.expiry.next;
  assert.ok(ends !== undefined);
  const unbanned = await at.watcher.until(({ type }) => type === 'user.unbanned');
  assert.deepEqual([unbanned.user.banned, 'created_by_id' in unbanned], [false, false]);
  assert.ok(Date.parse(unbanned.created_at) * 1000 >= ends - 1000, 'it ended before its time');
  const unmuted = await at.ann.until(({ type }) => type === 'user.unmuted');
  assert.deepEqual([unmuted.target_ids, 'created_by_id' in unmuted], [['cem'], false]);
  const ann = ['user.banned ann', 'user.muted ann', 'user.unbanned ann', 'user.unmuted ann'];
  assert.deepEqual(await toldAll(at), { server: ann, ann, watcher: ['user.banned ann', 'user.unbanned ann'] });
});

test('MD15 bans, mutes, blocks and reports survive a restart, and what is over ends after it', async (t) => {
  const first = await World.start(t);
  await first.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'cem' });
  for (const [path, body] of [
    ['/moderation/ban', { target_user_id: 'ann', timeout: 60 }],
    ['/moderation/ban', { target_user_id: 'ann', type: 'm', id: 'a' }],
    ['/moderation/mute', { target_id: 'bob', user_id: 'ann', timeout: 60 }],
    ['/moderation/flag', { target_user_id: 'ann', user_id: 'cem' }],
    ['/users/block', { blocked_user_id: 'cem', user_id: 'ann' }],
  ] as const) {
    assert.equal((await first.http('POST', path, body)).status, 201);
  }
  const actor = { kind: 'server' } as const;
  await first.daemon.roster.submit({ kind: 'ban', actor, target: 'bob', minutes: 0.001 }, 'live');
  const { expiry } = first.daemon.roster.directory;
  await first.stop();

  const second = await World.start(t, { data: first.data });
  const { roster } = second.daemon;
  await eventually(() => roster.directory.user('bob')?.bans === undefined, 'the ban of bob does not end');
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: {}, sort: [{ field: 'channel_cid' }] }));
  const { body } = await second.http('GET', `/query_banned_users?payload=${payload}`);
  assert.deepEqual(
    body.bans.map(({ user, channel }: { user: { id: string }; channel?: { cid: string } }) => [user.id, channel?.cid]),
    [
      ['ann', 'm:a'],
      ['ann', undefined],
    ],
  );
  const { mutes, blocks, flags, bans } = roster.directory.user('ann') ?? {};
  assert.deepEqual([mutes?.length, blocks?.length, flags?.length, bans?.length], [1, 1, 1, 2]);
  assert.ok(roster.directory.expiry.next !== undefined && expiry.next !== undefined);
  assert.equal(roster.directory.expiry.next, Math.min(...(bans ?? []).flatMap(({ expires }) => expires ?? [])));
});
