/** Tokens: TK1–TK8. The signature is computed here with node:crypto, as the edge does. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { isUserId } from '../../../protocol/base/ids.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import {
  callerOf,
  checkClaims,
  devCallerOf,
  encodeToken,
  isDevToken,
  isRevoked,
  parseToken,
  type TokenClaims,
} from '../../../protocol/base/tokens.ts';

const sign = (signed: string): string => createHmac('sha256', 'secret').update(signed).digest('base64url');
const part = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const HEADER = part({ alg: 'HS256', typ: 'JWT' });

function token(claims: unknown, header = HEADER): string {
  const signed = `${header}.${part(claims)}`;
  return `${signed}.${sign(signed)}`;
}

function assertRefused(kind: ErrorKind, act: () => unknown, text?: string): void {
  assert.throws(act, (error) => error instanceof RosterError && error.kind === kind, text);
}

test('TK1 a token that was made can be read, and its signature is over what was signed', () => {
  const text = encodeToken({ user_id: 'zoë', iat: 1_700_000_000, role: 'admin' }, sign);
  const { claims, signed, signature } = parseToken(text);
  assert.equal(claims.user_id, 'zoë');
  assert.equal(claims.iat, 1_700_000_000);
  assert.equal(signature, sign(signed));
  assert.equal(`${signed}.${signature}`, text);
});

test('TK2 only HS256 is a signature', () => {
  for (const header of [{ alg: 'none' }, { alg: 'RS256' }, { alg: 'hs256' }, { alg: null }, { typ: 'JWT' }, {}]) {
    assertRefused('token_signature', () => parseToken(token({ user_id: 'ann' }, part(header))), JSON.stringify(header));
  }
});

test('TK3 only the strict compact form is a token', () => {
  const good = token({ user_id: 'ann' });
  const wrong = ['', '.', '..', 'a.b', `${good}.x`, `${good}=`, ` ${good}`, good.replace('.', '..'), `${HEADER}.${part('{')}.AAAA`];
  wrong.push(`${HEADER}.${part('[]')}.AAAA`, `${HEADER}.${part('null')}.AAAA`, `${HEADER}.AAAAA.AAAA`, `${HEADER}.+/+/.AAAA`);
  wrong.push(`${HEADER}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.AAAA`);
  for (const text of wrong) assertRefused('token_signature', () => parseToken(text), text);
});

test('TK4 claims have types, and unknown ones are ignored', () => {
  assert.equal(parseToken(token({ user_id: 'ann', channel_cids: ['a'], color: { deep: true } })).claims.user_id, 'ann');
  for (const claims of [{ user_id: 1 }, { user_id: 'ann', exp: '1' }, { user_id: 'ann', iat: '1' }, { user_id: 'ann', nbf: [] }]) {
    assertRefused('auth', () => parseToken(token(claims)), JSON.stringify(claims));
  }
  assertRefused('auth', () => parseToken(token('{"user_id":"ann","exp":1e999}')));
});

test('TK5 exp, nbf and iat are kept with a leeway', () => {
  const now = 1_700_000_000;
  const leeway = LIMITS.tokenLeewayS;
  const check = (claims: TokenClaims) => checkClaims(claims, now * 1000);
  check({ user_id: 'ann' });
  check({ exp: now - leeway + 1, nbf: now + leeway, iat: now + leeway });
  assertRefused('token_expired', () => check({ exp: now - leeway }));
  assertRefused('token_not_yet', () => check({ nbf: now + leeway + 1 }));
  assertRefused('token_iat', () => check({ iat: now + leeway + 1 }));
});

test('TK6 a token speaks for the server, for a user or for nobody in particular', () => {
  assert.deepEqual(callerOf({ server: true }), { kind: 'server' });
  assert.deepEqual(callerOf({ server: 'true' }), { kind: 'server' });
  assert.deepEqual(callerOf({ server: true, user_id: 'ann' }), { kind: 'server' });
  assert.deepEqual(callerOf({ user_id: '!anon' }), { kind: 'anonymous' });
  assert.deepEqual(callerOf({ user_id: 'ann' }), { kind: 'user', id: 'ann' });
  assert.deepEqual(callerOf({ user_id: 'ann', iat: 1, exp: 2, server: false }), { kind: 'user', id: 'ann', iat: 1, exp: 2 });
  assert.deepEqual(callerOf({ server: true, exp: 7 }), { kind: 'server', exp: 7 });
  const scope = { resource: 'feed', action: '*', feedId: '*' };
  assert.deepEqual(callerOf({ resource: 'feed', user_id: 'ann' }), { kind: 'server', scope });
  assert.deepEqual(callerOf({ resource: 'feed', action: 'read', feed_id: 'userann', exp: 7 }), {
    ...{ kind: 'server', exp: 7 },
    scope: { ...scope, action: 'read', feedId: 'userann' },
  });
  for (const claims of [{}, { user_id: '' }, { server: 'yes' }, { server: 1 }]) assertRefused('auth', () => callerOf(claims));
  // A claim that is only on the prototype, or looks like it, grants nothing.
  assertRefused('auth', () => callerOf(parseToken(token('{"__proto__":{"server":true}}')).claims));
});

test('TK7 a stamp revokes tokens that are older or do not say when they were issued', () => {
  assert.equal(isRevoked(undefined, undefined), false);
  assert.equal(isRevoked(1, undefined), false);
  assert.equal(isRevoked(undefined, 1), true);
  assert.equal(isRevoked(9, 10_000_000), true);
  assert.equal(isRevoked(10, 10_000_000), false);
  assert.equal(isRevoked(10, 10_000_001), true);
});

test('TK2 a header that names another algorithm is refused before its signature is looked at', () => {
  for (const alg of ['HS384', 'HS512', 'ES256', 'PS256', 'None', 'NONE', '', 'HS256 ', ['HS256'], 256, true]) {
    assertRefused('token_signature', () => parseToken(token({ user_id: 'ann' }, part({ alg, typ: 'JWT' }))), JSON.stringify(alg));
  }
  assertRefused('token_signature', () => parseToken(token({ user_id: 'ann' }, part('{"__proto__":{"alg":"HS256"}}'))));
  const unsigned = `${part({ alg: 'none' })}.${part({ server: true })}.`;
  assertRefused('token_signature', () => parseToken(unsigned));
  assertRefused('token_signature', () => parseToken(`${HEADER}.${part({ server: true })}.`));
  assert.equal(parseToken(token({ user_id: 'ann' }, part({ alg: 'HS256', kid: '1' }))).claims.user_id, 'ann');
});

test('TK3 padding, other alphabets, white space and claims that are no object are not a token', () => {
  const [, payload = '', signature = ''] = token({ user_id: 'ann' }).split('.');
  const padded = Buffer.from('{"user_id":"an"}').toString('base64');
  assert.match(padded, /=$/);
  for (const wrong of [padded, `${payload} `, `${payload}\n`, '!!!!', 'YQ', part('"text"'), part('7'), part('true'), part('')]) {
    assertRefused('token_signature', () => parseToken(`${HEADER}.${wrong}.${signature}`), wrong);
  }
  for (const wrong of ['', `${signature}=`, `${signature}\n`, 'a+b/', ' ']) {
    assertRefused('token_signature', () => parseToken(`${HEADER}.${payload}.${wrong}`), JSON.stringify(wrong));
  }
});

test('TK4 the refusal names the claim', () => {
  for (const claims of [{ user_id: 7 }, { exp: '1' }, { iat: null }, { nbf: true }]) {
    const [name = ''] = Object.keys(claims);
    assert.throws(
      () => parseToken(token(claims)),
      (error) => error instanceof RosterError && error.spec.code === 5 && error.message.startsWith(`the token's claim ${name} `),
    );
  }
});

test('TK5 the edges of the leeway are exact to the millisecond', () => {
  const at = 1_700_000_000;
  const check = (claims: TokenClaims, nowMs: number) => checkClaims(claims, nowMs);
  check({ exp: at }, (at + 5) * 1_000 - 1);
  assertRefused('token_expired', () => check({ exp: at }, (at + 5) * 1_000));
  check({ nbf: at }, (at - 5) * 1_000);
  assertRefused('token_not_yet', () => check({ nbf: at }, (at - 5) * 1_000 - 1));
  check({ iat: at }, (at - 5) * 1_000);
  assertRefused('token_iat', () => check({ iat: at }, (at - 5) * 1_000 - 1));
  assertRefused('token_expired', () => check({ exp: 0 }, at * 1_000), 'an exp of 0 is one');
  assertRefused('token_expired', () => check({ exp: at - 100, iat: at + 100 }, at * 1_000), 'expiry comes first');
});

test('TK6 nothing but true and "true" makes a server of a caller, not even the user "*"', () => {
  for (const server of [false, 'false', 'TRUE', '1', 1, [true], { true: true }, null]) {
    assert.deepEqual(callerOf({ server, user_id: 'ann' }), { kind: 'user', id: 'ann' }, JSON.stringify(server));
  }
  assert.deepEqual(callerOf({ user_id: '*' }), { kind: 'user', id: '*' });
  assert.equal(isUserId('*'), false, 'which no chat route lets through');
  assert.deepEqual(callerOf({ user_id: '!anon', iat: 1 }), { kind: 'anonymous' });
});

test('TK7 a stamp within a second revokes what was issued at its beginning', () => {
  assert.equal(isRevoked(10, 10_500_000), true);
  assert.equal(isRevoked(11, 10_500_000), false);
  assert.equal(isRevoked(10.5, 10_500_000), false);
  assert.equal(isRevoked(0, 0), false);
  assert.equal(isRevoked(undefined, 0), true);
});

test('TK8 what is encoded here is what node encodes and signs', () => {
  const claims = { user_id: 'zoë 🎉', server: false, nested: { list: [1, '+/='] } };
  const text = encodeToken(claims, sign);
  const [header = '', payload = '', signature] = text.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' });
  assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString()), claims);
  assert.equal(signature, createHmac('sha256', 'secret').update(`${header}.${payload}`).digest('base64url'));
  assert.equal(text, token(claims));
});

test('TK2 a header that asks for more than a plain JWT is refused with the reason', () => {
  const told = (header: object): string => {
    try {
      parseToken(token({ user_id: 'ann' }, part({ alg: 'HS256', ...header })));
    } catch (error) {
      assert.ok(error instanceof RosterError && error.kind === 'token_signature');
      return error.message;
    }
    return 'accepted';
  };
  for (const [header, expected] of [
    [{ crit: [] }, 'the token header has crit; no extension is supported'],
    [{ crit: ['b64'], b64: false }, 'the token header has crit; no extension is supported'],
    [{ b64: false }, 'the token header has b64; only true is supported'],
    [{ b64: 'true' }, 'the token header has b64; only true is supported'],
    [{ b64: true }, 'accepted'],
    [{ typ: 'JOSE' }, 'the token header has a typ that is not JWT'],
    [{ typ: 'xjwt' }, 'the token header has a typ that is not JWT'],
    [{ typ: 'jwt2' }, 'the token header has a typ that is not JWT'],
    [{ typ: 7 }, 'the token header has a typ that is not JWT'],
    [{ typ: null }, 'the token header has a typ that is not JWT'],
    [{ typ: 'jwt' }, 'accepted'],
    [{ typ: 'application/at+JWT' }, 'accepted'],
    [{ cty: 'JWT' }, 'the token header has cty; nested tokens are not supported'],
    [{}, 'accepted'],
  ] as const) {
    assert.equal(told(header), expected, JSON.stringify(header));
  }
});

test('AU10 a development token is good for a user or nobody, and never for a server', () => {
  assert.deepEqual(devCallerOf({ user_id: 'ann', iat: 5 }), { kind: 'user', id: 'ann', iat: 5, isDev: true });
  assert.deepEqual(devCallerOf({ user_id: '!anon' }), { kind: 'anonymous' });
  for (const claims of [{ server: true }, { user_id: 'ann', server: 'true' }, { resource: '*' }]) {
    assert.throws(
      () => devCallerOf(claims),
      (error) =>
        error instanceof RosterError && error.kind === 'token_signature' && error.message === 'a development token is good for users only',
    );
  }
  const [header = '', payload = ''] = token({ user_id: 'ann' }).split('.');
  assert.deepEqual(
    [isDevToken(parseToken(`${header}.${payload}.devtoken`)), isDevToken(parseToken(token({ user_id: 'ann' })))],
    [true, false],
  );
});

test('TK6 a scoped token has the scope that it names, and everything where it names none', () => {
  assert.deepEqual(callerOf({ resource: 'feed' }), { kind: 'server', scope: { resource: 'feed', action: '*', feedId: '*' } });
  const scope = { resource: 'feed', action: 'read', feedId: 'userann' };
  assert.deepEqual(callerOf({ resource: 'feed', action: 'read', feed_id: 'userann', exp: 7 }), { kind: 'server', scope, exp: 7 });
  assert.deepEqual(callerOf({ server: 'true', exp: 7, resource: 'feed' }), { kind: 'server', exp: 7 });
  for (const claims of [{}, { user_id: '' }, { server: false }, { server: 1 }]) {
    assert.throws(() => callerOf(claims), { message: 'the token has neither a user_id nor a server claim', kind: 'auth' });
  }
});
