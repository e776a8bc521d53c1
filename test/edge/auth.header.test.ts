/** AU4: the header of a token asks for nothing but a JWT under HS256, in one spelling. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { RosterError } from '../../protocol/base/errors.ts';
import { hasRepeatedKey } from '../../protocol/base/json.ts';
import { parseToken } from '../../protocol/base/tokens.ts';
import { API_KEY, API_SECRET, httpWorld, signed } from '../support/http/fake-backend.ts';

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64url');
const CLAIMS = '{"server":true}';

/** A token of these texts, rightly signed. */
function tokenOf(header: string, claims = base64(CLAIMS)): string {
  const text = `${header}.${claims}`;
  return `${text}.${createHmac('sha256', API_SECRET).update(text).digest('base64url')}`;
}

const headerOf = (header: string): string => tokenOf(base64(header));

const GOOD: Readonly<Record<string, string>> = {
  plain: headerOf('{"alg":"HS256","typ":"JWT"}'),
  'without a typ': headerOf('{"alg":"HS256"}'),
  'a typ in lower case': headerOf('{"typ":"jwt","alg":"HS256"}'),
  'a typ as a media type': headerOf('{"typ":"application/jwt","alg":"HS256"}'),
  'an explicit type': headerOf('{"typ":"at+jwt","alg":"HS256"}'),
  'a key id, and an unknown parameter': headerOf('{"alg":"HS256","kid":"1","whatever":{"a":[1]}}'),
  'b64 as it is by default': headerOf('{"alg":"HS256","b64":true}'),
  'white space in the JSON': headerOf(' { "alg" : "HS256" }\n'),
};

const bits = base64('{"alg":"HS256"} ');
const BAD: Readonly<Record<string, string>> = {
  'an unknown crit': headerOf('{"alg":"HS256","crit":["x"],"x":1}'),
  'an empty crit': headerOf('{"alg":"HS256","crit":[]}'),
  'a crit that is no list': headerOf('{"alg":"HS256","crit":null}'),
  'crit with b64': headerOf('{"alg":"HS256","crit":["b64"],"b64":false}'),
  'b64 without crit': headerOf('{"alg":"HS256","b64":false}'),
  'b64 that is no boolean': headerOf('{"alg":"HS256","b64":"true"}'),
  'alg twice': headerOf('{"alg":"none","alg":"HS256"}'),
  'alg twice, once escaped': headerOf('{"\\u0061lg":"none","alg":"HS256"}'),
  'a repeated key deeper down': headerOf('{"alg":"HS256","x":{"a":1,"a":2}}'),
  'a claim twice': tokenOf(base64('{"alg":"HS256"}'), base64('{"user_id":"ann","server":true,"server":true}')),
  'alg in lower case': headerOf('{"alg":"hs256"}'),
  'alg with a space': headerOf('{"alg":"HS256 "}'),
  'alg as a list': headerOf('{"alg":["HS256"]}'),
  'alg none': headerOf('{"alg":"none"}'),
  'alg HS384': headerOf('{"alg":"HS384"}'),
  'alg under another name': headerOf('{"Alg":"HS256"}'),
  'no alg': headerOf('{"typ":"JWT"}'),
  'alg of a prototype': headerOf('{"__proto__":{"alg":"HS256"}}'),
  'a typ of an encrypted token': headerOf('{"alg":"HS256","typ":"JWE"}'),
  'a typ that is no text': headerOf('{"alg":"HS256","typ":1}'),
  'a nested token': headerOf('{"alg":"HS256","cty":"JWT"}'),
  'a list': headerOf('["HS256"]'),
  'a text': headerOf('"HS256"'),
  null: headerOf('null'),
  nothing: headerOf(''),
  'not JSON': headerOf('{alg:"HS256"}'),
  'a byte order mark': headerOf('\ufeff{"alg":"HS256"}'),
  'not UTF-8': tokenOf(base64(Buffer.from([...Buffer.from('{"alg":"HS256","x":"'), 0xff, ...Buffer.from('"}')]))),
  padding: tokenOf(Buffer.from('{"alg":"HS256"} ').toString('base64')),
  'the alphabet of base64': tokenOf(Buffer.from('{"alg":"HS256","x":"???>>>"}').toString('base64').replaceAll('=', '')),
  'bits beyond the last byte': tokenOf(`${bits.slice(0, -1)}${nextLetter(bits.slice(-1))}`),
  'one letter too many': tokenOf(`${base64('{"alg":"HS256"}  ')}A`),
  'white space in the base64': tokenOf(`${base64('{"alg":"HS256"}').slice(0, 4)} ${base64('{"alg":"HS256"}').slice(4)}`),
  'a line end in the claims': tokenOf(base64('{"alg":"HS256"}'), `${base64(CLAIMS)}\n`),
  'four parts': `${headerOf('{"alg":"HS256"}')}.x`,
};

/** The letter of base64url whose value is one higher: it differs in the lowest bit. */
function nextLetter(letter: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet.charAt(alphabet.indexOf(letter) ^ 1);
}

test('AU4 headers of plain tokens are accepted', () => {
  for (const [name, token] of Object.entries(GOOD)) assert.equal(parseToken(token).claims.server, true, name);
});

test('AU4 every other header is refused, in every dialect', async () => {
  const { send } = httpWorld();
  assert.equal((await send('GET', '/users', { token: GOOD.plain ?? '' })).status, 200);
  for (const [name, token] of Object.entries(BAD)) {
    assert.throws(
      () => parseToken(token),
      (error) => error instanceof RosterError && error.kind === 'token_signature',
      name,
    );
    // A line end cannot be sent in a header.
    if (token.includes('\n')) continue;
    for (const [path, status, code] of [
      ['/users', 401, 43],
      ['/api/v2/users', 401, 43],
      ['/api/v1.0/user/ann/', 403, 17],
    ] as const) {
      const answer = await send('GET', path, { token, query: { api_key: API_KEY } });
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${name} at ${path}: ${answer.text}`);
    }
  }
  assert.match(signed({}), /\./);
});

test('AU4 repeated keys are found at any depth, and only where they are', () => {
  for (const text of ['{"a":1,"a":1}', '[{"b":{},"a":[],"b":2}]', '{"a":{"x":1},"b":[{"x":1,"\\u0078":2}]}', '{"\\"":1,"\\u0022":2}'])
    assert.equal(hasRepeatedKey(text), true, text);
  for (const text of [
    '{"a":"a","b":["a","a",{"a":"a"}]}',
    '[1,"a","a"]',
    '"a"',
    '{}',
    '{"a":{"a":{"a":1}}}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
  ])
    assert.equal(hasRepeatedKey(text), false, text);
});
