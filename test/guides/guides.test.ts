/** GI1, GI6: the commands of the guides, typed in their order; what they print is what the guides show. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findPostgres } from '../../daemon/cli/cluster/programs.ts';
import { openBrowser } from '../support/browser/chromium.ts';
import { follow } from '../support/guides/sandbox.ts';
import { PG_PASSWORD, startPostgres } from '../support/sync/postgres.ts';

const GUIDES = join(import.meta.dirname, '../../daemon/deploy/guides');
const textOf = (name: string): Promise<string> => readFile(join(GUIDES, `${name}.md`), 'utf8');

for (const name of ['production', 'server', 'moving'])
  test(`GI1 the guide ${name}.md can be followed`, { timeout: 240_000 }, async (t) => {
    await follow(t, await textOf(name));
  });

test('GI1 GI6 the guide browser.md can be followed, and its page shows users as they change', { timeout: 240_000 }, async (t) => {
  const { at, type } = await follow(t, await textOf('browser'));
  const browser = await openBrowser(t, 'the page of the guide was not opened');
  if (browser === undefined) return;
  const page = await browser.newPage();
  await page.goto(at('http://127.0.0.1:8830/'));
  await page.locator('#state', { hasText: 'You are not signed in.' }).waitFor();
  await browser.addCookies([{ name: 'user', value: 'ann', url: at('http://127.0.0.1:8830/') }]);
  await page.reload();
  const people = page.locator('#people li');
  await people.filter({ hasText: /^Carl$/ }).waitFor();
  const { code, stderr } = await type(`echo '{"id":"bob","name":"Bobby"}' | rosterd sync -`);
  assert.equal(code, 0, stderr);
  await people.filter({ hasText: /^Bobby$/ }).waitFor();
  assert.deepEqual(await people.allTextContents(), ['Bobby', 'Carl']);
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
