/** UN6: one name, claimed by a thousand at the same time over a real daemon. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_KEY, userToken, World } from '../../support/world.ts';

test('UN6 of a thousand who claim one name at the same time over a real daemon, by every way, one gets it', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { enforce_unique_usernames: 'app' });
  const known = Array.from({ length: 300 }, (_, n) => ({ id: `known-${n}` }));
  for (let start = 0; start < 300; start += 100) await world.upsert(...known.slice(start, start + 100));
  const spellings = ['The One', 'the one', 'THE.ONE', 'the-one'];
  const claim = async (n: number): Promise<number> => {
    const name = spellings[n % 4] ?? '';
    if (n % 10 < 3)
      return (await world.http('PATCH', '/users', { users: [{ id: `known-${Math.floor(n / 10) * 3 + (n % 10)}`, set: { name } }] })).status;
    if (n % 10 === 3) {
      const client = await world.open();
      client.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(`live-${n}`), user: { id: `live-${n}`, name } });
      const answer = await client.until(({ re, type }) => re === 1 || type === 'connection.error');
      return answer.error === undefined ? 200 : answer.error.code === 6 ? 400 : answer.error.StatusCode;
    }
    if (n % 10 === 4) return (await world.http('POST', '/guest', { user: { id: `guest-${n}`, name } })).status;
    return (await world.http('POST', n % 2 === 0 ? '/users' : '/api/v2/users', { users: { [`new-${n}`]: { name } } })).status;
  };
  const statuses = await Promise.all(Array.from({ length: 1_000 }, (_, n) => claim(n)));
  assert.equal(statuses.filter((status) => status < 300).length, 1);
  assert.deepEqual(new Set(statuses.filter((status) => status >= 300)), new Set([400]));
  const { body } = await world.http(
    'GET',
    `/users?payload=${encodeURIComponent('{"filter_conditions":{"name":{"$autocomplete":"the"}}}')}`,
  );
  assert.equal(body.users.length, 1);
});
