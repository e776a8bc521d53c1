/** OP1, OP2, PE5: what `rosterd nodes` shows of daemons that share a database. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { folder, run } from '../../support/cli-run.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';

const kit = PgKit.ofProcess();

const settingsOf = (role: string) => new Map(Object.entries({ 'connect.role': role, 'presence.grace_ms': 'same' }));

test('OP1 nodes shows who is there, how far each has come, who does which job, and what the server promises', pgOptions, async (t) => {
  const app = randomUUID();
  const cwd = folder(t);
  const flags = `--log ${kit.url()} --api-key ${app}`;
  const one = await pgWorld(t, kit, app, { node: 'blue' });
  const two = await pgWorld(t, kit, app, { node: 'green', store: { version: '9.9.9' } });
  await one.world.upsert({ id: 'ann' });
  const seen = async () => {
    const { code, out } = await run(cwd, `nodes ${flags} --json`);
    assert.equal(code, 0);
    return JSON.parse(out);
  };
  let facts = await seen();
  await eventually(
    async () => {
      facts = await seen();
      return (
        facts.nodes.every(({ lag }: { lag: number }) => lag === 0) &&
        facts.nodes.some(({ jobs }: { jobs: string[] }) => jobs.includes('tasks'))
      );
    },
    () => JSON.stringify(facts),
  );
  const { epoch, seq } = (await one.world.http('GET', '/sync/position')).body;
  assert.equal(facts.log.position, `${epoch}:${seq}`);
  assert.deepEqual(
    facts.nodes.map(({ name, state, version }: Record<string, unknown>) => [name, state, version === '9.9.9']),
    [
      ['blue', 'alive', false],
      ['green', 'alive', true],
    ],
  );
  const jobs = facts.nodes.flatMap(({ jobs: own }: { jobs: string[] }) => own);
  assert.equal(new Set(jobs).size, jobs.length, 'each job has one holder');
  assert.deepEqual([facts.server.in_recovery, facts.server.pooler, facts.server.synchronous_standby_names], [false, false, '']);
  assert.match(facts.server.version, /^\d+/);
  const { out, err } = await run(cwd, `nodes ${flags}`);
  assert.match(out, /^server +PostgreSQL \d.* at 127\.0\.0\.1:\d+\/postgres, the primary$/m);
  assert.match(out, /^position +\w+:\d+, kept after 0, format \d+$/m);
  assert.match(out, /^node +state +version +applied +lag +seen +jobs$/m);
  assert.match(out, /^green +alive +9\.9\.9 +\d+ +0 +\d\.\ds ago +/m);
  assert.match(err, /a failover loses acknowledged changes/);
  assert.match(err, /several versions are running \(.*9\.9\.9\)/);
  await two.world.stop();
  assert.deepEqual(
    (await seen()).nodes.map(({ name }: { name: string }) => name),
    ['blue'],
    'a node that stopped is not there any more',
  );
  await kit.postgres.sql(`update rosterd.node set name = 'dead', seen = now() - interval '1 hour' where app = '${app}'`);
  assert.match((await run(cwd, `nodes ${flags}`)).out, /^dead +gone /m);
});

test('OP2 nodes without a database, of another database, of an unknown application: each says what to do', pgOptions, async (t) => {
  const cwd = folder(t);
  const app = randomUUID();
  const empty = `d${randomUUID().replaceAll('-', '')}`;
  await kit.postgres.sql(`create database ${empty}`);
  await kit.node(app);
  await kit.node();
  const refused = async (args: string, code: number, text: RegExp): Promise<void> => {
    const ran = await run(cwd, args);
    assert.deepEqual([ran.code, ran.out], [code, '']);
    assert.match(ran.err, text);
  };
  await refused('nodes', 2, /^rosterd: log is not set: give the database with --log, ROSTERD_LOG or the configuration file$/m);
  await refused('nodes --log mysql://db', 2, /must be a postgres:\/\/ URL/);
  await refused(`nodes --log ${kit.url(undefined, empty)}`, 1, /it holds no tables of rosterd: is it the right database\?/);
  await refused(`nodes --log ${kit.url()}`, 1, /it holds the logs of several applications \(.*\): choose one with --api-key/);
  await refused(`nodes --log ${kit.url()} --api-key other`, 1, /it holds no log of other \(there are: .*\)/);
  await refused('nodes --log postgres://127.0.0.1:1/x', 1, /127\.0\.0\.1:1\/x: connect ECONNREFUSED/);
});

test('PE5 OP1 nodes with other settings warn, once for each start, and name what to compare; nodes does as well', pgOptions, async (t) => {
  const app = randomUUID();
  const warned: { node: string; settings: string[]; msg: string }[] = [];
  const onLog = (line: string): void => {
    const entry = JSON.parse(line);
    if (entry.type === 'settings-differ') warned.push(entry);
  };
  await pgWorld(t, kit, app, { node: 'blue', store: { settings: settingsOf('a') }, onLog });
  await pgWorld(t, kit, app, { node: 'same', store: { settings: settingsOf('a') } });
  const green = await pgWorld(t, kit, app, { node: 'green', store: { settings: settingsOf('b') } });
  await eventually(() => warned.length > 0);
  assert.deepEqual([warned[0]?.node, warned[0]?.settings], ['green', ['connect.role']]);
  assert.match(warned[0]?.msg ?? '', /compare what "rosterd config print" says about them on this node and on green/);
  const { err } = await run(folder(t), `nodes --log ${kit.url()} --api-key ${app}`);
  assert.match(err, /the nodes disagree about connect\.role: compare/);
  await green.world.stop();
  await pgWorld(t, kit, app, { node: 'green', store: { settings: settingsOf('c') } });
  await eventually(() => warned.length >= 2);
  assert.equal(warned.length, 2, 'once for each start');
});
