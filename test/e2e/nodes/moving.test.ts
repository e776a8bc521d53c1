/** OP7 to OP10: backups, checks and moves of a history that daemons share. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { command } from '../../support/store/backup-kit.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';
import { World } from '../../support/world.ts';

const kit = PgKit.ofProcess();

interface Place {
  readonly cwd: string;
  readonly app: string;
  readonly flags: readonly string[];
  /** Runs a command that must succeed, and returns what it printed. */
  facts(...args: string[]): Promise<Record<string, string | number>>;
  /** Runs one that must fail with this code. */
  refused(code: number, text: RegExp, ...args: string[]): Promise<void>;
}

async function place(t: TestContext): Promise<Place> {
  const cwd = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const app = randomUUID();
  return {
    ...{ cwd, app, flags: ['--log', kit.url(), '--api-key', app] },
    facts: async (...args) => {
      const { code, out, err } = await command(cwd, [...args, '--json']);
      assert.equal(code, 0, err);
      return JSON.parse(out);
    },
    refused: async (code, text, ...args) => {
      const ran = await command(cwd, args);
      assert.equal(ran.code, code, ran.err);
      assert.match(ran.err, text);
      assert.equal(ran.out, '');
    },
  };
}

async function filled(world: World, from = 0, count = 50): Promise<void> {
  for (let n = from; n < from + count; n++) await world.upsert({ id: `u${n}`, name: `User ${n}` });
}

test('OP7 a backup from the database is the one that a daemon gives, and it runs on meanwhile', pgOptions, async (t) => {
  const { app, flags, facts } = await place(t);
  const { world } = await pgWorld(t, kit, app, { flags: { 'snapshot-changes': '100' } });
  await filled(world, 0, 120);
  const live = await facts('backup', 'live.ndjson.gz', '--url', world.daemon.url);
  const offline = await facts('backup', 'offline.ndjson.gz', ...flags);
  for (const name of ['position', 'users', 'documents', 'content', 'revisions']) assert.equal(offline[name], live[name], name);
  assert.equal((await facts('verify', 'offline.ndjson.gz')).content, live.content);
  assert.equal((await facts('verify', ...flags)).content, live.content);
});

test('OP8 restore puts a backup into a database under a new epoch, and refuses what would lose something', pgOptions, async (t) => {
  const { app, flags, facts, refused } = await place(t);
  const one = await pgWorld(t, kit, app);
  await filled(one.world);
  const subscriber = await one.world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const made = await facts('backup', 'b.gz', ...flags);
  await refused(1, /nothing was restored: .*daemons run on the log of .*: stop them first/, 'restore', 'b.gz', ...flags, '--replace');
  assert.equal((await one.world.upsert({ id: 'later' })).status, 201);
  subscriber.terminate();
  await one.world.stop();
  await refused(1, /there is a log of .*, which ends at \w+:\d+: give --replace to replace it/, 'restore', 'b.gz', ...flags);
  const wrong = ['--log', kit.url(), '--api-key', app, '--api-secret', 'y'.repeat(40)];
  await refused(1, /was made with another API secret/, 'restore', 'b.gz', ...wrong, '--replace');
  await refused(2, /give either --data or --log/, 'restore', 'b.gz', ...flags, '--data', 'x');
  const restored = await facts('restore', 'b.gz', ...flags, '--replace');
  assert.equal(restored.content, made.content);
  const [epoch, seq] = String(restored.position).split(':');
  assert.notEqual(epoch, String(made.position).split(':')[0]);
  assert.equal(seq, String(made.position).split(':')[1]);
  const two = await pgWorld(t, kit, app);
  assert.equal((await two.world.http('GET', '/users')).body.users.length, 30);
  const { epoch: served } = (await two.world.http('GET', '/sync/position')).body;
  assert.equal(served, epoch);
  assert.equal((await two.world.upsert({ id: 'after' })).status, 201);
  const other = randomUUID();
  const elsewhere = ['--log', kit.url(), '--api-key', other];
  assert.equal((await facts('restore', 'b.gz', ...elsewhere)).content, made.content, 'beside it, into a new application');
  assert.equal((await facts('verify', ...elsewhere)).content, made.content);
});

