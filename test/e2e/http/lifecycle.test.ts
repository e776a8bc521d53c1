/** RS6, DO2 and DO3 with a real daemon: what is heard of deletes, restores and deactivation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_KEY, userToken, World } from '../../support/world.ts';

const BASES = ['', '/api/v2'];

test('RS6 a restored user connects with the token it had, and hears nothing of it being away; watchers are told', async (t) => {
  const world = await World.start(t);
  const token = userToken('ann', { iat: Math.floor(Date.now() / 1000) - 10 });
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const connect = async () => {
    const client = await world.open();
    return await client.request({ op: 'connect', api_key: API_KEY, token, user: { id: 'ann', name: 'Ann' } });
  };
  await connect();
  await world.http('POST', '/users/delete', { user_ids: ['ann'] });
  await assert.rejects(connect(), /deleted/);
  await world.http('POST', '/users/restore', { user_ids: ['ann'] });
  const told = await server.until(({ restored }) => restored === true);
  assert.deepEqual([told.type, told.user.id, told.user.name, told.user.deleted_at], ['user.updated', 'ann', 'Ann', undefined]);
  assert.equal((await connect()).me.name, 'Ann');
});

test('DO2 the event of a delete carries everything that was asked, and an owner for the channels', async (t) => {
  const world = await World.start(t);
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'cid' });
  const asked = {
    user: 'hard',
    messages: 'hard',
    conversations: 'hard',
    calls: 'hard',
    files: true,
    new_channel_owner_id: 'owner',
    new_call_owner_id: 'caller',
  };
  await world.http('POST', '/api/v2/users/delete', { user_ids: ['ann'], ...asked });
  await world.http('POST', '/users/delete', { user_ids: ['bob', 'cid'], new_channel_owner_id: '' });
  const deleted = (id: string) => server.until(({ type, user }) => type === 'user.deleted' && user.id === id);
  const ann = await deleted('ann');
  const told = ['delete_user', 'delete_messages', 'delete_conversation', 'delete_calls', 'delete_files', 'hard_delete'].map(
    (key) => ann[key],
  );
  assert.deepEqual(told, ['hard', 'hard', 'hard', 'hard', true, true]);
  assert.deepEqual([ann.new_channel_owner_id, ann.new_call_owner_id], ['owner', 'caller']);
  const [bob, cid] = [await deleted('bob'), await deleted('cid')];
  assert.match(bob.new_channel_owner_id, /^delete-user-[0-9a-f]{32}$/);
  assert.equal(cid.new_channel_owner_id, bob.new_channel_owner_id, 'one request hands everything to one owner');
  assert.deepEqual([bob.delete_user, bob.delete_messages, bob.delete_files, bob.new_call_owner_id], ['soft', '', false, undefined]);
});

test('DO5 a single hard delete and a delete in the feeds dialect are hard for messages and conversations, and their events say so', async (t) => {
  const world = await World.start(t);
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'cid' });
  await world.http('DELETE', '/users/ann?hard_delete=true');
  await world.http('DELETE', '/api/v1.0/user/bob/');
  await world.http('DELETE', '/api/v1.0/users/?ids=cid');
  for (const id of ['ann', 'bob', 'cid']) {
    const told = await server.until(({ type, user }) => type === 'user.deleted' && user.id === id);
    assert.deepEqual([told.delete_user, told.delete_messages, told.delete_conversation], ['hard', 'hard', 'hard'], id);
  }
});

test('DO3 deactivate and reactivate tell who asked and what for, one user and many, in both dialects', async (t) => {
  const world = await World.start(t);
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  for (const [index, base] of BASES.entries()) {
    const [one, many] = [`one${index}`, `many${index}`];
    await world.upsert({ id: one }, { id: many });
    await world.http('POST', `${base}/users/${one}/deactivate`, { created_by_id: 'admin', mark_messages_deleted: true });
    await world.http('POST', `${base}/users/deactivate`, { user_ids: [many], created_by_id: 'admin', mark_channels_deleted: true });
    await world.http('POST', `${base}/users/${one}/reactivate`, { created_by_id: 'admin', restore_messages: true, name: 'New Name' });
    await world.http('POST', `${base}/users/reactivate`, { user_ids: [many], created_by_id: 'admin', restore_channels: true });
    const event = (type: string, id: string) => server.until((frame) => frame.type === type && frame.user.id === id);
    const off = await event('user.deactivated', one);
    assert.deepEqual([off.created_by_id, off.mark_messages_deleted, typeof off.user.deactivated_at], ['admin', true, 'string']);
    const offMany = await event('user.deactivated', many);
    assert.deepEqual([offMany.created_by_id, offMany.mark_channels_deleted], ['admin', true]);
    const on = await event('user.reactivated', one);
    assert.deepEqual([on.created_by_id, on.restore_messages, on.user.name, on.user.deactivated_at], ['admin', true, 'New Name', undefined]);
    const onMany = await event('user.reactivated', many);
    assert.deepEqual([onMany.created_by_id, onMany.restore_channels], ['admin', true]);
  }
});
