/** HR1, HR2: a daemon with a small heap gets more users than it can hold. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { eventually } from '../../support/eventually.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { RosterdProcess } from '../../support/process.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, API_SECRET, serverToken, userToken } from '../../support/world.ts';

const HEAP_MIB = 64;
const FLAGS = [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=8', '--initial-heap-size=32'];
const PER_BATCH = 100;
/** Far more than fit. */
const BATCHES_MAX = 600;

const query = `?api_key=${API_KEY}`;
const headers = { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };

async function start(data: string): Promise<{ daemon: RosterdProcess; url: string }> {
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--rate-limits', 'off', '--log-format', 'json'];
  const daemon = RosterdProcess.run(args, { env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET }, nodeFlags: FLAGS });
  return { daemon, url: await daemon.listening() };
}

test('HR1 HR2 more users than fit are refused; those that are there are served, changed and deleted, and make room for others', async (t) => {
  const data = await temporaryDirectory();
  let { daemon, url } = await start(data);
  t.after(() => daemon.kill('SIGKILL'));
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}${path}${query}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: the body of an answer is what the test is about
    return { status: response.status, body: (await response.json()) as any };
  };
  const upsert = (...users: readonly { id: string }[]) =>
    call('POST', '/users', { users: Object.fromEntries(users.map((one) => [one.id, one])) });
  // Records are outside of the heap; the index of teams is in it.
  const teams = (user: string): string[] => Array.from({ length: LIMITS.teamsPerUser }, (_, team) => `${user}-${team}`);
  const batch = (n: number) => Array.from({ length: PER_BATCH }, (_, i) => ({ id: `u${n}-${i}`, teams: teams(`${n}-${i}`) }));

  let taken = 0;
  let refused = await upsert({ id: 'ann' });
  for (; taken < BATCHES_MAX && refused.status === 201; taken++) refused = await upsert(...batch(taken));
  assert.equal(refused.status, 503, `${taken} batches were taken`);
  assert.match(refused.body.message, /memory of the daemon is nearly full/);
  assert.equal(refused.body.outcome, 'not_stored');
  taken--;
  await eventually(() => daemon.stderr.includes('heap of Node is nearly full'));

  assert.equal((await upsert({ id: 'ann' }, { id: 'new' })).status, 503, 'as a whole');
  assert.equal((await upsert({ id: 'ann', name: 'Ann' } as never)).status, 200);
  assert.equal((await call('PATCH', '/users', { users: [{ id: 'ann', set: { color: 'blue' } }] })).status, 200);
  const connects = async (id: string) => {
    const client = await LiveClient.open(`${url.replace('http', 'ws')}/live`);
    t.after(() => client.terminate());
    return await client.request({ op: 'connect', api_key: API_KEY, token: userToken(id), user: { id } });
  };
  assert.equal((await connects('ann')).me.custom.color, 'blue');
  await assert.rejects(connects('stranger'), /nearly full/);

  // With the same heap, it comes back.
  await daemon.kill('SIGTERM');
  ({ daemon, url } = await start(data));
  assert.equal((await upsert({ id: 'ann', name: 'Ann again' } as never)).status, 200);

  for (let n = 0; n < taken; n += 2) {
    const gone = await call('POST', '/users/delete', {
      user_ids: batch(n).map(({ id }) => id),
      user: 'hard',
      messages: 'hard',
      conversations: 'hard',
    });
    assert.equal(gone.status, 201, JSON.stringify(gone.body));
  }
  await eventually(async () => (await upsert({ id: 'new' })).status === 201);
  daemon.child.kill('SIGTERM');
  const [code] = await once(daemon.child, 'exit');
  assert.equal(code, 0);
});
