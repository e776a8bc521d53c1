/** The door of the console: CO2–CO5, CO7, CO10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGN_IN_IDLE_MS, SIGN_IN_MS } from '../../../protocol/access/sign-ins.ts';
import { doorAt, newCode, OWN_PAGE } from '../../support/http/console-kit.ts';
import { refusedFor } from '../../support/http/refusal.ts';

const socket = { remoteAddress: '127.0.0.1' };
type Request = Parameters<ReturnType<typeof doorAt>['door']['admitLive']>[0];
const request = (headers: Record<string, string>): Request => ({ headers: { host: 'localhost', ...headers }, socket }) as Request;
const withCookie = (setCookie: string, headers: Record<string, string> = OWN_PAGE): Request =>
  request({ ...headers, cookie: `other=1; ${setCookie.split(';')[0]}` });

test('CO3 the cookie is for the console alone, hidden from scripts and other sites, and over TLS for TLS only', async () => {
  const plain = await doorAt().door.signIn(newCode('read'));
  assert.match(plain.cookie, /^rosterd_console=[\w.-]+; Path=\/console; HttpOnly; SameSite=Strict$/);
  const tls = await doorAt({ hasTls: true }).door.signIn(newCode('read'));
  assert.match(tls.cookie, /; Path=\/console; HttpOnly; SameSite=Strict; Secure$/);
  const behind = await doorAt({ publicUrl: 'https://example.com/roster' }).door.signIn(newCode('read'));
  assert.match(behind.cookie, /; Path=\/roster\/console; HttpOnly; SameSite=Strict; Secure$/);
});

test('CO2 a code works once, also for two who send it at the same time', async () => {
  const { door } = doorAt();
  const code = newCode('operate');
  const ended = await Promise.allSettled([door.signIn(code), door.signIn(code), door.signIn(code)]);
  assert.deepEqual(ended.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
});

test('CO4 a sign-in ends when it is not used, after its time, and when it is ended; use renews it', async () => {
  const world = doorAt();
  const { door, backend } = world;
  const { cookie, signIn } = await door.signIn(newCode('operate'));
  assert.equal(door.signedIn(withCookie(cookie)).id, signIn.id);
  assert.equal(door.renewal(withCookie(cookie)), undefined, 'it is new enough');
  world.nowMs += SIGN_IN_IDLE_MS - 1;
  const renewed = door.renewal(withCookie(cookie)) ?? '';
  world.nowMs += 1;
  assert.throws(() => door.signedIn(withCookie(cookie)), refusedFor('auth', /rosterd console/));
  assert.equal(door.signedIn(withCookie(renewed)).id, signIn.id);
  await backend.submit({ kind: 'sign-out' }, 'live');
  assert.throws(() => door.signedIn(withCookie(renewed)), refusedFor('token_expired', /has ended/));
  assert.equal(door.renewal(withCookie(renewed)), undefined);

  const other = doorAt();
  let { cookie: kept } = await other.door.signIn(newCode('read'));
  for (let used = 0; used < SIGN_IN_MS; used += SIGN_IN_IDLE_MS / 2) {
    assert.equal(other.door.signedIn(withCookie(kept)).role, 'read');
    other.nowMs += SIGN_IN_IDLE_MS / 2;
    kept = other.door.renewal(withCookie(kept)) ?? kept;
  }
  // The sign-in was made a millisecond after its code.
  other.nowMs += 1;
  assert.throws(() => other.door.signedIn(withCookie(kept)), refusedFor('token_expired'), 'however much it was used');
});

test('CO4 signing out ends the sign-in, for every copy of its cookie, and removes the cookie', async () => {
  const { door } = doorAt();
  const { cookie } = await door.signIn(newCode('operate'));
  assert.match(await door.signOut(withCookie(cookie)), /^rosterd_console=; Max-Age=0; Path=\/console;/);
  assert.throws(() => door.signedIn(withCookie(cookie)), refusedFor('token_expired'));
  assert.match(await door.signOut(request({})), /Max-Age=0/, 'without one there is nothing to end');
});

test('CO4 a node that has not heard of a sign-in yet asks before it turns a browser away', async () => {
  const first = doorAt();
  const { cookie } = await first.door.signIn(newCode('read'));
  const second = doorAt();
  second.backend.current = async () => {
    await second.backend.submit({ kind: 'sign-in', id: (await first.door.comeBack(withCookie(cookie))).signIn.id, role: 'read' }, 'live');
  };
  assert.equal((await second.door.comeBack(withCookie(cookie))).signIn.role, 'read');
});

test('CO5 a call comes from the page itself: its header, and no other origin or site', async () => {
  const { door } = doorAt();
  const { cookie } = await door.signIn(newCode('operate'));
  const read = { method: 'GET', operation: 'QueryUsers' } as const;
  const admit = (headers: Record<string, string>) => door.admit(read, withCookie(cookie, headers));
  assert.deepEqual(admit(OWN_PAGE), { kind: 'server' });
  assert.deepEqual(admit({ 'x-rosterd-console': '1' }), { kind: 'server' }, 'an old browser says less');
  for (const headers of [
    {},
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost' },
    { ...OWN_PAGE, 'sec-fetch-site': 'same-site' },
    { ...OWN_PAGE, 'sec-fetch-site': 'cross-site' },
    { ...OWN_PAGE, 'sec-fetch-site': 'none' },
    { ...OWN_PAGE, origin: 'http://evil.localhost' },
    { ...OWN_PAGE, origin: 'null' },
    { ...OWN_PAGE, origin: 'http://localhost:8080' },
  ])
    assert.throws(() => admit(headers), refusedFor('not_allowed'), JSON.stringify(headers));
  assert.throws(() => door.admit(read, request(OWN_PAGE)), refusedFor('auth'));
});

test('CO7 the sign-in is named in the history of what it changes', async () => {
  const { door } = doorAt();
  const { cookie, signIn } = await door.signIn(newCode('operate'));
  assert.equal(door.nameOf(withCookie(cookie)), `rosterd console, sign-in ${signIn.id}`);
  assert.equal(door.nameOf(request({})), undefined);
});

test('CO10 a live connection of the console is admitted by its cookie, from its own page, and ends with the sign-in', async () => {
  const world = doorAt({ mode: 'loopback' });
  const { door, backend } = world;
  const { cookie } = await door.signIn(newCode('read'));
  const refusalOf = (asked: Request): unknown => {
    const welcome = door.admitLive(asked);
    return 'refusal' in welcome ? welcome.refusal : undefined;
  };
  const origin = { origin: 'http://localhost' };
  assert.equal(refusalOf(request(origin)), '401 Unauthorized');
  assert.equal(refusalOf(withCookie(cookie, {})), '403 Forbidden', 'every browser names the origin of a WebSocket');
  assert.equal(refusalOf(withCookie(cookie, { origin: 'http://evil.localhost' })), '403 Forbidden');
  assert.equal(refusalOf(withCookie(cookie, { ...origin, 'x-forwarded-for': '192.0.2.1' })), '404 Not Found');
  const welcome = door.admitLive(withCookie(cookie, origin));
  assert.ok('authenticator' in welcome);
  const caller = welcome.authenticator.authenticate({ apiKey: undefined, token: undefined });
  assert.ok(caller.kind === 'server');
  assert.equal(caller.exp, (world.nowMs + SIGN_IN_IDLE_MS) / 1_000);
  await backend.submit({ kind: 'sign-out' }, 'live');
  assert.equal(caller.exp, 0);
});
