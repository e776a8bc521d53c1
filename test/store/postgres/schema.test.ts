/** The tables: made once, brought up to date, and refused where they are not ours (PL1, PL12). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { LogEpochChanged } from '../../../store/log.ts';
import type { PostgresStoreOptions } from '../../../store/postgres/defaults.ts';
import { PgConnection } from '../../../store/postgres/link/connection.ts';
import { PostgresUnusable, postgresTargets } from '../../../store/postgres/link/target.ts';
import { PostgresLog } from '../../../store/postgres/log/log.ts';
import { prepareSchema } from '../../../store/postgres/schema.ts';
import { SCHEMA_STEPS } from '../../../store/postgres/tables.ts';
import { appendOne, draft } from '../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { PG_PASSWORD } from '../../support/sync/postgres.ts';

const kit = PgKit.ofProcess();

/** A database that the role may make a schema in. */
async function database(): Promise<string> {
  const name = `d${randomUUID().replaceAll('-', '')}`;
  await kit.postgres.sql(`create database ${name}`);
  await kit.postgres.sql(`grant create on database ${name} to reader`);
  return name;
}

function open(name: string, more: Partial<PostgresStoreOptions> = {}): Promise<PostgresLog> {
  return PostgresLog.open({
    url: kit.url(undefined, name),
    app: 'app',
    secret: 'secret',
    requiresSync: false,
    openMs: 1_000,
    ...more,
  });
}

async function connection(name: string): Promise<PgConnection> {
  const [target] = postgresTargets(kit.url(undefined, name));
  return await PgConnection.open(target ?? assert.fail(), 'test');
}

async function run(name: string, ...statements: readonly string[]): Promise<unknown[]> {
  const connected = await connection(name);
  try {
    const rows: unknown[] = [];
    for (const text of statements) rows.push(...(await connected.ask({ text })).rows);
    return rows;
  } finally {
    await connected.close();
  }
}

async function refused(work: Promise<PostgresLog>, text: RegExp): Promise<void> {
  const log = await work.catch((error: unknown) => error);
  if (log instanceof PostgresLog) await log.close();
  assert.ok(log instanceof PostgresUnusable, String(log));
  assert.match(log.message, text);
  assert.doesNotMatch(log.message, new RegExp(PG_PASSWORD.replaceAll(/\W/g, '\\$&')));
}

test('PL1 processes that start together make the tables once', pgOptions, async () => {
  for (let round = 0; round < 3; round++) {
    const name = await database();
    const logs = await Promise.all(['a', 'b', 'a', 'b'].map((app) => open(name, { app, openMs: 20_000 })));
    const epochs = logs.map(({ head }) => head.epoch);
    assert.deepEqual([epochs[0], epochs[1]], [epochs[2], epochs[3]], 'one history for each application');
    assert.notEqual(epochs[0], epochs[1]);
    for (const log of logs) await log.close();
  }
});

test('PL1 tables of an older format are brought up to date, once, and keep what they hold', pgOptions, async () => {
  const name = await database();
  const log = await open(name);
  await appendOne(log, draft('a'));
  await log.close();
  const steps = [
    ...SCHEMA_STEPS,
    'create table rosterd.later (n int); insert into rosterd.later values (1)',
    'insert into rosterd.later values (2)',
  ];
  const connections = await Promise.all([connection(name), connection(name)]);
  await Promise.all(connections.map((one) => prepareSchema(one, 'x', steps)));
  await Promise.all(connections.map((one) => one.close()));
  assert.deepEqual(await run(name, 'select n from rosterd.later order by n', 'select id from rosterd.entry'), [
    { n: 1 },
    { n: 2 },
    { id: 'a' },
  ]);
  const [older, newer] = [SCHEMA_STEPS.length, steps.length];
  await refused(open(name), new RegExp(`format ${newer}, and this rosterd knows formats up to ${older}: start the version that made them`));
});

test('PL1 a step that fails leaves the tables as they were', pgOptions, async () => {
  const name = await database();
  const one = await connection(name);
  await assert.rejects(
    prepareSchema(one, 'x', [...SCHEMA_STEPS, 'create table rosterd.later (n int)', 'select 1 / 0']),
    /division by zero/,
  );
  await one.close();
  const log = await open(name);
  await log.close();
  assert.deepEqual(await run(name, "select to_regclass('rosterd.later') is null as gone"), [{ gone: true }]);
});

test('PL1 tables that rosterd did not make are refused and stay as they are', pgOptions, async () => {
  const name = await database();
  await run(name, 'create schema rosterd', 'create table rosterd.head (mine text)', "insert into rosterd.head values ('precious')");
  await refused(open(name), /holds tables that rosterd did not make \(head\): use another database, or rename that schema/);
  await run(name, 'create table rosterd.schema_format (version text)');
  await refused(open(name), /did not make \(schema_format\)/);
  assert.deepEqual(await run(name, 'select mine from rosterd.head'), [{ mine: 'precious' }]);
});

test(
  'PL12 a start that is refused leaves no head; a log without content is taken over with another secret, once nobody lives on it',
  pgOptions,
  async () => {
    const name = await database();
    await refused(open(name, { requiresSync: true }), /asks for a synchronous standby/);
    assert.deepEqual(await run(name, 'select app from rosterd.head'), []);
    const first = await open(name);
    const lease = { t: 'doc', kind: 'lease', id: 'hooks', doc: { id: 'hooks', holder: 'a', token: 1 } } as const;
    assert.equal((await first.append(0, { id: 'lease', time: 1, facts: [lease] })).status, 'appended');
    await run(name, "insert into rosterd.node values ('app', 'a', 'boot', '1', 0, clock_timestamp())");
    await refused(open(name, { secret: 'other' }), /was made with another API secret/);
    await run(name, "update rosterd.node set seen = seen - interval '11 s'");
    const second = await open(name, { secret: 'other' });
    assert.equal(second.head.seq, 1);
    assert.notEqual(second.head.epoch, first.head.epoch);
    await assert.rejects(first.append(1, draft('late')), LogEpochChanged);
    await first.close();
    assert.equal((await second.append(1, draft('a'))).status, 'appended');
    await second.close();
    await refused(open(name), /was made with another API secret/);
  },
);

