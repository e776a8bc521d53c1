/** CO50–CO55: the tools of the console in a real browser. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/browser/chromium.ts';
import { linesRun } from '../support/browser/console-lines.ts';
import { fillWorld, HOSTILE_NAME, linkFor, openConsole } from '../support/browser/console-page.ts';
import { eventually } from '../support/eventually.ts';
import { World } from '../support/world.ts';

const heading = (page: Page, name: string): Promise<void> => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

/** Opens the commands that the view shows, and returns them. */
async function linesOf(page: Page): Promise<string[]> {
  await page.getByText('As a command').click();
  const lines = await page.locator('.line code').allTextContents();
  await page.getByText('As a command').click();
  return lines;
}

test('CO50–CO55 the tools say why, what a resume brings and whether a copy is stale', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, 'the tools of the console were not tried');
  if (context === undefined) return;
  const world = await World.start(t);
  await fillWorld(world, 300);
  const { epoch } = world.daemon.roster.position;
  const copy = [...world.daemon.roster.directory.users()].map(({ id, rev }) => ({ id, rev }));
  const at = world.daemon.roster.position.seq;
  const chat = await world.chat('user00007');
  await chat.request({ op: 'sub', sub: 'friends', ids: ['user00008'] });
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  const views = async (name: string): Promise<void> => {
    await page.setViewportSize({ width: 1_100, height: 800 });
    await picture(name);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture(`${name}-360-dark`);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1_100, height: 800 });
  };

  // A sign-in that only looks may ask everything: nothing is changed.
  await page.goto(linkFor(world, 'read'));
  await page.getByRole('link', { name: 'Live', exact: true }).click();
  await page.getByText('Connected.').waitFor();
  await world.upsert({ id: 'user00008', name: HOSTILE_NAME, teams: ['blue'] });
  const seq = world.daemon.roster.position.seq;
  await chat.until((frame) => frame.seq === seq);
  await page
    .locator('.tail > li')
    .filter({ hasText: `#${seq}` })
    .locator('summary')
    .click();
  await page.getByRole('link', { name: 'Why was it sent, or not?' }).click();
  await heading(page, 'Why was an event sent, or not?');
  assert.equal(await page.getByLabel('Number of the event (seq)').inputValue(), String(seq), 'CO50 the event is chosen by its link');
  await page.getByLabel('Connections of the user (empty: of servers)').fill('user00007');
  await page.getByText('1 open, or ended within the last hour.').waitFor();
  await page.getByRole('button', { name: /^Choose/ }).click();
  await page.getByText('The event was sent to this connection.').waitFor();
  await page.locator('.cards li').filter({ hasText: 'friends' }).filter({ hasText: /sent$/ }).waitFor();
  const whyLines = await linesOf(page);
  await views('why');
  await page.getByLabel('Number of the event (seq)').fill('5');
  await page.getByText('The event was not sent to this connection.').waitFor();
  await page.getByText('stopped here').first().waitFor();
  chat.terminate();
  const ended = async () => (await world.http('GET', '/debug/connections?user_id=user00007')).body.connections[0].closed_at !== undefined;
  await eventually(ended, 'CO51 the end of the connection');
  await page.getByRole('button', { name: 'Look again' }).click();
  await page.locator('.badge', { hasText: 'ended' }).waitFor();
  await page.getByRole('button', { name: 'Ask again' }).click();
  await page.getByText('It ended at').waitFor();
  await views('why-ended');
  await page.getByLabel('Number of the event (seq)').fill('999999');
  await page.getByRole('alert').getByText('no event at position 999999').waitFor();

  await page.getByRole('link', { name: 'Tools', exact: true }).click();
  await views('tools');
  await page.getByRole('link', { name: 'What would a resume bring?' }).click();
  await heading(page, 'What would a resume bring?');
  await page.getByRole('button', { name: 'Show what it would receive' }).click();
  await page.getByRole('alert').getByText('an epoch, a colon and a number').waitFor();
  await page.getByLabel('Position (epoch:seq)').fill(`${epoch}:${at}`);
  await page.getByLabel('Subscribed to').selectOption('ids');
  await page.getByLabel('Ids, with commas').fill('user00008, user00009');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Events', exact: true }).waitFor();
  await page.getByText(`#${seq} user.updated of user00008`).first().waitFor();
  const resumeLines = await linesOf(page);
  await views('resume');
  await page.getByLabel('Position (epoch:seq)').fill('elsewhere:1');
  await page.getByRole('button', { name: 'Show what it would receive' }).click();
  await page.getByRole('heading', { name: 'A fresh snapshot' }).waitFor();
  await page.getByText('2 users', { exact: true }).waitFor();
  await views('resume-snapshot');

  await page.goto(`${world.daemon.url}/console/#/tools/compare`);
  await heading(page, 'Is a copy stale?');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('alert').getByText('the copy is empty').waitFor();
  await page.getByLabel('Or the copy itself').fill(copy.map((user) => JSON.stringify(user)).join('\n'));
  await page.getByLabel('Position of the copy (empty: now)').fill(`${epoch}:${at}`);
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('heading', { name: 'The copy is equal' }).waitFor();
  await page.getByText('1 changed after that').waitFor();
  await views('compare-equal');
  const file = join(pictures, 'copy.json');
  const stale = copy.flatMap(({ id, rev }) => (id === 'user00020' ? [] : [{ id, rev: id === 'user00021' ? rev - 1 : rev }]));
  const whole = { id: 'user00022', name: HOSTILE_NAME, custom: { seat: 'x'.repeat(500) } };
  await writeFile(file, JSON.stringify([...stale.filter(({ id }) => id !== whole.id), whole, { id: 'ghost', rev: 3 }]));
  await page.getByLabel('A file with the copy').setInputFiles(file);
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('heading', { name: 'The copy differs' }).waitFor();
  for (const [id, how] of [
    ['user00020', 'missing in the copy'],
    ['user00021', 'older in the copy'],
    ['user00022', 'other fields'],
    ['ghost', 'not in the directory'],
  ] as const) {
    await page.locator('.cards li').filter({ hasText: id }).filter({ hasText: how }).waitFor();
  }
  const compareLines = await linesOf(page);
  await views('compare');
  await writeFile(join(world.data, 'copy.ndjson'), stale.map((user) => `${JSON.stringify(user)}\n`).join(''));
  assert.equal((await linesRun(whyLines, world)).length, 2);
  assert.equal((await linesRun(resumeLines, world)).length, 2);
  const [digests, compared] = await linesRun(compareLines, world, [0, 1]);
  assert.match(digests ?? '', /"digest":"\d+-[0-9a-f]{16}"/);
  assert.match(compared ?? '', /1 missing there, 1 older/, 'CO54 the command that is shown compares');
});
