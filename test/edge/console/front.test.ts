/** CO14: the first page of the daemon. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frontPage } from '../../../daemon/edge/console/front.ts';
import { askConsole } from '../../support/http/console-kit.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

test('CO14 GET / tells a browser where to go, and a program in JSON', async () => {
  const world = httpWorld();
  const page = await askConsole(world, 'GET', '/', { headers: BROWSER });
  assert.equal(page.status, 200);
  assert.match(String(page.headers['content-type']), /^text\/html/);
  assert.match(page.text, /href="console\/"/);
  assert.match(page.text, /href="openapi.json"/);
  assert.match(page.text, /npx rosterd console/);
  for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }] as Record<string, string>[]) {
    const { status, body } = await askConsole(world, 'GET', '/', { headers });
    assert.equal(status, 200);
    assert.deepEqual([body.name, body.console, body.openapi], ['rosterd', 'console/', 'openapi.json']);
  }
});

test('CO14 it does not name a console that is not there for the one who asks', async () => {
  const world = httpWorld();
  const from = { remoteAddress: '192.0.2.1' };
  assert.doesNotMatch((await askConsole(world, 'GET', '/', { headers: BROWSER, ...from })).text, /console/);
  assert.equal((await askConsole(world, 'GET', '/', from)).body.console, undefined);
  assert.doesNotMatch(frontPage({ hasConsole: true }), /<script|<style| style=/, 'CO9 nothing that its policy forbids');
});
