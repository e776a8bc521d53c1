/** OP11, OP12: one of several nodes stops, with and without its storage. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { pgServe } from '../../support/nodes/pg-serve.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { PgProxy } from '../../support/store/pg-proxy.ts';
import { pgWorld } from '../../support/store/pg-world.ts';

const kit = PgKit.ofProcess();

test(
  'OP11 a node that stops is not ready at once, gives its jobs to another, spreads its goodbyes, and is gone; clients resume elsewhere',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const drainMs = 6_000;
    const one = await pgWorld(t, kit, app, { node: 'one', flags: { 'drain-ms': String(drainMs) } });
    const holders = async (): Promise<string[]> => {
      const rows = await kit.postgres.sql(
        `select job || ' ' || split_part(holder, ' ', 1) from rosterd.lease where app = '${app}' and until > clock_timestamp() order by job`,
      );
      return rows.split('\n').filter((row) => /^(tasks|history) /.test(row));
    };
    const becomes = (node: string): Promise<void> =>
      eventually(async () => `${await holders()}` === `history ${node},tasks ${node}`, `the jobs are not of ${node}`);
    await becomes('one');
    const two = await pgWorld(t, kit, app, { node: 'two' });
    const sub = { subs: [{ sub: 'all', all: true, snapshot: false }] };
    const clients = await Promise.all(Array.from({ length: 8 }, () => one.world.subscriber(sub)));
    await two.world.upsert({ id: 'ann' });
    const { epoch, seq } = (await two.world.http('GET', '/sync/position')).body;
    const began = Date.now();
    let goodbyes = 0;
    const closings = clients.map(async (client) => {
      const { code } = await client.closed;
      goodbyes++;
      return [code, Date.now() - began] as const;
    });
    const stopping = one.world.daemon.stop();
    assert.equal((await one.world.http('GET', '/readyz')).status, 503);
    await becomes('two');
    assert.ok(goodbyes < clients.length, 'the goodbyes are still being said');
    const { status, body } = await two.world.http('POST', '/export/users', { user_ids: ['ann'] });
    assert.ok(status < 300, JSON.stringify(body));
    await eventually(async () => (await two.world.http('GET', `/tasks/${body.task_id}`)).body.status === 'completed');
    await two.world.upsert({ id: 'meanwhile' });
    const closed = await Promise.all(closings);
    assert.deepEqual(
      closed.map(([code]) => code),
      closed.map(() => 1012),
    );
    const times = closed.map(([, ms]) => ms);
    assert.ok(Math.max(...times) - Math.min(...times) > drainMs / 4, `spread: ${times}`);
    await stopping;
    assert.equal(await kit.postgres.sql(`select string_agg(name, ' ') from rosterd.node where app = '${app}'`), 'two\n');
    const resumed = await two.world.subscriber({ ...sub, resume: { epoch, seq } });
    await resumed.until(({ user }) => user?.id === 'meanwhile', 'what happened meanwhile');
  },
);

for (const fault of ['isAway', 'isSilent'] as const)
  test(
    `OP12 SIGTERM while PostgreSQL cannot be reached (${fault}) ends the process soon after drain_ms, with code 0`,
    pgOptions,
    async (t) => {
      const proxy = await PgProxy.open(kit.postgres.port);
      t.after(() => proxy.close());
      const flags = ['--log-require-sync', 'false', '--drain-ms', '1000'];
      const daemon = await pgServe(t, { url: kit.url(proxy.port), app: randomUUID(), flags });
      await daemon.listening();
      await eventually(
        () => /this node does a job/.test(daemon.stderr),
        () => daemon.stderr,
      );
      proxy[fault] = true;
      if (fault === 'isAway') proxy.cutAll();
      const began = Date.now();
      const { code, stderr } = await daemon.kill('SIGTERM');
      const tookMs = Date.now() - began;
      t.diagnostic(`${tookMs} ms`);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /the storage is away: the stop does not wait for it/);
      assert.ok(tookMs < 1_000 + 20_000, `${tookMs} ms`);
    },
  );
