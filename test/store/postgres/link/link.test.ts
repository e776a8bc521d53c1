/** OP3: which refusals of a server are final. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PgConnection } from '../../../../store/postgres/link/connection.ts';
import { checkedServer, NotWritable, ServerLink } from '../../../../store/postgres/link/link.ts';
import { PostgresUnusable, postgresTargets } from '../../../../store/postgres/link/target.ts';
import { eventually } from '../../../support/eventually.ts';
import { answered, scripted } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

/** What comes of connecting to this address. */
async function outcome(address: string): Promise<unknown> {
  const [target] = postgresTargets(address);
  assert.ok(target !== undefined);
  return await ServerLink.open(target, 1_000).then(
    async (link) => {
      await link.close();
      return 'open';
    },
    (error: unknown) => error,
  );
}

test('OP3 a log-in, a database and a right that are missing do not come by waiting; a server that is away does', pgOptions, async () => {
  assert.equal(await outcome(kit.url()), 'open');
  const [scheme, rest] = ['postgres://', `127.0.0.1:${kit.postgres.port}`];
  for (const [address, reason] of [
    [`${scheme}reader:wrong@${rest}/postgres`, /127\.0\.0\.1.*password authentication failed/],
    [`${scheme}nobody@${rest}/postgres`, /password authentication failed|role "nobody" does not exist/],
    [`${scheme}reader@${rest}/nowhere`, /database "nowhere" does not exist/],
  ] as const) {
    const error = await outcome(address);
    assert.ok(error instanceof PostgresUnusable, `${address}: ${error}`);
    assert.match(error.message, reason);
  }
  const away = await outcome(`${scheme}reader@127.0.0.1:1/postgres`);
  assert.ok(away instanceof Error && !(away instanceof PostgresUnusable), `${away}`);
});

test('OP3 a server that a log cannot run on is refused with what to do: for now, or for good', pgOptions, async (t) => {
  const [target] = postgresTargets(kit.url());
  const connection = await PgConnection.open(target ?? assert.fail(), 'test');
  const row = { server: 'life', is_standby: false, is_read_only: false, pid: connection.announcedPid, encoding: 'UTF8', version: 130_000 };
  const checked = async (change: object): Promise<unknown> => {
    t.mock.restoreAll();
    scripted(t, connection, answered({ ...row, ...change }));
    return await checkedServer(connection, { name: 'db' }).catch((error: unknown) => error);
  };
  assert.equal(await checked({}), 'life');
  for (const [change, known, text] of [
    [{ is_standby: true }, NotWritable, /^db is a standby: name the primary/],
    [{ is_read_only: true }, NotWritable, /^db is read-only: set default_transaction_read_only to off/],
    [{ pid: 1 }, PostgresUnusable, /^db: a pooler such as PgBouncer stands between, .* connect to PostgreSQL itself$/],
    [{ encoding: 'LATIN1' }, PostgresUnusable, /^db: the database has the encoding LATIN1: make it with the encoding UTF8$/],
    [{ version: 129_999 }, PostgresUnusable, /^db: PostgreSQL 13 or later is needed, this is 129999$/],
  ] as const) {
    const error = await checked(change);
    assert.ok(error instanceof known && text.test(error.message), String(error));
  }
  t.mock.restoreAll();
  await connection.close();
});

test('PL6 what one connection of a link loses ends all of them, once, with those for other work', pgOptions, async () => {
  const [target] = postgresTargets(kit.url());
  const link = await ServerLink.open(target ?? assert.fail(), 1_000);
  const side = await link.side('side');
  const told: string[] = [];
  link.onLost = ({ message }) => void told.push(message);
  assert.equal(link.isOver, false);
  link.giveUp(new Error('first'));
  link.giveUp(new Error('second'));
  assert.deepEqual([link.isOver, told], [true, ['first']]);
  await link.close();
  assert.deepEqual(
    [link.writer, link.pulse, link.reader, link.listener, side].map(({ isLost }) => isLost),
    Array(5).fill(true),
  );
  await assert.rejects(link.side('late'), NotWritable);
  const left = "select count(*) from pg_stat_activity where application_name like 'rosterd-%'";
  await eventually(async () => (await kit.postgres.sql(left)) === '0\n', 'none is left');
});
