/** CO40, CO46: webhooks, jobs, backup and tokens of the console in a real browser. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import { openBrowser } from '../support/browser/chromium.ts';
import { HOSTILE_NAME, linkFor, openConsole } from '../support/browser/console-page.ts';
import { eventually } from '../support/eventually.ts';
import { HookReceiver } from '../support/hooks/hook-receiver.ts';
import { API_SECRET, fastClock, World } from '../support/world.ts';

const LOST = "the console's webhooks, jobs, backup and tokens were not tried";

const heading = (page: Page, name: string): Promise<void> => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const button = (page: Page | Locator, name: string): Locator => page.getByRole('button', { name, exact: true });
const dialogOf = (page: Page): Locator => page.getByRole('dialog');

async function receiver(t: TestContext): Promise<HookReceiver> {
  const one = await new HookReceiver(API_SECRET).live();
  t.after(() => one.die());
  return one;
}

/** The button of the dialog that is open, after a look at its commands. */
async function confirm(page: Page, name: string): Promise<void> {
  const dialog = dialogOf(page);
  await dialog.getByText('As a command').click();
  const lines = (await dialog.locator('.line').allTextContents()).join('\n');
  assert.match(lines, /curl -X [\s\S]*\$ROSTERD_TOKEN[\s\S]*npx rosterd call/, name);
  assert.ok(!lines.includes(API_SECRET));
  await button(dialog, name).click();
  await dialog.waitFor({ state: 'detached' });
}

