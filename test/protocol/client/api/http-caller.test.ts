/** The client's calls without a daemon: what is tried again (CL32), one question for many of them (CL33), forms of sorting (CL56), what may be handed in (CL57). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FeedsClient, type FeedsUser } from '../../../../protocol/client/api/feeds.ts';
import { HttpCaller } from '../../../../protocol/client/api/http-caller.ts';
import { RosterClientError } from '../../../../protocol/client/client-error.ts';
import { RosterClient } from '../../../../protocol/client/roster-client.ts';
import { TokenKeeper } from '../../../../protocol/client/tokens/token-keeper.ts';
import type { AppUser, LiveUser, SortField } from '../../../../protocol/client/types.ts';

const HOST = { url: 'http://host:1', apiKey: 'key' };

interface Sent {
  readonly url: URL;
  readonly token: string | undefined;
  readonly body: unknown;
}

/** Keeps what is sent, and answers it. */
function answering(t: TestContext, answer: (sent: Sent) => Promise<Response> | Response = () => new Response('{}')): Sent[] {
  const all: Sent[] = [];
  t.mock.method(globalThis, 'fetch', async (url: string, { headers, body }: { headers: Record<string, string>; body?: string }) => {
    const sent = { url: new URL(url), token: headers.authorization, body: body === undefined ? undefined : JSON.parse(body) };
    all.push(sent);
    return await answer(sent);
  });
  return all;
}

const expired = (): Response => new Response('{"code":40,"message":"expired"}', { status: 401 });

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Types of an application, which have no index signature. */
interface Member {
  readonly id: string;
  readonly name: string;
  readonly address: { readonly city: string };
}

interface Wish {
  readonly id: string;
}

/** Whether a value of the type `Value` may be handed in where `Place` is asked for. */
type Fits<Value, Place> = [Value] extends [Place] ? true : false;

type First<Call extends (...args: never[]) => unknown> = Parameters<Call>[0];

const subscribable: Fits<
  { readonly sub: string; readonly ids: readonly string[]; readonly filter: Wish },
  First<RosterClient['subscribe']>
> = true;

const connectable: readonly [
  Fits<LiveUser, First<RosterClient['connectUser']>>,
  Fits<AppUser, First<RosterClient['setGuestUser']>>,
  Fits<Member, First<RosterClient['connectUser']>>,
] = [true, true, true];

interface Scripted {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** Answers calls one after the other, and keeps what was sent. */
function scriptFetch(t: TestContext, answers: readonly (Scripted | Error)[]) {
  const sent: { url: URL; method: string; headers: Record<string, string> }[] = [];
  const left = [...answers];
  t.mock.method(globalThis, 'fetch', (url: string, { method, headers }: { method: string; headers: Record<string, string> }) => {
    sent.push({ url: new URL(url), method, headers });
    const next = left.shift();
    if (next === undefined) throw new Error('nothing more was expected');
    if (next instanceof Error) return Promise.reject(next);
    const text = typeof next.body === 'string' ? next.body : JSON.stringify(next.body ?? {});
    return Promise.resolve(new Response(text, { status: next.status, ...(next.headers ? { headers: next.headers } : {}) }));
  });
  return sent;
}

const caller = (tokens?: TokenKeeper, retry?: { attempts?: number; maxWaitMs?: number }) =>
  new HttpCaller({ url: 'ws://host:1/', apiKey: 'key', ...(retry ? { retry } : {}) }, () => tokens);

const busy = { status: 429, headers: { 'Retry-After': '0' }, body: { code: 9, message: 'slow down' } };

test('CL33 calls whose one token has expired ask for one new token, however late they hear of it', async (t) => {
  let made = 0;
  const tokens = new TokenKeeper(() => `t${++made}`);
  let calls = 0;
  const sent = answering(t, async ({ token }) => {
    // Every refusal comes in a turn of its own.
    for (let turns = calls++; turns > 0; turns--) await turn();
    return token === 't1' ? expired() : new Response('{}');
  });
  const http = new HttpCaller(HOST, () => tokens);
  await tokens.current();
  await Promise.all(Array.from({ length: 20 }, () => http.call('GET', '/x')));
  assert.deepEqual([made, sent.length], [2, 40]);
});

test('CL33 a token that is no good is renewed, one that came meanwhile is taken', async () => {
  let made = 0;
  const tokens = new TokenKeeper(() => `t${++made}`);
  assert.equal(await tokens.renew('unknown'), 't1');
  assert.equal(await tokens.renew('t1'), 't2');
  assert.equal(await tokens.renew('t1'), 't2');
  assert.equal(await tokens.renew(), 't3');
});

test('CL55 calls do not wait for ever for a token, and what comes too late is not held', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let answer = (_token: string): void => {};
  let asked = 0;
  const tokens = new TokenKeeper(() => {
    asked++;
    return asked === 1 ? new Promise((resolve) => (answer = resolve)) : 'new';
  });
  const first = tokens.current();
  first.catch(() => {});
  await turn();
  t.mock.timers.tick(20_000);
  await assert.rejects(first, { name: 'RosterClientError', retry: 'later' });
  assert.equal(await tokens.current(), 'new');
  answer('old');
  await turn();
  assert.deepEqual([await tokens.current(), asked], ['new', 2]);
});

