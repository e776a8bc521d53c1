/** A real browser: Chromium, where there is one (`CHROMIUM` names another). */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type BrowserContext, chromium } from 'playwright-core';

const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);

/** A browser of its own, closed after the test. Undefined where there is none: the test is then skipped, loudly. `lost`: what was not done. */
export async function openBrowser(t: TestContext, lost: string): Promise<BrowserContext | undefined> {
  if (CHROMIUM === undefined) {
    console.error(`SKIPPED: no Chromium was found, so ${lost}. Set CHROMIUM to the path of one.`);
    t.skip('no Chromium was found: set CHROMIUM to the path of one');
    return undefined;
  }
  const profile = await mkdtemp(join(tmpdir(), 'rosterd-chromium-'));
  const quiet = ['no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync', 'disable-quic'];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: ['no-sandbox', 'disable-gpu', ...quiet].map((name) => `--${name}`),
    viewport: { width: 640, height: 480 },
  });
  t.after(async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  });
  return context;
}
