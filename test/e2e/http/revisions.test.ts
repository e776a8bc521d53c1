/** UL2: the list of revisions over a real connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const linesOf = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

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