test('CL56 every call that sorts takes a field and its direction, one or many, and the form of the wire', async (t) => {
  const sent = answering(t);
  const client = new RosterClient(HOST);
  const forms: readonly (SortField | SortField[])[] = [
    { created_at: -1 },
    [{ created_at: -1 }],
    { field: 'created_at', direction: -1 },
    [{ field: 'created_at', direction: -1 }],
  ];
  for (const form of forms) {
    await client.queryBannedUsers({}, form);
    await client.queryUsers({}, form);
  }
  for (const { url } of sent) {
    const { sort } = JSON.parse(url.searchParams.get('payload') ?? '');
    assert.deepEqual(sort, [{ field: 'created_at', direction: -1 }]);
  }
  assert.equal(sent.length, 8);
});

test('CL57 what the library hands out, and types of the application, may be handed in (the types are the test)', async (t) => {
  const sent = answering(t);
  const client = new RosterClient(HOST);
  const live: LiveUser = {
    id: 'ann',
    rev: 1,
    role: 'user',
    teams: ['a'],
    custom: { book: 'dune' },
    created_at: '',
    updated_at: '',
    online: false,
    banned: false,
    invisible: false,
  };
  const app: AppUser = {
    id: 'bob',
    role: 'user',
    teams: [],
    language: '',
    created_at: '',
    updated_at: '',
    online: false,
    banned: false,
    shadow_banned: false,
    invisible: false,
    blocked_user_ids: [],
    devices: [],
    mutes: [],
    book: 'dune',
  };
  const member: Member = { id: 'carl', name: 'Carl', address: { city: 'Delft' } };
  const wish: Wish = { id: 'carl' };
  await client.upsertUsers([live, app, member, { id: 'dora', book: 'dune' }, { ...member, custom: member.address }]);
  await client.upsertUser(member);
  await client.partialUpdateUser({ id: 'carl', set: member.address });
  await client.queryUsers(wish);
  await client.sendUserCustomEvent('carl', { type: 'moved', city: 'Delft' });
  await client.updateAppSettings(member.address);
  const feeds = new FeedsClient(HOST, 'token');
  await feeds.user('carl').update(member);
  await feeds.feed('user', 'carl').addActivity(member.address);
  assert.equal(sent.length, 8);
  assert.deepEqual(sent[0]?.body, { users: [live, app, member, { id: 'dora', book: 'dune' }, { ...member, custom: member.address }] });
  assert.deepEqual([subscribable, ...connectable], [true, true, true, true]);
});

test('CL57 a known field of another type is still refused by the compiler', async (t) => {
  answering(t);
  const client = new RosterClient(HOST);
  // @ts-expect-error: a name is a text.
  await client.upsertUser({ id: 'ann', name: 5 });
  // @ts-expect-error: a user has an id.
  await client.upsertUser({ name: 'Ann' });
  const written: Fits<FeedsUser['data'], First<RosterClient['upsertUser']>> = false;
  assert.equal(written, false);
});

