/** Codes and cookies of the console: CO1, CO3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import { signToken } from '../../../daemon/edge/sign-token.ts';
import { LINK_MS, SIGN_IN_IDLE_MS } from '../../../protocol/access/sign-ins.ts';
import { refusedFor } from '../../support/http/refusal.ts';

const SECRET = 'a-secret-that-signs-tokens-and-more';
const seals = new Seals(SECRET);

test('CO1 a code is good for five minutes, on every node with the secret, and each is another', () => {
  const code = seals.newCode('read', 1_000);
  const { id, role } = new Seals(SECRET).openCode(code, 1_000 + LINK_MS - 1);
  assert.equal(role, 'read');
  assert.match(id, /^[\w-]{22}$/);
  assert.equal(seals.openCode(code, 1_000).id, id, 'the same sign-in, however often it is sent');
  assert.notEqual(seals.openCode(seals.newCode('read', 1_000), 1_000).id, id);
  assert.throws(() => seals.openCode(code, 1_000 + LINK_MS), refusedFor('auth', /too old/));
  assert.throws(() => new Seals('another').openCode(code, 1_000), refusedFor('auth', /not made for this directory/));
});

test('CO1 no change to a code, no token and no cookie passes for one, and none has two spellings', () => {
  const code = seals.newCode('operate', 1_000);
  const [body = '', mac = ''] = code.split('.');
  const forged = Buffer.from(JSON.stringify({ role: 'operate', exp: 1e15, nonce: '' })).toString('base64url');
  const texts = [
    ...['', '.', body, `${body}.`, `.${mac}`, `${code}.`, `${code}=`, `${code} `, `${forged}.${mac}`, `${body}.${'A'.repeat(mac.length)}`],
    ...[seals.cookie({ id: 'x', seenMs: 1_000 }), signToken({ server: true }, SECRET), 'x'.repeat(1e6)],
  ];
  // The last character of a base64url text has bits to spare: other characters stand for the same bytes.
  for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
    if (!code.endsWith(last)) texts.push(code.slice(0, -1) + last);
  }
  for (const text of texts) assert.throws(() => seals.openCode(text, 1_000), refusedFor('auth'), text.slice(0, 80));
});

test('CO3 a cookie says who it is and when it was used, and ends when it is not used', () => {
  const cookie = seals.cookie({ id: 'one', seenMs: 5_000 });
  assert.deepEqual(seals.openCookie(cookie, 5_000), { id: 'one', seenMs: 5_000 });
  assert.equal(seals.openCookie(cookie, 5_000 + SIGN_IN_IDLE_MS), undefined);
  assert.equal(new Seals('another').openCookie(cookie, 5_000), undefined);
  for (const text of ['', cookie.slice(1), `${cookie}x`, seals.newCode('operate', 5_000)])
    assert.equal(seals.openCookie(text, 5_000), undefined);
});
