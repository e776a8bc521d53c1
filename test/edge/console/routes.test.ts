/** The paths of the console: CO1, CO5, CO7, CO9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askConsole, newCode, OWN_PAGE, signedIn } from '../../support/http/console-kit.ts';
import { API_SECRET, httpWorld } from '../../support/http/fake-backend.ts';

test('CO9 every answer below /console has the headers that keep other pages and other hosts out', async () => {
  const world = httpWorld();
  const cookie = await signedIn(world, 'read');
  const csp =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  for (const path of [
    '/console',
    '/console/',
    '/console/app.js',
    '/console/sign-in',
    '/console/api/api/v2/users',
    '/console/api/users/x/history',
  ]) {
    const { headers, status } = await askConsole(world, 'GET', path, { headers: OWN_PAGE, cookie });
    assert.equal(headers['content-security-policy'], csp, `${path} ${status}`);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    assert.equal(headers['referrer-policy'], 'no-referrer', path);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path);
    assert.equal(headers['access-control-allow-origin'], undefined, path);
  }
});

test('CO9 the folder of the page is a redirect away, so that it works behind a path; what is said to one browser is kept by none', async () => {
  const world = httpWorld();
  const redirect = await askConsole(world, 'GET', '/console');
  assert.deepEqual([redirect.status, redirect.headers.location], [308, 'console/']);
  const cookie = await signedIn(world, 'read');
  for (const path of ['/console/sign-in', '/console/api/users'])
    assert.equal((await askConsole(world, 'GET', path, { headers: OWN_PAGE, cookie })).headers['cache-control'], 'no-store', path);
});

test('CO1 a code is exchanged by a POST of the page, once; a GET of anything uses nothing up', async () => {
  const world = httpWorld();
  const code = newCode('operate');
  const exchange = (headers: Record<string, string> = OWN_PAGE, body: unknown = { code }) =>
    askConsole(world, 'POST', '/console/sign-in', { headers, body });
  for (const path of ['/console/', '/console/sign-in', `/console/?code=${code}`, `/console/sign-in?code=${code}`])
    await askConsole(world, 'GET', path, { headers: OWN_PAGE });
  assert.equal(world.backend.commands.length, 0);
  assert.equal((await exchange({})).status, 403, 'a form on another page sends no header');
  assert.equal((await exchange({ ...OWN_PAGE, 'sec-fetch-site': 'cross-site' })).status, 403);
  for (const body of [{}, { code: '' }, { code: 1 }, [1]]) {
    const { status, body: answer } = await exchange(OWN_PAGE, body);
    assert.equal(status, 400, JSON.stringify(answer));
  }
  assert.equal((await exchange(OWN_PAGE, { code: 'x'.repeat(9_000) })).status, 413);
  const { status, body, cookie, headers } = await exchange();
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ['api_key', 'ends_at', 'id', 'role']);
  assert.equal(body.role, 'operate');
  assert.match(String(headers['x-rosterd-position']), /^test:\d+$/);
  assert.equal((await exchange()).status, 409);
  const back = await askConsole(world, 'GET', '/console/sign-in', { headers: OWN_PAGE, cookie });
  assert.deepEqual(back.body, body);
  assert.ok(!JSON.stringify([body, headers]).includes(API_SECRET));
});

test('CO5 the console is never open to other origins, even where the API is', async () => {
  const world = httpWorld({ origins: ['*'] });
  const cookie = await signedIn(world, 'operate');
  const headers = { ...OWN_PAGE, origin: 'https://app.example', 'sec-fetch-site': 'cross-site' };
  const { status, headers: answer } = await askConsole(world, 'GET', '/console/api/users', { headers, cookie });
  assert.equal(status, 403);
  assert.equal(answer['access-control-allow-origin'], undefined);
  const preflight = await askConsole(world, 'OPTIONS', '/console/api/users', {
    headers: { origin: 'https://app.example', 'access-control-request-headers': 'x-rosterd-console' },
  });
  assert.ok(!String(preflight.headers['access-control-allow-headers']).includes('x-rosterd-console'));
});

test('CO7 what the console changes has its sign-in as the client', async () => {
  const world = httpWorld();
  const cookie = await signedIn(world, 'operate');
  const { id } = (await askConsole(world, 'GET', '/console/sign-in', { headers: OWN_PAGE, cookie })).body;
  const origins: unknown[] = [];
  const { submit } = world.backend;
  world.backend.submit = (command, lane, origin) => {
    origins.push(origin);
    return submit.call(world.backend, command, lane, origin);
  };
  const body = { users: { ann: { id: 'ann' } } };
  const headers = { ...OWN_PAGE, 'x-stream-client': 'somebody else' };
  assert.equal((await askConsole(world, 'POST', '/console/api/api/v2/users', { headers, cookie, body })).status, 201);
  assert.deepEqual(origins, [{ source: 'server', client: `rosterd console, sign-in ${id}` }]);
});

test('CO4 signing out ends the sign-in of the page', async () => {
  const world = httpWorld();
  const cookie = await signedIn(world, 'read');
  const out = await askConsole(world, 'DELETE', '/console/sign-in', { headers: OWN_PAGE, cookie });
  assert.equal(out.status, 200);
  assert.equal(out.cookie, 'rosterd_console=');
  assert.equal((await askConsole(world, 'GET', '/console/sign-in', { headers: OWN_PAGE, cookie })).status, 401);
});
