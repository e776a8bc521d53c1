/** GI1: the commands of the guides, typed in their order; what they print is what the guides show. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import { follow } from '../../support/guides/sandbox.ts';
import { PG_PASSWORD, startPostgres } from '../../support/sync/postgres.ts';

const GUIDES = join(import.meta.dirname, '../../../daemon/deploy/guides');
const textOf = (name: string): Promise<string> => readFile(join(GUIDES, `${name}.md`), 'utf8');

for (const name of ['production', 'server', 'browser', 'moving'])
  test(`GI1 the guide ${name}.md can be followed`, { timeout: 240_000 }, async (t) => {
    await follow(t, await textOf(name));
  });

const bin = await findPostgres();
const needsPostgres = bin === undefined ? { skip: 'THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)' } : { timeout: 240_000 };

test('GI1 the guide in-step.md can be followed', needsPostgres, async (t) => {
  const postgres = await startPostgres(bin ?? '');
  t.after(() => postgres.stop());
  await follow(t, await textOf('in-step'), {
    here: { 'postgres://crm@db.example.com/crm': postgres.url },
    env: { PGPASSWORD: PG_PASSWORD },
  });
});
