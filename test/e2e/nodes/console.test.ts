/** CO2, CO4, CO30–CO32, CO42 and CO44 on daemons that share a PostgreSQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import { eventually } from '../../support/eventually.ts';
import { HookReceiver } from '../../support/hooks/hook-receiver.ts';
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

test('CO42 CO44 every node knows of the backups of all, serves the URL of another one, and sends test events', pgOptions, async (t) => {
  const to = await new HookReceiver(API_SECRET).live();
  t.after(() => to.die());
  const app = randomUUID();
  const flags = { 'webhooks-allow-private': 'true' };
  const nodes = [await pgWorld(t, kit, app, { flags }), await pgWorld(t, kit, app, { flags })];
  const worlds = nodes.map(({ world }) => world);
  const [one, other] = worlds;
  assert.ok(one !== undefined && other !== undefined);
  await one.upsert({ id: 'ann' });
  const { body } = await one.http('POST', '/api/v2/backup_url', { gzip: false });
  const url = body.url.replace(one.daemon.url, other.daemon.url);
  await eventually(async () => /"id":"ann"/.test(await (await fetch(url)).text()), 'the other node has the user in its backup');
  for (const world of worlds)
    await eventually(
      async () => (await world.http('GET', '/api/v2/backups')).body.last?.bytes > 100,
      `${world.daemon.url} never heard of it`,
    );
  await one.http('PATCH', '/api/v2/app', { event_hooks: [{ id: 'h', hook_type: 'webhook', enabled: false, webhook_url: to.url }] });
  for (const world of worlds) {
    await eventually(
      async () => (await world.http('POST', '/api/v2/check_webhook', { hook_id: 'h' })).body.status === 'ok',
      'a test event',
    );
  }
  assert.ok(to.arrived.length >= 2 && to.arrived.every(({ type }) => type === 'webhook.test'));
  assert.deepEqual(to.problems, []);
});
