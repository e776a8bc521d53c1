/** CO20–CO24: sync plans in a real browser, and their approval in a second one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/browser/chromium.ts';
import { HOSTILE_NAME, linkFor, openConsole } from '../support/browser/console-page.ts';
import { World } from '../support/world.ts';

const LOST = "the console's sync plans were not tried";

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** A step of the plan, through its dialog. */
async function step(page: Page, name: string): Promise<void> {
  await button(page, `${name}…`).click();
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

test('CO20 CO21 CO22 CO23 CO24 a file is planned, approved from a second browser, and applied', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  const others = Array.from({ length: 40 }, (_, n) => ({ id: `user${n}`, name: `User ${n}` }));
  await world.upsert({ id: 'ann', name: 'Ann' }, { id: 'bob', name: HOSTILE_NAME }, { id: 'gone', name: 'Gone' }, ...others);
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  await page.setViewportSize({ width: 1_100, height: 800 });
  await page.goto(linkFor(world, 'operate'));
  await page.getByRole('link', { name: 'Plans', exact: true }).click();
  await page.getByText('There is no plan yet.').waitFor();
  await picture('plans');

  const rows = others.slice(1).map(({ id, name }) => `${id},${name},`);
  const lines = [
    'login,Full name,E-Mail',
    'ann,Ann <b>B.</b>,ann@example.com',
    `bob,"${HOSTILE_NAME.replaceAll('"', '""')}",`,
    'new,New,',
    ...rows,
    ',Nobody,',
  ];
  const name = 'users.csv';
  const broken = Buffer.from('id,name\nann,"Ann\n');
  await page.getByLabel(/New plan of a file/).setInputFiles({ name, mimeType: 'text/csv', buffer: broken });
  await page.getByRole('alert').getByText('a quote that is opened on line 2 is not closed').waitFor();
  await page.getByLabel(/New plan of a file/).setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(`${lines.join('\n')}\n`) });
  await page.getByRole('heading', { name: 'New plan of users.csv' }).waitFor();
  assert.equal(await page.locator('label', { hasText: /^id/ }).locator('select').inputValue(), 'login', 'CO20 the id was guessed');
  await page.getByLabel('Users that are not in the file').selectOption('deactivate');
  await picture('new');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('new-360');
  await button(page, 'Make the plan').click();
  await page.getByRole('alert').getByText('no id that can be read').waitFor();
  await picture('refused-360');
  await page.setViewportSize({ width: 1_100, height: 800 });

  await page.getByRole('link', { name: 'All plans' }).click();
  const good = Buffer.from(`${lines.slice(0, -1).join('\n')}\n`);
  await page.getByLabel(/New plan of a file/).setInputFiles({ name, mimeType: 'text/csv', buffer: good });
  await page.getByLabel('Users that are not in the file').selectOption('deactivate');
  await button(page, 'Make the plan').click();
  await page.getByText('It waits for the approval of a second person.').waitFor();
  await page.getByText('This sign-in proposed the plan').waitFor();
  assert.equal(await button(page, 'Approve…').count(), 0, 'CO23 the own plan cannot be approved');
  const changes = page.getByRole('list', { name: 'Changes of the plan' }).getByRole('listitem');
  await changes.filter({ hasText: 'ann@example.com' }).waitFor();
  await page.getByText('Users that would be removed, as a share: 4.65%, of at most 10% within its limit').waitFor();
  await picture('plan');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('plan-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.getByLabel('Kind').selectOption('deactivate');
  await page.getByText('Page 1: 2 shown.').waitFor();
  assert.deepEqual((await changes.allTextContents()).map((text) => text.replace('deactivate', '').trim()).sort(), ['gone', 'user0']);

  const second = await context.browser()?.newContext();
  assert.ok(second !== undefined);
  t.after(() => second.close());
  const colleague = await openConsole(second, world);
  await colleague.page.goto(linkFor(world, 'operate'));
  await colleague.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await colleague.page.goto(page.url());
  await button(colleague.page, 'Approve…').click();
  await colleague.page.getByText('There is no command for this').waitFor();
  await colleague.picture('approve');
  await colleague.page.keyboard.press('Escape');
  await step(colleague.page, 'Approve');
  await colleague.page.getByText('It was approved and can be applied.').waitFor();
  assert.equal(world.daemon.roster.directory.user('gone')?.deactivated_at, undefined);

  await page.reload();
  await button(page, 'Apply…').click();
  await page.getByRole('dialog').getByText('As a command').click();
  assert.match((await page.locator('.line').allTextContents()).join(' '), /npx rosterd call POST \/api\/v2\/sync\/plans\/[\w-]+\/apply/);
  await page.keyboard.press('Escape');
  await step(page, 'Apply');
  await page.getByText('It was applied.').waitFor();
  await page.getByText('deactivated: 2 of 4').waitFor();
  await picture('applied');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('applied-360-dark');
  const { directory } = world.daemon.roster;
  assert.deepEqual([directory.user('ann')?.name, directory.user('new')?.name], ['Ann <b>B.</b>', 'New']);
  assert.ok(directory.user('gone')?.deactivated_at !== undefined && directory.user('user0')?.deactivated_at !== undefined);

  const third = await context.browser()?.newContext();
  assert.ok(third !== undefined);
  t.after(() => third.close());
  const reader = await openConsole(third, world);
  await reader.page.goto(linkFor(world, 'read'));
  await reader.page.getByRole('link', { name: 'Plans', exact: true }).click();
  await reader.page.getByText('You are signed in to look only.').waitFor();
  await reader.page.getByRole('link', { name }).first().click();
  await reader.page.getByText('It was applied.').waitFor();
  assert.equal(await reader.page.getByRole('region', { name: 'Actions' }).count(), 0, 'CO24 the role read is offered no step');
});
