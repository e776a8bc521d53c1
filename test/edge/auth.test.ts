import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CallerCredentials, createAuthenticator } from '../../daemon/edge/auth.ts';
import { type ErrorKind, RosterError } from '../../protocol/base/errors.ts';
import { HARD_OPTIONS } from '../../protocol/users/delete-options.ts';
import { API_KEY, API_SECRET, FakeBackend, NOW_MS, SERVER_TOKEN, signed, userToken } from '../support/http/fake-backend.ts';

const NOW_S = NOW_MS / 1000;

function world() {
  const backend = new FakeBackend();
  const clock = { nowMs: NOW_MS };
  const { directory } = backend;
  const authenticator = createAuthenticator({ apiKey: API_KEY, apiSecret: API_SECRET, directory, now: () => clock.nowMs });
  const admit = (token: string | undefined, more: Partial<CallerCredentials> = {}) =>
    authenticator.authenticate({ apiKey: API_KEY, token, ...more });
  return { backend, clock, authenticator, admit };
}

function refused(kind: ErrorKind, act: () => unknown, reason?: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof RosterError, String(error));
    assert.equal(error.kind, kind);
    if (reason !== undefined) assert.match(error.message, reason);
    return true;
  });
}

const SERVER = { kind: 'server' } as const;

describe('authenticate', () => {
  it('AU1 server tokens of Go and PHP, user tokens, with or without Bearer', () => {
    const { admit } = world();
    assert.deepEqual(admit(SERVER_TOKEN), SERVER);
    assert.deepEqual(admit(signed({ server: 'true' })), SERVER);
    assert.deepEqual(admit(`Bearer ${SERVER_TOKEN}`), SERVER);
    assert.deepEqual(admit(` bearer  ${SERVER_TOKEN} `), SERVER);
    assert.deepEqual(admit(userToken('ann')), { kind: 'user', id: 'ann' });
    assert.deepEqual(admit(userToken('ann', { iat: 5, exp: NOW_S + 60, role: 'admin' })), {
      kind: 'user',
      id: 'ann',
      iat: 5,
      exp: NOW_S + 60,
    });
    assert.deepEqual(admit(userToken('!anon')), { kind: 'anonymous' });
  });

  it('AU2 unknown or missing api key, another auth type: code 2', () => {
    const { admit } = world();
    for (const apiKey of [undefined, '', 'kez', 'key2', 'ke'])
      refused('api_key', () => admit(SERVER_TOKEN, { apiKey }), /api_key not valid/);
    refused('api_key', () => admit(SERVER_TOKEN, { authType: 'anonymous' }), /stream-auth-type/);
    for (const authType of [undefined, '', 'jwt', 'JWT']) assert.deepEqual(admit(SERVER_TOKEN, { authType }), SERVER);
  });

  it('AU3 a missing or endless token: code 5', () => {
    const { admit } = world();
    for (const token of [undefined, '', 'Bearer ', '  ']) refused('auth', () => admit(token), /missing/);
    refused('auth', () => admit('x'.repeat(9_000)), /longer than/);
  });

  it('AU4 algorithm none, RS256, HS512, a wrong secret, a changed claim, a cut signature: code 43', () => {
    const { admit } = world();
    const claims = { user_id: 'ann' };
    const [head, body, signature] = userToken('ann').split('.');
    const evil = Buffer.from('{"user_id":"bob"}').toString('base64url');
    const bad = [
      signed(claims, { header: { alg: 'none' } }),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
      signed(claims, { header: { alg: 'RS256', typ: 'JWT' } }),
      signed(claims, { header: { alg: 'HS512' }, hash: 'sha512' }),
      signed(claims, { secret: 'wrong' }),
      `${head}.${evil}.${signature}`,
      `${head}.${body}.${signature?.slice(0, -1)}`,
      `${head}.${body}.${signature}=`,
      `${head}.${body}`,
      'nonsense',
      '..',
    ];
    for (const token of bad) refused('token_signature', () => admit(token));
  });

  it('AU5 times, with five seconds of leeway: expired 40, not yet 41, issued in the future 42', () => {
    const { admit } = world();
    admit(userToken('ann', { exp: NOW_S - 4, nbf: NOW_S + 4, iat: NOW_S + 4 }));
    refused('token_expired', () => admit(userToken('ann', { exp: NOW_S - 6 })));
    refused('token_not_yet', () => admit(userToken('ann', { nbf: NOW_S + 6 })));
    refused('token_iat', () => admit(userToken('ann', { iat: NOW_S + 6 })));
  });

  it('AU6 a token that was verified before is still judged by its times', () => {
    const { admit, clock } = world();
    const token = userToken('ann', { exp: NOW_S + 10 });
    admit(token);
    admit(token);
    clock.nowMs += 20_000;
    refused('token_expired', () => admit(token));
  });

  it('AU7 claims that name nobody, or no possible user', () => {
    const { admit } = world();
    refused('auth', () => admit(signed({})));
    refused('auth', () => admit(signed({ user_id: '' })));
    refused('auth', () => admit(signed({ user_id: 5 })));
    for (const id of ['a b', '__proto__', 'x'.repeat(256)]) refused('auth', () => admit(userToken(id)), /not a user id/);
  });

  it('AU8 revocation, of one user and of all; tokens without iat count as older; server tokens are exempt', async () => {
    const { admit, authenticator, backend } = world();
    const before = userToken('ann', { iat: NOW_S - 10 });
    const after = userToken('ann', { iat: NOW_S });
    await backend.submit({ kind: 'upsert', actor: SERVER, users: [{ id: 'ann', custom: {} }], problems: [] }, 'live');
    admit(before);
    await backend.submit({ kind: 'settings', set: { revoke_tokens_issued_before: NOW_MS * 1000 } }, 'live');
    refused('token_expired', () => admit(before), /revoked/);
    refused('token_expired', () => admit(userToken('unknown')), /revoked/);
    admit(after);
    assert.deepEqual(admit(SERVER_TOKEN), SERVER);
    // A live connection holds the caller and asks again.
    refused('token_expired', () => authenticator.recheck({ kind: 'user', id: 'ann', iat: NOW_S - 10 }), /revoked/);
    refused('token_expired', () => authenticator.recheck({ kind: 'user', id: 'ann' }), /revoked/);
    authenticator.recheck({ kind: 'user', id: 'ann', iat: NOW_S });
    authenticator.recheck(SERVER);
    await backend.submit({ kind: 'settings', set: { revoke_tokens_issued_before: null } }, 'live');
    admit(before);
  });

  it('AU9 a deactivated caller: 17; a deleted one: 16, also after a hard delete', async () => {
    const { admit, backend } = world();
    const users = ['ann', 'bob', 'cem'].map((id) => ({ id, custom: {} }));
    await backend.submit({ kind: 'upsert', actor: SERVER, users, problems: [] }, 'live');
    await backend.submit({ kind: 'deactivate', ids: ['ann'], options: {} }, 'live');
    await backend.submit({ kind: 'delete', ids: ['bob'], mode: 'soft', options: {} }, 'live');
    await backend.submit({ kind: 'delete', ids: ['cem'], mode: 'hard', options: HARD_OPTIONS }, 'live');
    refused('not_allowed', () => admit(userToken('ann')), /^the user ann was deactivated$/);
    refused('not_found', () => admit(userToken('bob')), /^the user bob was deleted$/);
    refused('not_found', () => admit(userToken('cem')), /^the user cem was deleted$/);
  });

  it('AU10 development tokens: users only, and only while the application lets them in; their times and revocation count', async () => {
    const { admit, authenticator, backend } = world();
    const dev = (claims: object, header: object = { alg: 'HS256', typ: 'JWT' }) =>
      `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.devtoken`;
    const turn = (isOn: boolean) => backend.submit({ kind: 'settings', set: { disable_auth_checks: isOn } }, 'live');
    const ann = dev({ user_id: 'ann' });
    refused('token_signature', () => admit(ann));
    await turn(true);
    const caller = admit(ann);
    assert.deepEqual(caller, { kind: 'user', id: 'ann', isDev: true });
    authenticator.recheck(caller);
    for (const claims of [{ server: true }, { server: 'true', user_id: 'ann' }, { resource: '*', action: '*', feed_id: '*' }]) {
      refused('token_signature', () => admit(dev(claims), { mayBeScoped: true }), /users only/);
    }
    refused('auth', () => admit(dev({})));
    refused('auth', () => admit(dev({ user_id: 'a b' })));
    refused('token_signature', () => admit(dev({ user_id: 'ann' }, { alg: 'none' })));
    // Only the very word is one: nothing else that is not signed is let in, and a token is still needed.
    for (const word of ['devtoke', 'devtokens', 'DEVTOKEN', 'x']) refused('token_signature', () => admit(`${ann.slice(0, -8)}${word}`));
    refused('token_signature', () => admit(signed({ user_id: 'ann' }, { secret: 'wrong' })));
    refused('auth', () => admit(undefined), /missing/);
    refused('token_expired', () => admit(dev({ user_id: 'ann', exp: NOW_S - 60 })));
    await turn(false);
    refused('token_signature', () => admit(ann));
    refused('token_signature', () => authenticator.recheck(caller));
    await turn(true);
    await backend.submit({ kind: 'settings', set: { revoke_tokens_issued_before: NOW_MS * 1000 } }, 'live');
    refused('token_expired', () => admit(ann), /revoked/);
  });
});
