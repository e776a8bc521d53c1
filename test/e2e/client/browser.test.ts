/** CL50: the built client in a real browser. Skipped, and said so, where there is no Chromium (`CHROMIUM` names another one). */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../../support/browser/chromium.ts';
import { bundleClient } from '../../support/live/client-bundle.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>rosterd</title>
<style>body { font: 16px sans-serif; margin: 2em } td, th { padding: .2em 1em; text-align: left }</style>
<h1 id="me">…</h1>
<p>connection: <b id="state">idle</b></p>
<table><thead><tr><th>id<th>name<th>mood<th>online</tr></thead><tbody id="users"></tbody></table>
<ol id="events"></ol>
<script src="/client.js"></script>
<script>
  const { id, token, url, key, other } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const client = new rosterd.RosterClient({ url, apiKey: key });
  window.client = client;
  const cell = (row, text) => { row.insertCell().textContent = text; };
  function draw() {
    const table = document.getElementById('users');
    table.replaceChildren();
    for (const user of client.users.values()) {
      const row = table.insertRow();
      row.id = 'user-' + user.id;
      for (const text of [user.id, user.name ?? '', user.custom.mood ?? '', user.online ? 'online' : 'offline']) cell(row, text);
    }
  }
  client.on('users.changed', draw);
  client.on('state', ({ kind }) => { document.getElementById('state').textContent = kind; });
  client.on('event', ({ type, user }) => {
    const item = document.createElement('li');
    item.textContent = type + ' ' + user.id;
    document.getElementById('events').append(item);
  });
  client.connectUser({ id, name: id.toUpperCase() }, async () => token)
    .then((me) => { document.getElementById('me').textContent = me.name; })
    .then(() => client.subscribe({ sub: 'friends', ids: [other], presence: true }))
    .then(draw)
    .catch((error) => { document.getElementById('me').textContent = String(error); });
</script>
</html>`;

/** Pages of another origin than the daemon's, as most applications have them. */
async function servePage(t: TestContext): Promise<string> {
  const { code } = await bundleClient('{ RosterClient }');
  const server = createServer((request, response) => {
    const isScript = request.url === '/client.js';
    response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8' });
    response.end(isScript ? code : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const textOf = (page: Page, selector: string, text: string) => page.locator(selector, { hasText: text }).waitFor();

test('CL50 two tabs connect as two users and see each other come, change and go', { timeout: 120_000 }, async (t) => {
  const context = await openBrowser(t, 'the client was not tried in a browser');
  if (context === undefined) return;
  const origin = await servePage(t);
  const world = await World.start(t, { flags: { origins: origin, 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const open = async (id: string, other: string): Promise<Page> => {
    const page = await context.newPage();
    const details = { id, other, token: userToken(id), url: world.daemon.url, key: API_KEY };
    await page.goto(`${origin}/#${encodeURIComponent(JSON.stringify(details))}`);
    await textOf(page, '#state', 'open');
    return page;
  };

  const ann = await open('ann', 'bob');
  await textOf(ann, '#user-bob', 'offline');
  const bob = await open('bob', 'ann');
  await textOf(ann, '#user-bob', 'online');
  await textOf(ann, '#user-bob', 'BOB');
  await textOf(bob, '#user-ann', 'online');

  await bob.evaluate("client.update({ set: { name: 'Bobby', mood: 'merry' } })");
  await textOf(ann, '#user-bob', 'merry');
  await ann.evaluate("client.partialUpdateUser({ id: 'ann', set: { mood: 'calm' } })");
  await textOf(bob, '#user-ann', 'calm');
  const found = await ann.evaluate(
    "client.queryUsers({ id: { $in: ['ann', 'bob'] } }, { id: 1 }).then(({ users }) => users.map(({ id, mood }) => [id, mood]))",
  );
  assert.deepEqual(found, [
    ['ann', 'calm'],
    ['bob', 'merry'],
  ]);

  const pictures = await mkdtemp(join(tmpdir(), 'rosterd-screenshots-'));
  await ann.screenshot({ path: join(pictures, 'ann.png') });
  await bob.screenshot({ path: join(pictures, 'bob.png') });
  t.diagnostic(`screenshots in ${pictures}`);

  await bob.close();
  await textOf(ann, '#user-bob', 'offline');
  const events = await ann.locator('#events li').allTextContents();
  // Coming has no place among the changes of the record; everything after it waited for what was before.
  assert.deepEqual(events.slice(0, 2).sort(), ['user.presence.changed bob', 'user.updated bob']);
  assert.deepEqual(events.slice(2), ['user.updated bob', 'user.updated ann', 'user.presence.changed bob']);
});
