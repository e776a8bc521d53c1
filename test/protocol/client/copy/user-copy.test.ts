/** Parts of the client without a daemon: errors (CL31), HTTP (CL32), tokens (CL33), digest (CL34) and the local copy (CL35–CL38). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { digest } from '../../../../protocol/base/digest.ts';
import { ERRORS, RosterError, renderChatError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { HttpCaller } from '../../../../protocol/client/api/http-caller.ts';
import { adviceFor, RosterClientError, refusal } from '../../../../protocol/client/client-error.ts';
import { UserCopy } from '../../../../protocol/client/copy/user-copy.ts';
import { FRAME_BYTES, SUBPROTOCOL } from '../../../../protocol/client/link/socket.ts';
import { TokenKeeper } from '../../../../protocol/client/tokens/token-keeper.ts';
import type { LiveUser, UserEvent } from '../../../../protocol/client/types.ts';
import { renderFeedsError } from '../../../../protocol/feeds/errors.ts';
import { LIVE_SUBPROTOCOL } from '../../../../protocol/live/client-frames.ts';

test('CL31 the advice of every error is that of the closed list, and every error of any dialect becomes one class', () => {
  for (const { code, status, retry } of Object.values(ERRORS)) assert.equal(adviceFor(code, status), retry, `${code} ${status}`);
  assert.equal(adviceFor(-1, 0), 'later');
  const error = new RosterError('input', 'wrong', [{ path: 'users[ann].role', message: 'is wrong' }]);
  const chat = refusal(renderChatError(error, 'UpdateUsers', '1ms'));
  assert.deepEqual([chat.code, chat.status, chat.retry], [4, 400, 'no']);
  assert.deepEqual(chat.errors, [{ code: 4, path: 'users[ann].role', message: 'is wrong' }]);
  const feeds = refusal(renderFeedsError(error, '1ms'), 400);
  assert.deepEqual([feeds.code, feeds.status, feeds.message], [4, 400, 'wrong']);
  assert.deepEqual(feeds.errors, [{ path: 'users[ann].role', message: 'is wrong' }]);
  const foreign = refusal('<html>', 502);
  assert.deepEqual([foreign.code, foreign.status, foreign.retry], [-1, 502, 'later']);
});

test('CL31 what the bundle repeats of the schemas is what they say', () => {
  assert.deepEqual([SUBPROTOCOL, FRAME_BYTES], [LIVE_SUBPROTOCOL, LIMITS.frameBytes]);
});

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

test('CL33 callers that need a token at the same time share one question; one that failed is asked again', async () => {
  let asked = 0;
  const tokens = new TokenKeeper(() => (++asked === 1 ? Promise.reject(new Error('down')) : Promise.resolve(`t${asked}`)));
  await assert.rejects(Promise.all([tokens.current(), tokens.current()]), /down/);
  assert.deepEqual(await Promise.all([tokens.current(), tokens.renew(), tokens.current()]), ['t2', 't2', 't2']);
  assert.equal(await tokens.current(), 't2');
  tokens.replace('by hand');
  assert.deepEqual([await tokens.current(), asked], ['by hand', 2]);
});

test('CL34 the digest depends on ids and revisions, not on the order, and tells near sets apart', () => {
  const users = Array.from({ length: 50 }, (_, n) => ({ id: `u${n}`, rev: n * 3 }));
  assert.equal(digest(users), digest([...users].reverse()));
  const seen = new Set([digest(users), digest([])]);
  for (const [at, user] of users.entries()) {
    seen.add(digest(users.toSpliced(at, 1)));
    seen.add(digest(users.with(at, { ...user, rev: user.rev + 1 })));
    seen.add(digest(users.with(at, { ...user, id: `${user.id}x` })));
  }
  assert.equal(seen.size, 152);
  assert.equal(digest([]), '0-0000000000000000');
  // As documented: computed by hand with another implementation.
  assert.match(digest([{ id: 'ann', rev: 1 }]), /^1-[0-9a-f]{16}$/);
});

function user(id: string, rev: number, more: Partial<LiveUser> = {}): LiveUser {
  const fixed = { role: 'user', teams: [], custom: {}, created_at: '', updated_at: '', online: false, banned: false, invisible: false };
  return { id, rev, ...fixed, ...more };
}

interface Told {
  readonly type?: string;
  readonly match?: 'enter' | 'stay' | 'leave';
}

function copyWith(...specs: readonly Record<string, unknown>[]): {
  copy: UserCopy;
  changed: string[];
  tell: (seq: number, id: string, sub: string[], told?: Told) => void;
} {
  const changed: string[] = [];
  const copy = new UserCopy((ids) => changed.push(...ids));
  for (const spec of specs) copy.begin(spec as { sub: string });
  const tell = (seq: number, id: string, sub: string[], told: Told = {}): void => {
    const event: UserEvent = { type: 'user.updated', seq, created_at: '', user: user(id, seq), sub, ...told };
    const names = copy.concerned(event);
    if (names.length > 0) copy.apply(event, names);
  };
  return { copy, changed, tell };
}

const idsOf = (copy: UserCopy): string[] => [...copy.users.values()].map(({ id, rev }) => `${id}:${rev}`).sort();

test('CL35 events that overtake a snapshot win over it, deletes too, and no record is replaced by an older one', () => {
  const { copy, tell } = copyWith({ sub: 'all', all: true });
  tell(12, 'ann', ['all']);
  tell(13, 'bob', ['all'], { type: 'user.deleted' });
  copy.page('all', 10, [user('ann', 5), user('bob', 6), user('carl', 7)]);
  tell(14, 'dora', ['all'], { type: 'user.deleted' });
  copy.page('all', 10, [user('dora', 8), user('eve', 9)]);
  assert.deepEqual(copy.end('all').gone, []);
  assert.deepEqual(idsOf(copy), ['ann:12', 'carl:7', 'eve:9']);
  tell(15, 'bob', ['all']);
  assert.deepEqual(idsOf(copy), ['ann:12', 'bob:15', 'carl:7', 'eve:9']);
});

test('CL35 a new snapshot takes out who is gone; events from before its position do not count', () => {
  const { copy, tell, changed } = copyWith({ sub: 'some', ids: ['ann', 'bob'] });
  copy.page('some', 10, [user('ann', 5), user('bob', 6)]);
  copy.end('some');
  copy.begin({ sub: 'some', ids: ['ann', 'carl'] });
  tell(11, 'bob', ['some']);
  copy.page('some', 12, [user('ann', 5), user('carl', 7)]);
  assert.deepEqual(copy.end('some'), { users: [user('ann', 5), user('carl', 7)], gone: ['bob'] });
  assert.deepEqual(idsOf(copy), ['ann:5', 'carl:7']);
  assert.deepEqual(changed, ['ann', 'bob', 'bob', 'carl', 'bob']);
  tell(12, 'ann', ['some']);
  assert.deepEqual(idsOf(copy), ['ann:5', 'carl:7'], 'an event that the snapshot had in it');
  copy.remove('some');
  assert.deepEqual(idsOf(copy), []);
});

test('CL36 over several filters, a user stays exactly as long as one of them holds it', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { y: 1 } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  // It left a and stays in b, or the other way round.
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.deepEqual(idsOf(copy), ['ann:11']);
  tell(12, 'ann', ['b'], { match: 'leave' });
  assert.deepEqual(idsOf(copy), [], 'a was not named, so it did not hold the user');
  tell(13, 'ann', ['a'], { match: 'enter' });
  tell(14, 'ann', ['a', 'b'], { match: 'leave' });
  assert.deepEqual(idsOf(copy), []);
});

test('CL36 where only perhaps some filter holds a user, it is asked again', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { online: true } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.equal(copy.doubtful.length, 2);
  copy.presence({ type: 'user.presence.changed', seq: 11, created_at: '', user: user('ann', 11), sub: ['b'], match: 'leave' });
  assert.deepEqual(
    copy.doubtful.map(({ sub }) => sub),
    ['a'],
  );
  copy.begin({ sub: 'a', filter: { x: 1 } });
  copy.page('a', 12, []);
  assert.deepEqual(copy.end('a').gone, ['ann']);
  assert.deepEqual([copy.doubtful, idsOf(copy)], [[], []]);
});

test('CL37 presence sets who is online without touching the record, and a state begins the list anew', () => {
  const { copy, changed } = copyWith({ sub: 'all', all: true, presence: true });
  copy.page('all', 10, [user('ann', 5), user('bob', 6, { online: true }), user('carl', 7, { online: true })]);
  copy.end('all');
  changed.length = 0;
  copy.presence({ type: 'user.presence.changed', seq: 10, created_at: '', user: user('ann', 5, { online: true }), sub: ['all'] });
  copy.presenceState(['all'], ['carl'], true);
  copy.presenceState(['all'], ['bob', 'nobody'], false);
  assert.deepEqual(
    [...copy.users.values()]
      .filter(({ online }) => online)
      .map(({ id }) => id)
      .sort(),
    ['bob', 'carl'],
  );
  assert.deepEqual(changed, ['ann', 'ann', 'bob', 'bob']);
});

test('CL38 in another history lower revisions are newer', () => {
  const { copy, tell } = copyWith({ sub: 'all', all: true });
  copy.page('all', 100, [user('ann', 90), user('bob', 91)]);
  copy.end('all');
  copy.forgetHistory();
  copy.begin({ sub: 'all', all: true });
  tell(3, 'ann', ['all']);
  copy.page('all', 2, [user('ann', 1)]);
  assert.deepEqual(copy.end('all').gone, ['bob']);
  assert.deepEqual(idsOf(copy), ['ann:3']);
});

test('CL38 what a late subscription missed is told to it and not again to the others', () => {
  const { copy } = copyWith({ sub: 'all', all: true }, { sub: 'late', ids: ['ann'], snapshot: false });
  copy.page('all', 10, [user('ann', 5)]);
  copy.end('all');
  copy.follow('late', 10);
  copy.holdBack(20, 'late');
  const concerned = (seq: number) =>
    copy.concerned({ type: 'user.updated', seq, created_at: '', user: user('ann', seq), sub: ['all', 'late'] });
  assert.deepEqual(concerned(15), ['late']);
  assert.deepEqual(concerned(21), ['all', 'late']);
});

test('CL36 an event that also names a filter that was ended meanwhile says nothing certain about the others', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { y: 1 } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  copy.remove('b');
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.deepEqual(
    copy.doubtful.map(({ sub }) => sub),
    ['a'],
  );
  copy.begin({ sub: 'a', filter: { x: 1 } });
  copy.page('a', 12, []);
  assert.deepEqual(copy.end('a').gone, ['ann']);
});
