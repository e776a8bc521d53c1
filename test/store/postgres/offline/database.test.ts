/** OP2: which server, and which application on it, a command is about. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { findPostgres } from '../../../../daemon/cli/cluster/programs.ts';
import { NotWritable } from '../../../../store/postgres/link/link.ts';
import { PostgresUnusable } from '../../../../store/postgres/link/target.ts';
import { applicationOf, checkTables, type OpenDatabase, withPrimary, withServer } from '../../../../store/postgres/offline/database.ts';
import { SCHEMA_STEPS } from '../../../../store/postgres/tables.ts';
import { eventually } from '../../../support/eventually.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import { startPostgres } from '../../../support/sync/postgres.ts';

const kit = PgKit.ofProcess();
const NOBODY = '127.0.0.1:1';

const portOf = async ({ connection }: OpenDatabase): Promise<number> =>
  Number((await connection.ask({ text: 'select inet_server_port() as port' })).rows[0]?.port);

/** None of the commands' connections stays open. */
async function allClosed(): Promise<void> {
  const open = "select count(*) from pg_stat_activity where application_name = 'rosterd-command'";
  await eventually(async () => (await kit.postgres.sql(open)) === '0\n', 'all are closed');
}

async function refused(work: Promise<unknown>, text: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof PostgresUnusable, String(error));
    assert.match(error.message, text);
    return true;
  });
}

test('OP2 the primary of the address is looked at, else a standby; what only a primary can do is refused there', pgOptions, async () => {
  const standby = await startPostgres((await findPostgres()) ?? assert.fail());
  try {
    await standby.standBy();
    const address = (...hosts: string[]): string => kit.url().replace(/@[^/]+/, `@${hosts.join()}`);
    const [first, second] = [`127.0.0.1:${kit.postgres.port}`, `127.0.0.1:${standby.port}`];
    assert.equal(await withServer(address(second, first), portOf), kit.postgres.port, 'although the standby comes first');
    assert.equal(await withServer(address(first, NOBODY), portOf), kit.postgres.port, 'and nobody else is asked');
    assert.equal(await withServer(address(NOBODY, second), portOf), standby.port);
    assert.equal(await withPrimary(address(second, first), portOf), kit.postgres.port);
    await assert.rejects(withPrimary(address(second), portOf), NotWritable);
    await refused(withServer(address(NOBODY, '127.0.0.1:2'), portOf), /^127\.0\.0\.1:1\/postgres: .*ECONNREFUSED/);
    assert.equal(await withServer(address(second, first), async ({ name }) => name), `${first}/postgres`);
  } finally {
    await standby.stop();
  }
  await assert.rejects(
    withServer(kit.url(), async () => {
      throw new RangeError('of the work');
    }),
    /^RangeError: of the work$/,
  );
  await allClosed();
});

test('OP2 tables that are missing, and those of another format, are named as such', pgOptions, async () => {
  const name = `d${randomUUID().replaceAll('-', '')}`;
  await kit.postgres.sql(`create database ${name}`);
  await refused(withServer(kit.url(undefined, name), checkTables), /it holds no tables of rosterd: is it the right database\?/);
  await kit.node();
  await withServer(kit.url(), checkTables);
  const format = SCHEMA_STEPS.length;
  const set = (to: number) => kit.postgres.sql(`update rosterd.schema_format set format = ${to}`);
  try {
    await set(format - 1);
    await refused(
      withServer(kit.url(), checkTables),
      new RegExp(
        `its tables have format ${format - 1}, and this rosterd works with ${format}: run the version that made them, or start this one`,
      ),
    );
    await set(format + 1);
    await refused(withServer(kit.url(), checkTables), new RegExp(`format ${format + 1}, and this rosterd knows formats up to ${format}`));
  } finally {
    await set(format);
  }
  await allClosed();
});

test(
  'OP2 the application need not be named where there is one; of several, and of none, the text says which there are',
  pgOptions,
  async () => {
    await kit.node('only');
    const of = (asked: string | undefined) => withServer(kit.url(), (database) => applicationOf(database, asked));
    await kit.postgres.sql("delete from rosterd.head where app <> 'only'");
    assert.deepEqual([await of(undefined), await of('only')], ['only', 'only']);
    await refused(of('other'), /it holds no log of other \(there are: only\)/);
    await kit.node('another');
    assert.equal(await of('only'), 'only');
    await refused(of(undefined), /it holds the logs of several applications \(another, only\): choose one with --api-key/);
    await refused(of('other'), /\(there are: another, only\)/);
    await kit.closeNodes();
    await kit.postgres.sql('delete from rosterd.head');
    await refused(of(undefined), /it holds no log yet: no daemon has run on it/);
    await refused(of('only'), /it holds no log of only \(there are: none\)/);
  },
);