async function walkHooks(world: World, page: Page, picture: (name: string) => Promise<void>, to: HookReceiver): Promise<void> {
  await page.getByRole('link', { name: 'Webhooks' }).click();
  await page.getByText('There is no webhook.').waitFor();
  await button(page, 'New webhook…').click();
  await dialogOf(page).getByLabel('Address').fill('ftp://nowhere');
  await button(dialogOf(page), 'Make the webhook').click();
  await dialogOf(page).getByRole('alert').getByText('webhook_url').waitFor();
  await dialogOf(page).getByLabel('Address').fill(to.url);
  await picture('hook-new');
  await confirm(page, 'Make the webhook');
  await page.getByText('The webhook was made.').waitFor();
  const [hook] = world.daemon.roster.directory.app.event_hooks ?? [];
  assert.equal(hook?.webhook_url, to.url);
  assert.ok(!(await page.content()).includes('query-secret'), 'CO40 what may be secret in an address is not shown');

  to.behave = ({ user }) => (user.startsWith('bad') ? 400 : 200);
  await world.upsert({ id: 'bad1', name: HOSTILE_NAME }, { id: 'good' }, { id: 'bad2', name: 'Second' });
  await page.locator('.hooks > li').getByText('2', { exact: true }).first().waitFor();
  await picture('hooks');
  await page.locator('.hooks a').click();
  await page.getByText('2 events.', { exact: true }).waitFor();
  assert.equal(await page.evaluate('document.activeElement.tagName'), 'H1', 'the focus is where one is');
  await page.locator('.letters summary').first().click();
  await page.getByRole('region', { name: 'The event of bad1' }).getByText('window.hacked').waitFor();
  await page.getByText('answered 400').first().waitFor();
  await picture('hook');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('hook-dark');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('hook-360-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1_100, height: 800 });

  await page.getByLabel('User (id)').fill('bad2');
  await page.getByText('1 event.', { exact: true }).waitFor();
  assert.ok(await button(page, 'Replay all…').isDisabled(), 'a replay of all is not one of the user who is shown');
  await page.getByLabel('User (id)').fill('');
  await page.getByLabel('To (UTC)').fill('2020-01-01T00:00');
  await page.getByText('There are none.').waitFor();
  await page.getByLabel('To (UTC)').fill('');
  await page.getByText('2 events.', { exact: true }).waitFor();

  const before = to.arrived.length;
  await button(page, 'Send a test event…').click();
  await button(dialogOf(page), 'Send').click();
  await dialogOf(page).getByText('The receiver took it: status 200').waitFor();
  await picture('trial');
  assert.deepEqual([to.arrived.length, to.arrived.at(-1)?.type, to.arrived.at(-1)?.body.test], [before + 1, 'webhook.test', true]);
  to.behave = () => 503;
  await button(dialogOf(page), 'Send').click();
  await dialogOf(page).getByRole('alert').getByText('answered 503').waitFor();
  await page.keyboard.press('Escape');
  to.behave = () => 200;

  await page.getByLabel('of bad1').check();
  await button(page, 'Replay the 1 selected…').click();
  await dialogOf(page).getByText('This event is sent again.').waitFor();
  await picture('replay');
  await confirm(page, 'Replay');
  await page.getByText('1 event is being sent again.').waitFor();
  await page.getByText('1 event.', { exact: true }).waitFor();
  await button(page, 'Replay all…').click();
  await confirm(page, 'Replay');
  await page.getByText('There are none.').waitFor();
  assert.deepEqual([...new Set(to.taken.map(({ user }) => user))].filter((user) => user.startsWith('bad')).sort(), ['bad1', 'bad2']);

  await button(page, 'Change…').click();
  await dialogOf(page).getByLabel('Event types').fill('user.updated, user.deleted');
  await confirm(page, 'Save');
  await page.getByText('user.updated, user.deleted').waitFor();
  await button(page, 'Disable…').click();
  await world.http('PATCH', '/app', { name: 'Changed by somebody else' });
  await button(dialogOf(page), 'Disable').click();
  await dialogOf(page).getByText('The settings have changed meanwhile').waitFor();
  const looked = () => page.waitForResponse(/\/api\/v2\/app$/);
  await Promise.all([looked(), page.keyboard.press('Escape')]);
  await looked();
  await button(page, 'Disable…').click();
  await confirm(page, 'Disable');
  await page.getByText('It is switched off, and collects nothing.').waitFor();
  const changed = world.daemon.roster.directory.app.event_hooks?.[0];
  assert.deepEqual([changed?.id, changed?.webhook_url, changed?.enabled], [hook?.id, to.url, false]);
  await button(page, 'Remove…').click();
  await confirm(page, 'Remove');
  await page.getByText('There is no such webhook now.').waitFor();
  assert.deepEqual(world.daemon.roster.directory.app.event_hooks ?? [], []);
}

/** An import with a row that is wrong, and an export. */
async function work(world: World): Promise<void> {
  const { body: place } = await world.http('POST', '/api/v2/import_urls', { filename: 'people.jsonl' });
  const line = (item: object): string => JSON.stringify({ type: 'user', item });
  const file = [line({ id: 'imported' }), line({ id: 'a/b', name: HOSTILE_NAME })].join('\n');
  const headers = { 'Content-Type': 'application/x-ndjson' };
  assert.equal((await fetch(place.upload_url, { method: 'PUT', body: file, headers })).status, 200);
  await world.http('POST', '/api/v2/imports', { path: place.path, mode: 'upsert' });
  await world.http('POST', '/api/v2/export/users', { user_ids: ['good'] });
}

async function walkJobs(world: World, page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  await page.getByRole('link', { name: 'Jobs' }).click();
  await heading(page, 'Jobs');
  await page.getByText('There is none.').first().waitFor();
  // The list follows by itself.
  await work(world);
  await page.getByText('people.jsonl').waitFor();
  await page.getByText(/wrong row/).click();
  await page.getByText(/Row 2/).waitFor();
  const link = page.getByRole('link', { name: /Download the file/ });
  await link.waitFor();
  await picture('jobs');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('jobs-360-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1_100, height: 800 });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.match(await readFile(await download.path(), 'utf8'), /"id":"good"/);
  await page.getByLabel('Status').selectOption('failed');
  await page.getByText('There is none.').first().waitFor();
}

async function walkBackup(page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  await page.getByRole('link', { name: 'Backup' }).click();
  await page.getByText('No backup was read to its end').waitFor();
  await button(page, 'Take a backup now…').click();
  const [download] = await Promise.all([page.waitForEvent('download'), confirm(page, 'Download')]);
  assert.equal(download.suggestedFilename(), 'rosterd-backup.ndjson.gz');
  const packed = await readFile(await download.path());
  assert.match(gunzipSync(packed).toString(), /"user":\{"id":"good"[\s\S]*"sha256"/);
  await page.getByText(/The last one ended/).waitFor();
  await picture('backup');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('backup-360');
  await page.setViewportSize({ width: 1_100, height: 800 });
}

async function walkTokens(world: World, page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  await page.getByRole('link', { name: 'Tokens' }).click();
  await page.getByLabel('Id of the user').fill('newcomer');
  await page.getByLabel('Valid for').selectOption('15 minutes');
  await button(page, 'Make a token…').click();
  await picture('token-dialog');
  await confirm(page, 'Make the token');
  await page.getByText('There is no user of this id yet').waitFor();
  const token = (await page.getByRole('region', { name: 'token', exact: true }).textContent()) ?? '';
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  assert.deepEqual([claims.user_id, claims.exp - claims.iat, claims.server], ['newcomer', 900, undefined]);
  await picture('token');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('token-360-dark');
  const client = await world.open('/live');
  const { connection_id } = await client.request({ op: 'connect', api_key: 'test-key', token, user: { id: 'newcomer' } });
  assert.ok(connection_id !== undefined, 'CO45 the token lets its user in');
}

test('CO40 CO44 CO45 CO46 webhooks, jobs, backup and tokens, each action with a confirmation', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const logged: string[] = [];
  const flags = { 'webhooks-allow-private': 'true', 'webhooks-retry-h': '0.001' };
  const world = await World.start(t, { flags, clock: fastClock(20), onLog: (line) => logged.push(line) });
  const to = await receiver(t);
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  await page.setViewportSize({ width: 1_100, height: 800 });
  await page.goto(linkFor(world, 'operate'));
  await heading(page, 'Overview');
  await walkHooks(world, page, picture, to);
  await walkJobs(world, page, picture);
  await walkBackup(page, picture);
  await walkTokens(world, page, picture);
  const line = logged.find((one) => one.includes('a token was made for a user'));
  assert.match(line ?? '', /"user":"newcomer"[\s\S]*rosterd console, sign-in/, 'CO45 the log says who made it for whom');

  // To look only.
  await page.goto(linkFor(world, 'read'));
  await heading(page, 'Overview');
  await page.goto(`${world.daemon.url}/console/#/hooks`);
  await heading(page, 'Webhooks');
  assert.equal(await button(page, 'New webhook…').count(), 0);
  await page.goto(`${world.daemon.url}/console/#/backup`);
  await page.getByText('You are signed in to look only').waitFor();
  await page.goto(`${world.daemon.url}/console/#/tokens`);
  await page.getByText('a sign-in with the role operate can make tokens').waitFor();
  await eventually(
    () => to.problems.length === 0,
    () => to.problems.join('; '),
  );
});
