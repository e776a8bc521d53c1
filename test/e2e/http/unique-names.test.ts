/** Unique names over a real daemon: claimed by a thousand at the same time (UN6), and compared in another way after an upgrade (UN8). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject } from '../../../protocol/base/json.ts';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { SnapshotLine } from '../../../store/snapshot.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, userToken, World, type WorldOptions } from '../../support/world.ts';

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

/** A snapshot line as a daemon wrote it that compared names by other keys. */
function older(line: SnapshotLine): SnapshotLine {
  if (!('state' in line) || !isObject(line.state)) return line;
  const { names: _, ...state } = line.state;
  return { state };
}

/** Opens the data as if an older daemon had left it. */
const openOlder: WorldOptions['openStore'] = async ({ data }, onEvent) => {
  const opened = await openDataDirectory(data, { onEvent });
  const { loaded } = opened;
  assert.ok(loaded !== undefined);
  async function* chunks(): AsyncGenerator<readonly SnapshotLine[], void, undefined> {
    for await (const lines of loaded?.chunks() ?? []) yield lines.map(older);
  }
  return { ...opened, loaded: { position: loaded.position, chunks } };
};

test('UN8 names that an upgrade makes equal are reported at each start until they differ, and the daemon serves meanwhile', async (t) => {
  const data = await temporaryDirectory();
  const lines: string[] = [];
  /** What a start on the data reports. */
  const started = async (options: Partial<WorldOptions>): Promise<{ readonly world: World; readonly body: Record<string, unknown> }> => {
    lines.length = 0;
    const world = await World.start(t, { data, onLog: (line) => lines.push(line), ...options });
    while (!world.daemon.roster.directory.isIndexed) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    return { world, body: (await world.http('GET', '/app')).body };
  };
  const isLogged = (): boolean => lines.some((line) => line.includes('names are compared in another way') && line.includes('"names":1'));

  const first = await started({});
  await first.world.upsert({ id: 'a', name: 'محمد' }, { id: 'b', name: 'محـــمد' }, { id: 'c', name: 'Other' });
  await first.world.http('PATCH', '/app', { enforce_unique_usernames: 'app' });
  await first.world.stop();

  const current = await started({});
  assert.deepEqual([current.body.collisions, isLogged()], [undefined, false], 'these names were compared in this way');
  await current.world.stop();
  for (const openStore of [openOlder, undefined]) {
    const { world, body } = await started(openStore === undefined ? {} : { openStore });
    assert.deepEqual(body.collisions, { total: 1, examples: [{ name: 'محمد', user_ids: ['a', 'b'], users: 2 }] });
    assert.ok(isLogged());
    assert.equal((await world.upsert({ id: 'a', name: 'محمد', custom: { n: lines.length } })).status, 200);
    assert.equal((await world.upsert({ id: 'd', name: 'محمد' })).status, 400);
    if (openStore === undefined) await world.http('PATCH', '/users', { users: [{ id: 'b', set: { name: 'Karim' } }] });
    await world.stop();
  }
  for (let again = 0; again < 2; again++) {
    const { world, body } = await started({});
    assert.deepEqual([body.collisions, isLogged()], [undefined, false]);
    await world.stop();
  }
});