test('OP8 a restore that fails on its way leaves the database as it was', pgOptions, async (t) => {
  const { app, flags, facts, refused } = await place(t);
  const one = await pgWorld(t, kit, app);
  await filled(one.world);
  const made = await facts('backup', 'b.gz', ...flags);
  await one.world.stop();
  const before = await facts('verify', ...flags);
  await kit.postgres.sql(`
    create function fail() returns trigger language plpgsql as $$ begin raise exception 'the disk is full'; end $$;
    create trigger fail before insert on rosterd.snapshot for each row when (new.app = '${app}') execute function fail()`);
  await refused(1, /nothing was restored: the disk is full/, 'restore', 'b.gz', ...flags, '--replace');
  await kit.postgres.sql('drop trigger fail on rosterd.snapshot; drop function fail');
  assert.deepEqual(await facts('verify', ...flags), before);
  assert.equal((await facts('restore', 'b.gz', ...flags, '--replace')).content, made.content);
});

test('OP9 verify names every entry and snapshot that is missing or damaged', pgOptions, async (t) => {
  const { app, flags, facts, refused } = await place(t);
  const one = await pgWorld(t, kit, app);
  await filled(one.world, 0, 10);
  await one.world.stop();
  const whole = await facts('verify', ...flags);
  assert.equal(whole.snapshots, 1);
  const verify = (text: RegExp) => refused(1, text, 'verify', ...flags);
  const lasts = (await kit.postgres.sql(`select last from rosterd.entry where app = '${app}' order by last`))
    .trim()
    .split('\n')
    .map(Number);
  const [third = 0, fifth = 0] = [lasts[2], lasts[4]];
  await kit.postgres.sql(`delete from rosterd.entry where app = '${app}' and last = ${third}`);
  await kit.postgres.sql(`update rosterd.entry set payload = '{}' where app = '${app}' and last = ${fifth}`);
  await kit.postgres.sql(`update rosterd.head set tail = 0 where app = '${app}'`);
  const ran = await command('.', ['verify', ...flags]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, new RegExp(`the table rosterd\\.entry of ${app} is damaged at position ${third}: .*missing`));
  assert.match(ran.err, new RegExp(`is damaged at position ${fifth}: the payload does not match its checksum`));
  await kit.postgres.sql(`update rosterd.snapshot_chunk set data = set_byte(data, 40, 255 - get_byte(data, 40)) where app = '${app}'`);
  await verify(/snapshot \d+ in the table rosterd\.snapshot is damaged: .*\n.*a daemon would not start/s);
});

test('OP10 migrate takes a history into a database and back: positions go on, and nobody continues both', pgOptions, async (t) => {
  const { cwd, app, flags, facts, refused } = await place(t);
  const data = join(cwd, 'data');
  const alone = await World.start(t, { data });
  await filled(alone, 0, 10);
  const { epoch, seq: early } = (await alone.http('GET', '/sync/position')).body;
  await filled(alone, 10, 10);
  await refused(1, /the history was not moved: .*is in use by this process/, 'migrate', 'to-database', ...flags, '--data', data);
  await alone.stop();
  const before = await facts('verify', '--data', data);
  const moved = await facts('migrate', 'to-database', ...flags, '--data', data);
  assert.equal(moved.position, before.position);
  assert.equal((await facts('verify', ...flags)).revisions, before.revisions);
  await assert.rejects(World.start(t, { data }), /its history goes on in a database \(rosterd migrate\): serve with --log/);
  await refused(1, /give --replace to replace it/, 'migrate', 'to-database', ...flags, '--data', data);
  const shared = await pgWorld(t, kit, app);
  const resumes = async (world: World, ids: readonly string[]): Promise<void> => {
    const client = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }], resume: { epoch, seq: early } });
    await client.until(({ user }) => user?.id === ids.at(-1), 'the last event');
    assert.deepEqual(
      client.events.map(({ user }) => user.id),
      ids,
    );
    client.terminate();
  };
  const users = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `u${from + n}`);
  const end = async (world: World): Promise<number> => (await world.http('GET', '/sync/position')).body.seq;
  await resumes(shared.world, users(10, 20));
  await filled(shared.world, 20, 10);
  await refused(1, /daemons run on the log of/, 'migrate', 'to-directory', ...flags, '--data', join(cwd, 'back'));
  const last = await end(shared.world);
  await shared.world.stop();
  await refused(1, /is not empty: there is/, 'migrate', 'to-directory', ...flags, '--data', data);
  const back = await facts('migrate', 'to-directory', ...flags, '--data', join(cwd, 'back'));
  assert.equal(back.position, `${epoch}:${last}`);
  const again = await World.start(t, { data: join(cwd, 'back') });
  await resumes(again, users(10, 30));
  assert.equal((await again.http('GET', '/sync/position')).body.epoch, epoch);
  assert.notEqual(String((await facts('verify', ...flags)).position).split(':')[0], epoch, 'the database begins another history');
});
