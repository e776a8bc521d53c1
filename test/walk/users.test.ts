/** CO11–CO13: the console in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { openBrowser } from '../support/browser/chromium.ts';
import { fillWorld, HOSTILE_NAME, HOSTILE_USERS, linkFor, openConsole } from '../support/browser/console-page.ts';
import { eventually } from '../support/eventually.ts';
import { sized } from '../support/long.ts';
import { API_SECRET, World } from '../support/world.ts';

const USERS = sized(2_000, 100_000);
const LOST = "the operator's console was not tried";

const rows = (page: Page): Locator => page.locator('ul.users > li');
const heading = (page: Page, name: string): Promise<void> => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const toUsers = (page: Page): Promise<void> => page.getByRole('link', { name: 'Users', exact: true }).click();
const button = (page: Page, name: string): Locator => page.getByRole('button', { name });

/** An action on the user that is shown, through its dialog. */
async function act(page: Page, name: string, fill: () => Promise<unknown> = async () => {}): Promise<void> {
  await button(page, `${name}…`).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await fill();
  await dialog.getByText('As a command').click();
  const lines = await dialog.locator('.line').allTextContents();
  assert.match(lines.join('\n'), /curl -X [\s\S]*\$ROSTERD_TOKEN[\s\S]*npx rosterd call/, name);
  assert.ok(!lines.join('').includes(API_SECRET));
  await dialog.getByRole('button', { name, exact: true }).click();
  await page.getByText(`${name}: done.`).waitFor();
}

test('CO13 users are found, paged and filtered, and what others wrote stays harmless', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  await fillWorld(world, USERS);
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);

  await page.goto(`${world.daemon.url}/console`);
  await heading(page, 'Sign in to the console');
  await picture('sign-in');
  const link = linkFor(world, 'operate');
  await page.goto(link);
  await heading(page, 'Overview');
  assert.equal(page.url(), `${world.daemon.url}/console/#/overview`, 'CO1 the code is out of the address');
  await toUsers(page);
  await eventually(async () => (await rows(page).count()) === 50, 'a page of users');
  await page.setViewportSize({ width: 1_100, height: 800 });
  await picture('users');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('users-dark');
  await page.emulateMedia({ colorScheme: 'light' });

  const first = await rows(page).first().textContent();
  await button(page, 'Next page').click();
  await page.getByText('Page 2: 50 users, more follow.').waitFor();
  assert.notEqual(await rows(page).first().textContent(), first);
  await button(page, 'Previous page').click();
  await page.getByText('Page 1: 50 users, more follow.').waitFor();
  assert.equal(await rows(page).first().textContent(), first);

  await page.getByLabel('Id or name begins with').fill('hostile');
  await page.getByText(`${HOSTILE_USERS.length} users.`).waitFor();
  await picture('hostile');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('hostile-360');
  await page.getByLabel('Id or name begins with').fill('');
  await page.getByText('Page 1: 50 users, more follow.').waitFor();
  await picture('users-360');
  await page.getByLabel('State').selectOption('deactivated');
  await page.getByText('1 user.').waitFor();
  assert.match((await rows(page).first().textContent()) ?? '', /user00003/);
  for (const [state, id] of [
    ['banned', 'user00004'],
    ['deleted', 'user00005'],
  ] as const) {
    await page.getByLabel('State').selectOption(state);
    await rows(page).filter({ hasText: id }).waitFor();
    assert.equal(await rows(page).count(), 1);
  }
  await page.getByLabel('State').selectOption('online');
  await page.getByText('No user found.').waitFor();
  await page.getByLabel('State').selectOption('any');
  await page.getByLabel('Role').selectOption('admin');
  await page.getByLabel('Team').fill('red');
  await page.getByText(/users?(, more follow)?\.$/).waitFor();
  await rows(page).filter({ hasText: 'user00150' }).waitFor();
  assert.ok(!(await rows(page).allTextContents()).some((text) => !text.includes('admin') || !text.includes('red')));

  for (const { id } of HOSTILE_USERS) {
    await page.goto(`${world.daemon.url}/console/#/users/${id}`);
    await page.getByRole('heading', { name: 'Record' }).waitFor();
    await page.getByText(/\d changes?, the newest first/).waitFor();
    await picture(`${id.slice(0, 14)}-360`);
  }
  await page.goto(`${world.daemon.url}/console/#/users/hostile-script`);
  await page.getByRole('heading', { level: 1 }).getByText(HOSTILE_NAME).waitFor();
  await page.setViewportSize({ width: 1_100, height: 800 });
  await picture('hostile-script');
});

