/** CO33, CO35: overview, connections, roles, groups and settings in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/browser/chromium.ts';
import { HOSTILE_NAME, HOSTILE_USERS, linkFor, openConsole } from '../support/browser/console-page.ts';
import { eventually } from '../support/eventually.ts';
import { API_SECRET, World } from '../support/world.ts';

const LOST = 'what an operator looks at in the console was not tried';
const SAMPLES = 180;
const LONG_ID = HOSTILE_USERS.at(-1)?.id ?? '';

const heading = (page: Page, name: string): Promise<void> => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const go = async (page: Page, name: string): Promise<void> => {
  await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name, exact: true }).click();
};

/** Confirms the dialog that is open, once it has shown what the commands are. */
async function confirm(page: Page, name: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.getByText('As a command').click();
  const lines = (await dialog.locator('.line').allTextContents()).join('\n');
  assert.match(lines, /curl -X [\s\S]*\$ROSTERD_TOKEN[\s\S]*npx rosterd call/, name);
  assert.ok(!lines.includes(API_SECRET));
  await dialog.getByRole('button', { name, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** Nodes with a past, as the page would have them after fifteen minutes: one that is well, one that needs a look, one that is away. */
async function playPast(page: Page): Promise<void> {
  await page.route('**/console/api/api/v2/nodes*', async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    const [{ state }] = answer.nodes;
    const end = Math.floor(Date.now() / 1_000);
    const columns = Object.keys(state.samples).map((name, column) => [
      name,
      Array.from({ length: SAMPLES }, (_, row) => {
        if (name === 'at') return end - 5 * (SAMPLES - 1 - row);
        if (name.startsWith('delivery') && row % 7 === 0) return null;
        return (1 + Math.sin(row / (8 + column))) * (name.endsWith('bytes') ? 9e7 : 40) + (name === 'rss_bytes' ? 2e8 : 1);
      }),
    ]);
    const played = { ...state, samples: Object.fromEntries(columns) };
    const trouble = {
      ...played,
      write_trouble: 'writes are refused (no space is left on the disk)',
      dead_letters: 3,
      data_free_bytes: 12_000_000,
    };
    const nodes = [
      { name: 'a', is_here: true, state: played },
      { name: 'b', is_here: false, state: trouble },
      { name: 'c', is_here: false, error: 'the node "c" did not answer within 2000 ms' },
    ];
    await route.fulfill({ response, json: { ...answer, nodes } });
  });
}

interface Walk {
  readonly world: World;
  readonly page: Page;
  readonly picture: (name: string) => Promise<void>;
}

test('CO33 CO35 what an operator looks at, in the browser', { timeout: 280_000 }, async (t) => {
  const context = await openBrowser(t, LOST);
  if (context === undefined) return;
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' }, ...HOSTILE_USERS);
  const { page, picture, pictures } = await openConsole(context, world);
  t.diagnostic(`screenshots in ${pictures}`);
  const walk = { world, page, picture };
  await t.test('CO35 a sign-in that only reads is offered no change', () => onlyReads(walk));
  await t.test('CO35 the overview shows health and plots, also of several nodes, in light, dark and at 360 px', () => overview(walk));
  await t.test('CO35 a connection is closed with the keyboard alone', () => keyboard(walk));
  await t.test('CO31 CO32 connections are found, and closed after a confirmation', () => connections(walk));
  await t.test('CO33 roles and user groups are changed, each after a confirmation', () => roles(walk).then(() => groups(walk)));
  await t.test('CO34 CO35 settings are shown without secrets, and changed after a confirmation', () => settings(walk));
  await t.test('CO35 the views fit into 360 px, in the dark', () => narrow(walk));
});

async function overview({ world, page, picture }: Walk): Promise<void> {
  const files: string[] = [];
  page.on('request', (request) => files.push(new URL(request.url()).pathname));
  await page.setViewportSize({ width: 1_100, height: 800 });
  await page.goto(linkFor(world, 'read'));
  await heading(page, 'Overview');
  assert.equal(page.url(), `${world.daemon.url}/console/#/overview`, 'CO1 the code is out of the address');
  await page.getByText('This daemon').waitFor();
  await page.getByText(/^0\.1\.0, on Node /).waitFor();
  await page.locator('.plots canvas').first().waitFor();
  assert.equal(await page.locator('.plots canvas').count(), 8);
  assert.ok(files.includes('/console/plot.js'));
  await picture('overview-one');
  await playPast(page);
  // It asks at once when it comes again.
  await go(page, 'Users');
  await go(page, 'Overview');
  await page.getByText('does not answer').waitFor();
  await page.getByText('It can be read, but stores no changes').waitFor();
  await page.getByRole('img', { name: /^Connections, the last 15 minutes\. open: from/ }).waitFor();
  await picture('overview');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.getByLabel('Plots of the node').selectOption('b');
  await page.getByText('The numbers as a table').click();
  await page.getByRole('columnheader', { name: 'Delivery delay, p99' }).waitFor();
  assert.equal(await page.locator('.wide-table tbody tr').count(), 15, 'one row a minute');
  await picture('overview-dark');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture('overview-360-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await picture('overview-360');
  await go(page, 'Users');
  await heading(page, 'Users');
  await page.unroute('**/console/api/api/v2/nodes*');
  await page.setViewportSize({ width: 1_100, height: 800 });
}

async function connections({ world, page, picture }: Walk): Promise<void> {
  const ann = await world.chat('ann');
  await world.chat(LONG_ID);
  await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  await go(page, 'Connections');
  await page.getByText('3 connections.').waitFor();
  await page.getByText('consumer mirror acknowledged').waitFor();
  await picture('connections');
  await page.getByLabel('Id of the user').fill('an');
  await page.getByText('1 connection.').waitFor();
  await page.getByRole('button', { name: /^Close the connection/ }).click();
  await page.getByText('A client of rosterd connects again by itself').waitFor();
  await picture('close');
  await confirm(page, 'Close it');
  await page.getByText('The connection is closed.').waitFor();
  assert.equal((await ann.closed).code, 1012, 'CO32');
}

async function roles({ world, page, picture }: Walk): Promise<void> {
  await go(page, 'Roles');
  await page.getByRole('button', { name: 'Create a role…' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('editor');
  await confirm(page, 'Create');
  await page.getByRole('button', { name: /^Change permissions of editor/ }).click();
  await page.getByRole('checkbox', { name: /^ban-user/ }).check();
  await page.getByText('Clients of users with the role editor may then also: ban-user.').waitFor();
  await picture('grants');
  await confirm(page, 'Save');
  await page.getByText('The permissions of editor are saved.').waitFor();
  assert.ok(world.daemon.roster.directory.app.grants?.editor?.includes('ban-user'));
  await picture('roles');
  await page.getByRole('button', { name: /^Change permissions of editor/ }).click();
  await page.getByRole('checkbox', { name: 'Back to the built-in permissions' }).check();
  await confirm(page, 'Save');
  await page.getByText('own permissions').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /^Delete editor/ }).click();
  await confirm(page, 'Delete');
  await page.getByText('The role editor is deleted.').waitFor();
}

async function groups({ world, page, picture }: Walk): Promise<void> {
  await world.http('POST', '/api/v2/usergroups', { id: 'evil', name: HOSTILE_NAME, description: HOSTILE_NAME });
  await go(page, 'Groups');
  await page.getByText('1 group.').waitFor();
  await picture('groups');
  await page.getByRole('button', { name: 'Create a group…' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Night shift');
  await confirm(page, 'Create');
  await heading(page, 'Night shift');
  await page.getByRole('button', { name: 'Add members…' }).click();
  await page.getByLabel('Ids of users').fill(`ann, bob ${LONG_ID}`);
  await page.getByText('3 users are added, all or none.').waitFor();
  await confirm(page, 'Add');
  await page.getByText('3 members are added.').waitFor();
  await page.getByRole('button', { name: /^Remove bob/ }).click();
  await confirm(page, 'Remove');
  await page.getByText('The member is removed.').waitFor();
  await eventually(async () => (await page.locator('.members > li').count()) === 2, 'two are left');
  await picture('group');
  await page.getByRole('button', { name: 'Delete the group…' }).click();
  await confirm(page, 'Delete');
  await heading(page, 'User groups');
  await page.getByText('1 group.').waitFor();
}

async function settings({ world, page, picture }: Walk): Promise<void> {
  const hidden = 'hidden-from-the-page';
  await world.http('PATCH', '/app', { name: HOSTILE_NAME, sqs_secret: hidden, webhook_url: `https://me:${hidden}@example.com/x` });
  await go(page, 'Settings');
  await page.getByRole('button', { name: /^Change guest_user_creation_disabled/ }).click();
  await page.getByText('Nothing is different.').waitFor();
  await page.getByLabel('New value of guest_user_creation_disabled').selectOption('true');
  await page.getByText('No new guests can be made.').waitFor();
  await picture('setting');
  await confirm(page, 'Save');
  await page.getByText('guest_user_creation_disabled is saved.').waitFor();
  assert.equal(world.daemon.roster.directory.app.guest_user_creation_disabled, true);
  await page.getByRole('button', { name: /^Change organization/ }).click();
  await page.getByLabel('New value of organization').fill('Mine');
  // Somebody else is first.
  await world.http('PATCH', '/app', { organization: 'Theirs' });
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('The settings have changed meanwhile').waitFor();
  await picture('setting-conflict');
  await page.keyboard.press('Escape');
  await page.getByRole('list', { name: 'Settings of the application' }).getByText('Theirs').waitFor();
  assert.equal(world.daemon.roster.directory.app.organization, 'Theirs', 'CN11');
  await page.getByRole('button', { name: /^Change webhook_url/ }).click();
  await page.getByText('The value holds a secret and is not shown').waitFor();
  assert.equal(await page.getByLabel('New value of webhook_url').inputValue(), '', 'a mask is never stored');
  await page.keyboard.press('Escape');
  await page.getByLabel('Only those that differ from the default').check();
  await page.getByText(/that rosterd only keeps and repeats/).click();
  await page.getByText('sqs_secret').waitFor();
  assert.ok(!(await page.content()).includes(hidden), 'CO34');
  await picture('settings');
}

async function narrow({ page, picture }: Walk): Promise<void> {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 360, height: 740 });
  for (const name of ['Settings', 'Connections', 'Roles', 'Groups']) {
    await go(page, name);
    await page.locator('.cards > li').first().waitFor();
    await picture(`${name.toLowerCase()}-360-dark`);
  }
}

async function onlyReads({ world, page }: Walk): Promise<void> {
  const chat = await world.chat('ann');
  await page.goto(linkFor(world, 'read'));
  for (const name of ['Connections', 'Roles', 'Settings']) {
    await go(page, name);
    await page.locator('.cards > li').first().waitFor();
    assert.equal(await page.locator('main button', { hasText: '…' }).count(), 0, name);
  }
  chat.terminate();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
}

async function keyboard({ world, page }: Walk): Promise<void> {
  await world.chat('bob');
  await page.goto(linkFor(world, 'operate'));
  await heading(page, 'Overview');
  const focused = (): Promise<string> => page.evaluate('(document.activeElement.textContent || "").trim()');
  const tabTo = async (text: RegExp): Promise<void> => {
    for (let presses = 0; !text.test(await focused()); presses++) {
      assert.ok(presses < 40, `${text} was not reached with Tab, the last was ${await focused()}`);
      await page.keyboard.press('Tab');
    }
  };
  await tabTo(/^Connections$/);
  await page.keyboard.press('Enter');
  await heading(page, 'Connections');
  await page.getByLabel('Id of the user').fill('bob');
  await page.getByText('1 connection.').waitFor();
  await tabTo(/^Close the connection/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await tabTo(/^Close it$/);
  await page.keyboard.press('Space');
  await page.getByText('The connection is closed.').waitFor();
}
