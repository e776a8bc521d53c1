/** ND11, PE1 and PE4: daemons that share a PostgreSQL, with everything that they have. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { PgProcesses } from '../../support/nodes/pg-processes.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';
import { serverToken } from '../../support/world.ts';

const kit = PgKit.ofProcess();

test(
  'ND11 what one node acknowledges, the others serve and tell; a node that comes later has it from a snapshot or the log',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const [one, two] = [await pgWorld(t, kit, app), await pgWorld(t, kit, app)];
    const subscriber = await two.world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
    for (let n = 0; n < 20; n++) await one.world.upsert({ id: `u${n}`, name: `User ${n}` });
    await subscriber.until(({ user }) => user?.id === 'u19', 'the last event');
    assert.deepEqual(
      subscriber.events.map(({ user }) => user.id),
      Array.from({ length: 20 }, (_, n) => `u${n}`),
    );
    await one.world.stop();
    const three = await pgWorld(t, kit, app);
    const known = await Promise.all([two, three].map(({ world }) => world.http('GET', '/users')));
    assert.equal(known[0]?.body.users.length, 20);
    assert.deepEqual(known[0]?.body.users, known[1]?.body.users);
  },
);

test('ND11 PE1 who is online at one node is so at all, and no longer when it left', pgOptions, async (t) => {
  const app = randomUUID();
  const flags = { 'presence-grace-ms': '0' };
  const [one, two] = [await pgWorld(t, kit, app, { flags }), await pgWorld(t, kit, app, { flags })];
  const online = async (): Promise<boolean[]> => {
    const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id: 'ann' } }));
    const answers = await Promise.all([one, two].map(({ world }) => world.http('GET', `/users?payload=${payload}`)));
    return answers.map(({ body }) => body.users[0]?.online);
  };
  const becomes = async (wanted: boolean[]): Promise<void> => {
    await eventually(async () => `${await online()}` === `${wanted}`, `never: ${wanted}`);
  };
  const client = await one.world.chat('ann');
  await becomes([true, true]);
  client.terminate();
  await becomes([false, false]);
});

test(
  'ND11 two processes on one database: the greeting names it without its password, and a SIGKILL of one loses nothing',
  pgOptions,
  async (t) => {
    const nodes = await PgProcesses.open(t, kit.url());
    const [one, two] = [await nodes.start('one'), await nodes.start('two')];
    assert.match(one.process.stdout, /^database: 127\.0\.0\.1:\d+\/postgres, 0 users$/m);
    const call = async (url: string, path: string, body?: object) => {
      const answer = await fetch(`${url}${path}?api_key=${nodes.apiKey}`, {
        ...{ method: body === undefined ? 'GET' : 'POST', headers: { authorization: serverToken(), 'content-type': 'application/json' } },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      assert.ok(answer.ok, `${path}: ${answer.status}`);
      return { position: answer.headers.get('x-rosterd-position'), body: await answer.json() };
    };
    const { position } = await call(one.url, '/api/v2/users', { users: { ann: { id: 'ann', name: 'Ann' } } });
    await one.process.kill('SIGKILL');
    await eventually(async () => {
      const read = await call(two.url, '/sync/position');
      return position?.endsWith(`:${(read.body as { seq: number }).seq}`) === true;
    }, `${position}`);
    const again = await nodes.start('one');
    assert.match(again.process.stdout, /, 1 users$/m);
  },
);

test('PE4 a second node of the same name is refused', pgOptions, async (t) => {
  const app = randomUUID();
  await pgWorld(t, kit, app, { node: 'blue' });
  await assert.rejects(pgWorld(t, kit, app, { node: 'blue' }), /another node named "blue" is running: give each node a name of its own/);
});