test('CL32 a call refused for its rate is tried again, as often and as long as allowed', async (t) => {
  const sent = scriptFetch(t, [busy, busy, { status: 200, body: { ok: 1 } }, busy, busy, { ...busy, headers: { 'Retry-After': '60' } }]);
  const token = new TokenKeeper('token');
  assert.deepEqual(await caller(token).call('GET', '/x', { query: { a: 1, b: undefined } }), { ok: 1 });
  assert.equal(sent.length, 3);
  assert.equal(sent[0]?.url.href, 'http://host:1/x?api_key=key&a=1');
  assert.deepEqual([sent[0]?.headers.authorization, sent[0]?.headers['stream-auth-type']], ['token', 'jwt']);
  await assert.rejects(caller(token, { attempts: 1 }).call('GET', '/x'), (error) => {
    assert.ok(error instanceof RosterClientError);
    assert.deepEqual([error.code, error.status, error.retry, error.retryAfterMs], [9, 429, 'later', 0]);
    return true;
  });
  await assert.rejects(caller(token).call('GET', '/x'), (error) => error instanceof RosterClientError && error.retryAfterMs === 60_000);
  assert.equal(sent.length, 6);
});

test('CL32 an expired token is renewed once; nobody calls as an anonymous user; no answer is an error of the same class', async (t) => {
  const expired = { status: 401, body: { code: 40, message: 'expired' } };
  const sent = scriptFetch(t, [
    expired,
    { status: 200 },
    expired,
    expired,
    { status: 200 },
    new Error('refused'),
    { status: 200, body: 'x' },
  ]);
  let made = 0;
  const tokens = new TokenKeeper(() => `t${++made}`);
  await caller(tokens).call('GET', '/x');
  await assert.rejects(caller(tokens).call('GET', '/x'), (error) => error instanceof RosterClientError && error.code === 40);
  await caller().call('POST', '/guest', { body: {} });
  assert.deepEqual(
    sent.map(({ headers }) => headers.authorization ?? headers['stream-auth-type']),
    ['t1', 't2', 't2', 't3', 'anonymous'],
  );
  const isUnanswered = (error: unknown) => error instanceof RosterClientError && error.status === 0 && error.retry === 'later';
  await assert.rejects(caller().call('GET', '/x'), isUnanswered);
  await assert.rejects(caller().call('GET', '/x'), isUnanswered);
});

/** The positions that the calls named. */
const namedBy = (sent: readonly { headers: Record<string, string> }[]): (string | undefined)[] =>
  sent.map(({ headers }) => headers['x-rosterd-position']);
const answered = (position: string): Scripted => ({ status: 201, headers: { 'X-Rosterd-Position': position } });

test('CL72 reads name the position of the newest own write, and writes name none', async (t) => {
  const sent = scriptFetch(t, [{ status: 200 }, answered('e:7'), answered('e:5'), { status: 200 }, answered('e:9'), { status: 200 }]);
  const http = caller();
  for (const method of ['GET', 'POST', 'PATCH', 'GET', 'DELETE', 'GET'] as const) await http.call(method, '/x');
  assert.deepEqual(namedBy(sent), [undefined, undefined, undefined, 'e:7', undefined, 'e:9']);
  http.wrote({ epoch: 'e', seq: 8 });
  http.wrote({ epoch: 'e', seq: 12 });
  const more = scriptFetch(t, [{ status: 200 }, answered('f:1'), { status: 200 }]);
  for (const method of ['GET', 'POST', 'GET'] as const) await http.call(method, '/x');
  assert.deepEqual(namedBy(more), ['e:12', undefined, 'f:1'], 'another history counts anew');
});

test('CL72 a read of an old position, and the position of a backup that was read, is not taken for a write', async (t) => {
  const sent = scriptFetch(t, [{ status: 200, headers: { 'X-Rosterd-Position': 'e:7' } }, { status: 200 }]);
  const http = caller();
  for (let n = 0; n < 2; n++) await http.call('GET', '/backup');
  assert.deepEqual(namedBy(sent), [undefined, undefined]);
});

test('CL72 a position that no longer exists is forgotten, and the read repeated once', async (t) => {
  const gone = { code: 4, message: 'x', errors: [{ path: 'x-rosterd-position', message: 'is of another history' }] };
  const feedsGone = { code: 4, detail: 'x', exception_fields: { 'x-rosterd-position': ['is of another history'] } };
  for (const body of [gone, feedsGone]) {
    const sent = scriptFetch(t, [answered('e:7'), { status: 400, body }, { status: 200, body: { ok: 1 } }, { status: 400, body }]);
    const http = caller();
    await http.call('POST', '/x');
    assert.deepEqual(await http.call('GET', '/x'), { ok: 1 });
    await assert.rejects(http.call('GET', '/x'), (error) => error instanceof RosterClientError && error.status === 400);
    assert.deepEqual(namedBy(sent), [undefined, 'e:7', undefined, undefined]);
  }
});
