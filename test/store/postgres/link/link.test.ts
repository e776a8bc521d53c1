/** OP3: which refusals of a server are final. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerLink } from '../../../../store/postgres/link/link.ts';
import { PostgresUnusable, postgresTargets } from '../../../../store/postgres/link/target.ts';
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
