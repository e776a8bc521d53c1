/** CO13: the actions on a user: each request is one that the daemon takes, and does what its text says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OptionValues, USER_ACTIONS } from '../../../daemon/console/user/action-list.ts';
import { oneUserCall } from '../../../daemon/console/users/search.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

test('CO13 every action is offered when it can be done, and the daemon does it', async () => {
  const world = httpWorld();
  await world.send('POST', '/api/v2/users', { body: { users: { ann: { id: 'ann', name: 'Ann' } } } });
  const read = async () => {
    const payload = decodeURIComponent(oneUserCall('ann').path.split('?payload=')[1] ?? '');
    return (await world.send('GET', '/api/v2/users', { query: { payload } })).body.users[0];
  };
  const offered = async (): Promise<string> => {
    const user = await read();
    return USER_ACTIONS.filter((action) => action.isFor(user))
      .map(({ key }) => key)
      .join(' ');
  };
  const act = async (key: string, options: OptionValues = {}): Promise<void> => {
    const action = USER_ACTIONS.find((one) => one.key === key);
    assert.ok(action !== undefined && action.says(options).length > 0);
    const { method, path, body } = action.call('ann', options);
    const [target = '', query = ''] = path.split('?');
    const { status, text } = await world.send(method, target, {
      ...(body === undefined ? {} : { body }),
      query: Object.fromEntries(new URLSearchParams(query)),
    });
    assert.ok(status < 300, `${key}: ${text}`);
  };
  assert.equal(await offered(), 'deactivate ban delete');
  await act('deactivate', { mark_messages_deleted: true });
  assert.equal(await offered(), 'reactivate ban delete');
  await act('reactivate', { restore_messages: false });
  await act('ban', { reason: 'spam', timeout: '60', shadow: false, banned_by_id: '' });
  assert.equal(await offered(), 'unban deactivate ban delete');
  await act('unban');
  await act('ban', { shadow: true });
  assert.equal((await read()).shadow_banned, true);
  await act('unban');
  await act('delete', { user: 'soft', messages: 'soft', calls: '' });
  assert.equal(await offered(), 'restore delete');
  await act('restore');
  assert.equal(await offered(), 'deactivate ban delete');
  await act('delete', { user: 'pruning' });
  assert.equal((await read()).name, undefined);
  await act('delete', { user: 'hard', messages: 'soft' });
  assert.equal(await read(), undefined);
});

test('CO13 a delete says whether it can be undone', () => {
  const action = USER_ACTIONS.find(({ key }) => key === 'delete');
  assert.match(action?.says({ user: 'soft' }).join(' ') ?? '', /can be restored/);
  assert.match(action?.says({}).join(' ') ?? '', /can be restored/);
  assert.match(action?.says({ user: 'hard' }).join(' ') ?? '', /cannot be undone/);
  assert.match(action?.says({ user: 'pruning' }).join(' ') ?? '', /for good/);
});
