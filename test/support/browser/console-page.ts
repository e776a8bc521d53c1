/** The console in a browser: users to look at, pictures, and the checks that hold for every view. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import type { SignInRole } from '../../../protocol/access/sign-ins.ts';
import { API_SECRET, type World } from '../world.ts';

/** Right-to-left override, zero-width space, an unpaired isolate: what turns a line around, or hides. */
const RTL = '\u202e\u2067evil\u200b';
export const HOSTILE_NAME = `<script>window.hacked=1</script><img src=x onerror="window.hacked=1">${RTL}`;

/** Users whom nobody would want on a page. */
export const HOSTILE_USERS = [
  {
    id: 'hostile-script',
    name: HOSTILE_NAME,
    custom: { '<b>key</b>': '"><svg onload=window.hacked=1>', url: 'javascript:window.hacked=1' },
  },
  { id: 'hostile-long', name: 'W'.repeat(2_000), custom: { long: 'x'.repeat(6_000), deep: { a: { b: { c: ['d', RTL] } } } } },
  {
    id: 'hostile-emoji',
    name: '👩‍👩‍👧‍👦🏳️‍🌈 ع\u0301\u0301\u0301\u0301\u0301 Zoë',
    image: 'javascript:window.hacked=1',
    custom: { mood: '🎉'.repeat(50) },
  },
  { id: `hostile-${'i'.repeat(247)}`, teams: Array.from({ length: 30 }, (_, n) => `team-${n}-${'t'.repeat(60)}`) },
];

/** Ordinary users, `user00000` and so on, of every state. */
export async function fillWorld(world: World, count: number): Promise<void> {
  const user = (n: number) => ({
    id: `user${String(n).padStart(5, '0')}`,
    name: `${['Ann', 'Bob', 'Cyd', 'Dee', 'Eve'][n % 5]} ${['Adler', 'Baker', 'Chen', 'Diaz', 'Evans', 'Fox'][n % 6]} ${n}`,
    role: n % 50 === 0 ? 'admin' : 'user',
    teams: [['red', 'blue', 'green'][n % 3] ?? ''],
    custom: { department: ['sales', 'support', 'design'][n % 3], seat: n },
  });
  for (let at = 0; at < count; at += 100) await world.upsert(...Array.from({ length: Math.min(100, count - at) }, (_, n) => user(at + n)));
  await world.upsert(...HOSTILE_USERS);
  await world.http('POST', '/api/v2/users/user00003/deactivate', {});
  await world.http('POST', '/api/v2/moderation/ban', { target_user_id: 'user00004', reason: 'spam', banned_by_id: 'user00000' });
  await world.http('DELETE', '/users/user00005');
}

export const linkFor = (world: World, role: SignInRole): string =>
  `${world.daemon.url}/console/#code=${new Seals(API_SECRET).newCode(role, Date.now())}`;

export interface ConsolePage {
  readonly page: Page;
  /** The folder of the pictures. */
  readonly pictures: string;
  /** Takes a picture of the whole page, and checks what holds for every view. */
  picture(name: string): Promise<void>;
}

/** A tab that notes whatever a page must not do: errors, requests elsewhere, scripts of others. */
export async function openConsole(context: BrowserContext, world: World): Promise<ConsolePage> {
  const page = await context.newPage();
  const pictures = await mkdtemp(join(tmpdir(), 'rosterd-console-'));
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error in the page: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // A refusal is an answer that the page shows.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) wrong.push(`the console says: ${text}`);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== world.daemon.url && !request.url().startsWith('data:'))
      wrong.push(`asked elsewhere: ${request.url()}`);
  });
  const picture = async (name: string): Promise<void> => {
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
    assert.deepEqual(await axeFindings(page), [], `CO13 axe, ${name}`);
    assert.equal(await page.evaluate('window.hacked'), undefined, `CO12 a script of a user ran, ${name}`);
    assert.deepEqual(wrong, [], name);
    const over = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.ok(Number(over) <= 0, `CO13 ${name} is ${over} px wider than the window`);
  };
  return { page, pictures, picture };
}

/** What axe finds that is serious or critical. */
async function axeFindings(page: Page): Promise<string[]> {
  // As it is: compiled with the test, it would miss helpers in the page.
  await page.evaluate(await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`));
}
