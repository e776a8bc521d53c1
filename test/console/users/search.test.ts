/** CO13: the question of the users page is one that the daemon takes, and its pages hold every user once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usersOf } from '../../../daemon/console/talk/user-record.ts';
import { queryOf, STATES, searchCall, searchOf, USERS_PER_PAGE } from '../../../daemon/console/users/search.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

const ALL = { text: '', role: '', team: '', state: 'any' } as const;

test('CO13 pages by id hold every user once, in order', async () => {
  const world = httpWorld();
  const ids = Array.from({ length: 2 * USERS_PER_PAGE + 7 }, (_, n) => `user${String(n).padStart(4, '0')}`);
  for (let at = 0; at < ids.length; at += 100)
    await world.send('POST', '/api/v2/users', { body: { users: Object.fromEntries(ids.slice(at, at + 100).map((id) => [id, { id }])) } });
  const seen: string[] = [];
  for (let after = ''; ; ) {
    const [path = '', payload = ''] = searchCall(ALL, after).path.split('?payload=');
    const { body } = await world.send('GET', path, { query: { payload: decodeURIComponent(payload) } });
    const page = usersOf(body).map(({ id }) => id);
    seen.push(...page.slice(0, USERS_PER_PAGE));
    if (page.length <= USERS_PER_PAGE) break;
    after = seen.at(-1) ?? '';
  }
  assert.deepEqual(seen, ids);
});

test('CO13 every filter is one that the daemon takes, and finds what it says', async () => {
  const world = httpWorld();
  const users = {
    ann: { id: 'ann', name: 'Zed', role: 'admin', teams: ['red'] },
    zed: { id: 'zed', name: 'Ann Alike', teams: ['red', 'blue'] },
    off: { id: 'off' },
    gone: { id: 'gone' },
    bad: { id: 'bad' },
  };
  await world.send('POST', '/api/v2/users', { body: { users } });
  await world.send('POST', '/api/v2/users/off/deactivate', { body: {} });
  await world.send('DELETE', '/users/gone');
  await world.send('POST', '/api/v2/moderation/ban', { body: { target_user_id: 'bad' } });
  world.backend.onlineIds.add('zed');
  const find = async (search: Partial<ReturnType<typeof searchOf>>): Promise<string> => {
    const [path = '', payload = ''] = searchCall({ ...ALL, ...search }, '').path.split('?payload=');
    const { status, body } = await world.send('GET', path, { query: { payload: decodeURIComponent(payload) } });
    assert.equal(status, 200, JSON.stringify(body));
    return usersOf(body)
      .map(({ id }) => id)
      .join(' ');
  };
  const states = { any: 'ann bad off zed', active: 'ann bad zed', online: 'zed', banned: 'bad', deactivated: 'off', deleted: 'gone' };
  for (const state of STATES) assert.equal(await find({ state }), states[state], state);
  assert.equal(await find({ text: ' ann ' }), 'ann zed', 'by id and by name');
  assert.equal(await find({ text: 'ann', role: 'admin' }), 'ann');
  assert.equal(await find({ team: 'red' }), 'ann zed');
  assert.equal(await find({ team: 'blue', text: 'zed' }), 'zed');
});

test('CO13 the search is in the address, and comes back from it', () => {
  const search = { text: 'a&b=c#', role: 'admin', team: 'red', state: 'banned' } as const;
  assert.deepEqual(searchOf(new URLSearchParams(queryOf(search))), search);
  assert.deepEqual(searchOf(new URLSearchParams('state=nonsense')), ALL);
});