test('PL1 another secret, and entries of a newer or older format, are refused; another application is another log', pgOptions, async () => {
  const name = await database();
  const log = await open(name);
  await appendOne(log, draft('a'));
  await log.close();
  await refused(open(name, { secret: 'other' }), /the log of app was made with another API secret: start with that secret/);
  const other = await open(name, { app: 'other', secret: 'other' });
  assert.equal(other.head.seq, 0);
  await other.close();
  await run(name, "update rosterd.head set format = 99 where app = 'app'");
  await refused(open(name), /the log of app has format 99, and this rosterd knows \d+: start the version that wrote it/);
  await run(name, "update rosterd.head set format = 1 where app = 'app'");
  await refused(open(name), /the log of app has format 1, and this rosterd knows \d+ and later: upgrade it with the version between them/);
});

test('PL1 a role without rights, a wrong password, a database that is not there, no server: each with what to do', pgOptions, async () => {
  const name = await database();
  await kit.postgres.sql(`revoke create on database ${name} from reader`);
  await refused(
    open(name),
    /the role reader may not make the tables; let an administrator run: create schema rosterd authorization reader/,
  );
  await refused(open('nowhere'), /database "nowhere" does not exist/);
  await refused(open('x', { url: kit.url().replace('reader', 'nobody') }), /password authentication failed/);
  await refused(open('x', { url: 'postgres://127.0.0.1:1/x' }), /127\.0\.0\.1:1\/x: connect ECONNREFUSED/);
  await refused(open('x', { url: 'mysql://localhost/x' }), /none of PostgreSQL; write it as postgres:/);
  await kit.postgres.sql(`create database latin encoding 'LATIN1' locale 'C' template template0`);
  await refused(open('latin'), /the encoding LATIN1: make it with the encoding UTF8/);
});

test('PL1 a read-only server and a standby are refused, and another server of the address is used', pgOptions, async () => {
  const name = await database();
  await kit.postgres.sql(`alter database ${name} set default_transaction_read_only = on`);
  await refused(open(name), /is read-only: set default_transaction_read_only to off/);
  await kit.postgres.sql(`alter database ${name} set default_transaction_read_only = off`);
  const log = await open(name, { url: kit.url(undefined, name).replace('127.0.0.1:', '127.0.0.1:1,127.0.0.1:') });
  assert.equal(log.links.current?.target.name, `127.0.0.1:${kit.postgres.port}/${name}`);
  await log.close();
  await kit.postgres.standBy();
  await refused(open(name), /is a standby: name the primary, or all servers of the cluster \(host1,host2\)/);
  await kit.postgres.promote();
  await (await open(name, { openMs: 20_000 })).close();
});

test('PL1 settings of the role that would break a promise do not count', pgOptions, async () => {
  const name = await database();
  for (const setting of [
    "statement_timeout = '5s'",
    "lock_timeout = '3s'",
    'synchronous_commit = off',
    "default_transaction_isolation = 'serializable'",
    'client_min_messages = error',
  ])
    await kit.postgres.sql(`alter role reader in database ${name} set ${setting}`);
  const names = ['statement_timeout', 'lock_timeout', 'synchronous_commit', 'default_transaction_isolation', 'client_min_messages'];
  const show = `select ${names.map((one) => `current_setting('${one}') as ${one}`).join(', ')}`;
  assert.deepEqual(await run(name, show), [
    {
      statement_timeout: '0',
      lock_timeout: '0',
      synchronous_commit: 'on',
      default_transaction_isolation: 'read committed',
      client_min_messages: 'warning',
    },
  ]);
  await kit.postgres.sql(`alter role reader in database ${name} set synchronous_commit = remote_apply`);
  assert.deepEqual(await run(name, "select current_setting('synchronous_commit') as value"), [{ value: 'remote_apply' }]);
});

test('PL1 an address of several servers is one target for each, without the password in its name', () => {
  assert.deepEqual(
    postgresTargets('postgres://me:p%40ss@h1:5433,h2,[::1]:7/db?sslmode=require'),
    ['h1:5433', 'h2', '[::1]:7'].map((host) => ({ name: `${host}/db`, url: `postgres://me:p%40ss@${host}/db?sslmode=require` })),
  );
  assert.deepEqual(postgresTargets('postgresql:///db'), [{ name: 'the local server/db', url: 'postgresql:///db' }]);
});

test('PL1 a role that may not use the schema of another one learns what to do', pgOptions, async () => {
  const name = await database();
  await (await open(name)).close();
  await kit.postgres.sql(`create role stranger login password '${PG_PASSWORD}'`);
  const url = kit.url(undefined, name).replace('reader', 'stranger');
  await refused(
    open(name, { url }),
    /the role stranger may not use its schema "rosterd": let an administrator give it to that role \(alter schema rosterd owner to …\), or use another database/,
  );
  await kit.postgres.in(name, 'grant usage on schema rosterd to stranger');
  await refused(open(name, { url }), /the role stranger may not use its schema "rosterd"/);
});
