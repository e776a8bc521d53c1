/** CO45: tokens for users, made on request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askConsole, OWN_PAGE, signedIn } from '../../support/http/console-kit.ts';
import { fakeServices, httpWorld, NOW_MS } from '../../support/http/fake-backend.ts';

const claimsOf = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const nowS = Math.floor(NOW_MS / 1_000);

test('CO45 a token is for one user and never for a server; it ends in a day, after a time, or never', async () => {
  const world = httpWorld();
  for (const [body, exp] of [
    [{ user_id: 'ann' }, nowS + 86_400],
    [{ user_id: 'ann', lifetime_s: 60 }, nowS + 60],
    [{ user_id: 'ann', lifetime_s: 'never' }, undefined],
    [{ user_id: 'ann', server: true, role: 'admin' }, nowS + 86_400],
  ] as const) {
    const { status, body: answer } = await world.send('POST', '/api/v2/user_tokens', { body });
    assert.equal(status, 201, JSON.stringify(answer));
    assert.deepEqual(claimsOf(answer.token), { user_id: 'ann', iat: nowS, ...(exp === undefined ? {} : { exp }) });
    assert.equal(answer.expires_at, exp === undefined ? undefined : exp * 1e9);
  }
  for (const [body, path] of [
    [{}, 'user_id'],
    [{ user_id: 'a/b' }, 'user_id'],
    [{ user_id: '__proto__' }, 'user_id'],
    [{ user_id: 'ann', lifetime_s: 0 }, 'lifetime_s'],
    [{ user_id: 'ann', lifetime_s: 1e12 }, 'lifetime_s'],
    [{ user_id: 'ann', lifetime_s: '1d' }, 'lifetime_s'],
  ] as const) {
    const { status, text } = await world.send('POST', '/api/v2/user_tokens', { body });
    assert.equal(status, 400, text);
    assert.match(text, new RegExp(`"path":"${path}"`), text);
  }
});

test('CO45 the answer says what is known of the user', async () => {
  const world = httpWorld();
  const state = async (id: string): Promise<string> =>
    (await world.send('POST', '/user_tokens', { body: { user_id: id } })).body.user_state;
  assert.equal(await state('ann'), 'unknown');
  await world.send('POST', '/api/v2/users', { body: { users: { ann: { id: 'ann' } } } });
  assert.equal(await state('ann'), 'active');
  await world.send('POST', '/api/v2/users/ann/deactivate', { body: {} });
  assert.equal(await state('ann'), 'deactivated');
  await world.send('DELETE', '/users/ann');
  assert.equal(await state('ann'), 'deleted');
});

test('CO45 it is written down who made a token for whom; a sign-in with the role read makes none', async () => {
  const made: unknown[] = [];
  const world = httpWorld({ services: { ...fakeServices(), noteToken: (one) => made.push(one) } });
  const asked = { headers: OWN_PAGE, body: { user_id: 'ann', lifetime_s: 60 } };
  const url = '/console/api/api/v2/user_tokens';
  assert.equal((await askConsole(world, 'POST', url, { ...asked, cookie: await signedIn(world, 'read') })).status, 403);
  assert.deepEqual(made, []);
  assert.equal((await askConsole(world, 'POST', url, { ...asked, cookie: await signedIn(world, 'operate') })).status, 201);
  const [{ user, client, exp } = { user: '', client: '', exp: 0 }] = made as { user: string; client: string; exp: number }[];
  assert.deepEqual([user, exp, made.length], ['ann', nowS + 60, 1]);
  assert.match(client, /^rosterd console, sign-in [\w-]{22}$/);
});