test('CO13 one user is looked at, edited and acted on, each with a preview and a confirmation', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  await fillWorld(world, 200);
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  await page.setViewportSize({ width: 1_100, height: 800 });
  const chat = await world.chat('user00007');
  await page.goto(linkFor(world, 'operate'));
  await toUsers(page);
  await rows(page).getByRole('link', { name: 'Cyd Baker 7', exact: true }).click();
  await heading(page, 'Cyd Baker 7');
  assert.equal(await page.evaluate('document.activeElement.tagName'), 'H1', 'the focus is where one is');
  await page.getByText('1 open, the oldest first.').waitFor();
  await picture('user');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('user-dark');
  await page.emulateMedia({ colorScheme: 'light' });

  await page.getByLabel('Name').fill('Cyd <Renamed>');
  await page.getByLabel('seat', { exact: true }).fill('"front"');
  await button(page, 'Show what would change…').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('"Cyd <Renamed>"', { exact: true }).waitFor();
  assert.match((await dialog.textContent()) ?? '', /custom\.seatbefore 7after "front"/);
  await picture('dry-run');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await heading(page, 'Cyd <Renamed>');
  const { body } = await world.http('GET', '/api/v2/users/user00007/history');
  assert.deepEqual(body.history[0].fields, ['name', 'custom.seat']);
  assert.match(body.history[0].client, /^rosterd console, sign-in [\w-]{22}$/, 'CO7');
  await page.getByText(body.history[0].client).waitFor();

  await page.getByLabel('As JSON').check();
  await page.getByLabel('The record in JSON').fill('{"name":"Cyd","role":"nobody","custom":{}}');
  await button(page, 'Show what would change…').click();
  await page.getByRole('alert').getByText('role').waitFor();
  await picture('refused');
  await page.getByLabel('The record in JSON').fill('{"name":"Cyd","role":"user","custom":{"seat":8}}');
  await button(page, 'Show what would change…').click();
  await dialog.getByText('custom.department', { exact: true }).waitFor();
  // Somebody else is first.
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'user00007', set: { 'custom.mood': 'calm' } }] });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('has changed meanwhile').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(world.daemon.roster.directory.user('user00007')?.custom.mood, 'calm');

  await act(page, 'Deactivate');
  await eventually(() => world.daemon.roster.directory.user('user00007')?.deactivated_at !== undefined, 'deactivated');
  chat.terminate();
  await act(page, 'Reactivate');
  await button(page, 'Ban…').click();
  await dialog.getByLabel('Reason').fill('spam');
  await dialog.getByLabel(/Minutes/).fill('60');
  await dialog.getByText('The ban ends by itself after 60 minutes.').waitFor();
  await picture('ban');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('ban-360');
  await dialog.getByRole('button', { name: 'Ban', exact: true }).click();
  await page.getByText('Ban: done.').waitFor();
  await page.getByText('Reason: spam').waitFor();
  await act(page, 'Lift the ban');
  await act(page, 'Delete', () => dialog.getByLabel('The user').selectOption('soft'));
  await page.locator('.badge', { hasText: 'deleted' }).first().waitFor();
  await act(page, 'Restore');
  await act(page, 'Delete', () => dialog.getByLabel('The user').selectOption('hard'));
  await page.getByText('There is no such user now.').waitFor();
  await page.getByText('deleted:hard').waitFor();
  await picture('gone-360');
});

test('CO13 the live tail shows events, filters and pauses; a sign-in ends where the browser says so', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: HOSTILE_NAME });
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  const link = linkFor(world, 'read');
  await page.goto(link);
  await toUsers(page);
  await rows(page).first().waitFor();
  await page.getByRole('link', { name: 'Live', exact: true }).click();
  await page.getByText('Connected.').waitFor();
  const events = page.locator('.tail > li');
  await world.upsert({ id: 'bob', name: HOSTILE_NAME });
  await events.filter({ hasText: 'bob' }).waitFor();
  await button(page, 'Pause').click();
  await world.upsert({ id: 'cyd' });
  await page.getByText('Paused: 1 waiting.').waitFor();
  assert.equal(await events.filter({ hasText: 'cyd' }).count(), 0);
  await button(page, 'Go on').click();
  await events.filter({ hasText: 'cyd' }).waitFor();
  await page.getByLabel('Events that contain').fill('hacked');
  await page.getByText('1 of the last 2 events').waitFor();
  await events.locator('summary').click();
  await page.getByRole('region', { name: 'The event of bob' }).waitFor();
  await picture('live');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('live-360-dark');

  await page.getByRole('link', { name: 'Go to the user' }).click();
  await page.getByText('You are signed in to look only.').waitFor();
  assert.equal(await button(page, 'Delete…').count(), 0, 'CO6 the role read is offered no action');
  await page.getByRole('link', { name: 'Sign-ins' }).click();
  await page.getByText('this one').waitFor();
  await picture('sign-ins-360-dark');
  await button(page, 'Sign out').click();
  await page.getByText('You are signed out.').waitFor();
  // The page is there already, and reads itself anew.
  await page.goto(link);
  await page.getByText('this link was used before').waitFor();
  await picture('used-360-dark');
});

test('CO13 everything can be reached and done with the keyboard alone', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: 'Ann' });
  const { page } = await openConsole(context, world);
  await page.goto(linkFor(world, 'operate'));
  await toUsers(page);
  await rows(page).first().waitFor();
  const focused = async (): Promise<string> =>
    String(await page.evaluate('(document.activeElement.textContent || document.activeElement.type).trim()'));
  const tabTo = async (text: string): Promise<void> => {
    for (let presses = 0; (await focused()) !== text; presses++) {
      assert.ok(presses < 40, `${text} was not reached with Tab, the last was ${await focused()}`);
      await page.keyboard.press('Tab');
    }
  };
  const directory = page.getByRole('navigation', { name: 'Console' }).getByRole('list', { name: 'Directory' });
  assert.deepEqual(await directory.getByRole('link').allTextContents(), ['Users', 'Groups', 'Roles', 'Plans']);
  await tabTo('Plans');
  await tabTo('Ann');
  await page.keyboard.press('Enter');
  await heading(page, 'Ann');
  await button(page, 'Deactivate…').waitFor();
  await tabTo('Deactivate…');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await eventually(async () => (await focused()) === 'Deactivate…', 'the focus is back where it was');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await tabTo('Deactivate');
  await page.keyboard.press('Space');
  await page.getByText('Deactivate: done.').waitFor();
  assert.ok(world.daemon.roster.directory.user('ann')?.deactivated_at !== undefined);
});
