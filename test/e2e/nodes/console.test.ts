/** CO2 and CO4 on daemons that share a PostgreSQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import { eventually } from '../../support/eventually.ts';
import { signInAt } from '../../support/http/console-kit.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';
import { API_SECRET } from '../../support/world.ts';

const kit = PgKit.ofProcess();

test(
  'CO2 CO4 a link works once, whichever nodes are asked at once; its sign-in is good on each, and ends on each',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const nodes = [await pgWorld(t, kit, app), await pgWorld(t, kit, app)];
    const urls = nodes.map(({ world }) => world.daemon.url);
    const code = new Seals(API_SECRET).newCode('operate', Date.now());
    const answers = await Promise.all([...urls, ...urls].map((url) => signInAt(url, { code })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
    const cookie = answers.find(({ status }) => status === 200)?.cookie ?? '';
    // The first question to each: whichever let the browser in, the other one finds out.
    for (const url of urls) assert.equal((await signInAt(url, { cookie })).status, 200);
    await nodes[0]?.world.http('DELETE', '/sign_ins');
    for (const url of urls) await eventually(async () => (await signInAt(url, { cookie })).status === 401, `never ended at ${url}`);
  },
);

test(
  'CO30 CO31 CO32 every node lists the connections of all, closes those of another one, and says how each is doing',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const a = await pgWorld(t, kit, app, { node: 'a' });
    const b = await pgWorld(t, kit, app, { node: 'b' });
    const ask = (path: string, method = 'GET') => a.world.http(method, path);
    await eventually(async () => (await ask('/nodes')).body.nodes.length === 2, 'both know each other');
    await a.world.upsert({ id: 'ann' }, { id: 'bob' });
    await a.world.chat('ann');
    const bob = await b.world.chat('bob');
    const { body } = await ask('/connections?sort=oldest');
    assert.deepEqual(
      body.connections.map(({ user_id, node }: { user_id: string; node: string }) => [user_id, node]),
      [
        ['ann', 'a'],
        ['bob', 'b'],
      ],
    );
    assert.deepEqual(body.silent_nodes, []);
    await ask(`/connections/${body.connections[1].connection_id}`, 'DELETE');
    assert.equal((await bob.closed).code, 1012);
    const { body: nodes } = await ask('/nodes');
    assert.deepEqual(
      nodes.nodes.map(({ name, is_here, state }: { name: string; is_here: boolean; state: { epoch: string } }) => [
        name,
        is_here,
        state.epoch,
      ]),
      [
        ['a', true, a.world.daemon.roster.position.epoch],
        ['b', false, a.world.daemon.roster.position.epoch],
      ],
    );
    for (const id of ['none.a', 'none.b', 'none.c']) assert.equal((await ask(`/connections/${id}`, 'DELETE')).status, 404, id);
  },
);
