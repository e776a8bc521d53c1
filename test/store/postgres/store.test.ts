/** OP3, LG10: the store on PostgreSQL as a whole, from its start to its end. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { PostgresUnusable } from '../../../store/postgres/link/target.ts';
import { openPostgresStore } from '../../../store/postgres/store.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { PgProxy } from '../../support/store/pg-proxy.ts';

const kit = PgKit.ofProcess();

const open = (more: { readonly app?: string; readonly url?: string; readonly openMs?: number } = {}) =>
  openPostgresStore({
    ...{ url: kit.url(), app: randomUUID(), secret: 'secret', requiresSync: false, node: 'blue', version: '1' },
    ...more,
  });

async function noneIsOpen(): Promise<void> {
  const open = "select count(*) from pg_stat_activity where application_name like 'rosterd-%'";
  await eventually(async () => (await kit.postgres.sql(open)) === '0\n', 'all are closed');
}

test('OP3 a machine whose clock is further off than tokens allow does not start, and learns by how much', pgOptions, async (t) => {
  const now = Date.now.bind(Date);
  let offMs = 0;
  t.mock.method(Date, 'now', () => now() + offMs);
  const refused = async (text: RegExp) => {
    await assert.rejects(open(), (error) => error instanceof PostgresUnusable && text.test(error.message));
  };
  offMs = 3_600_000;
  await refused(
    /^127\.0\.0\.1:\d+\/postgres: the clock of this machine is 3[56]\d\d s ahead of that of the server, and a node starts with 5 s at most: synchronise/,
  );
  offMs = -60_000;
  await refused(/is [56]\d s behind that of the server/);
  offMs = 1_000;
  await (await open()).close();
  await noneIsOpen();
});

test('LG10 a store that is closed leaves no connection, whatever was used', pgOptions, async () => {
  const store = await open();
  const { leases, mailbox, letters, history, blobs, peers } = store;
  await peers?.start({ here: () => [], applied: () => 0, replaced: () => {}, changed: () => {}, gone: () => {} });
  await mailbox?.start(() => {});
  await leases?.take('job');
  await letters?.counts();
  await history?.page({ id: 'ann', limit: 1, before: 9, notBefore: 0 });
  await blobs.has('exports', 'x');
  assert.equal(store.loaded, undefined);
  await peers?.close();
  await store.close();
  await noneIsOpen();
});

test('OP3 a server that acknowledges no commit is none to start on', pgOptions, async () => {
  const proxy = await PgProxy.open(kit.postgres.port);
  proxy.on('rosterd-beat', async () => {});
  try {
    await assert.rejects(
      open({ url: kit.url(proxy.port), openMs: 300 }),
      (error) =>
        error instanceof PostgresUnusable &&
        /^127\.0\.0\.1:\d+\/postgres: commits are not acknowledged; is the synchronous standby there\?/.test(error.message),
    );
  } finally {
    await proxy.close();
  }
  await noneIsOpen();
});
