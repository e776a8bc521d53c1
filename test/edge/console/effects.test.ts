/** CO6: what a sign-in with the role `read` may call, over every route. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectOf, isForConsole } from '../../../daemon/edge/console/effects.ts';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { askConsole, OWN_PAGE, signedIn } from '../../support/http/console-kit.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

const routes = ROUTES.filter(isForConsole);
/** A path of the route, with a user who exists. */
const pathOf = (path: string): string => `/console/api${path.replace(/:id\b/, 'ann').replaceAll(/:\w+/g, 'ann')}`;

test('CO6 with the role read every route that writes is refused before anything is done, and every other one writes nothing', async () => {
  const world = httpWorld();
  await world.send('POST', '/api/v2/users', { body: { users: { ann: { id: 'ann' } } } });
  const cookie = await signedIn(world, 'read');
  const before = world.backend.commands.length;
  const tried = { reads: 0, writes: 0 };
  for (const { method, path, operation } of routes) {
    const effect = effectOf({ method, operation });
    tried[effect]++;
    const { status, text } = await askConsole(world, method, pathOf(path), {
      ...{ headers: OWN_PAGE, cookie },
      ...(method === 'GET' ? undefined : { body: {} }),
    });
    const name = `${method} ${path}`;
    if (effect === 'writes') {
      assert.equal(status, 403, name);
      assert.match(text, /role \\"read\\"/, name);
    } else assert.ok(status !== 401 && status !== 403, `${name}: ${status} ${text.slice(0, 200)}`);
    assert.equal(world.backend.commands.length, before, `${name} wrote something`);
  }
  assert.ok(tried.reads > 40 && tried.writes > 60, JSON.stringify(tried));
});

test('CO6 with the role operate no route is refused for its role, and without a sign-in every one is', async () => {
  const world = httpWorld();
  const cookie = await signedIn(world, 'operate');
  for (const { method, path } of routes) {
    const asked = { headers: OWN_PAGE, ...(method === 'GET' ? undefined : { body: {} }) };
    const { status, text } = await askConsole(world, method, pathOf(path), { ...asked, cookie });
    // Signing itself out is among them.
    if (path.endsWith('/sign_ins')) continue;
    assert.ok(!text.includes('role \\"'), `${method} ${path}: ${status} ${text.slice(0, 200)}`);
    // Feeds have one status for every caller that is not admitted.
    const refused = path.startsWith('/api/v1.0') ? 403 : 401;
    assert.equal((await askConsole(world, method, pathOf(path), asked)).status, refused, `${method} ${path}`);
  }
});

test('CO6 what needs no sign-in, and stand-ins, are not there', async () => {
  const world = httpWorld();
  const cookie = await signedIn(world, 'operate');
  for (const { method, path } of ROUTES.filter((route) => !isForConsole(route)))
    assert.equal((await askConsole(world, method, pathOf(path), { headers: OWN_PAGE, cookie })).status, 404, `${method} ${path}`);
});
