/** RN7–RN9, RN12: what a refusal says of the users of a batch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf, readRefusal } from '../../daemon/sync/refusal.ts';
import { replyOf } from '../../daemon/sync/transport.ts';

const BATCH = [{ id: 'ann' }, { id: 'bob' }, { id: 'long-name-1' }, { id: 'long-name-2' }, { id: 'other-name' }];

function read(status: number, body: unknown): unknown {
  const refusal = readRefusal(replyOf(status, typeof body === 'string' ? body : JSON.stringify(body)), BATCH);
  if (refusal.kind !== 'named') return [refusal.kind, refusal.reason];
  return [...refusal.reasons].map(([id, { code, reason }]) => `${id} ${code} ${reason}`);
}

test('RN7 each user that the answer names has its code and every reason', () => {
  const errors = [
    { path: 'users[ann].role', code: 4, message: 'must be text' },
    { path: 'users[ann].name', code: 6, message: 'is taken' },
    { path: 'users[bob]', code: 16, message: 'was deleted' },
    { path: 'users[stranger]', code: 4, message: 'is in no batch' },
    { path: 'body', code: 4, message: 'names no user' },
    { message: 'has no path' },
  ];
  assert.deepEqual(read(400, { code: 4, message: 'no', errors }), ['ann 4 role: must be text; name: is taken', 'bob 16 was deleted']);
  assert.deepEqual(
    read(400, { code: 4, errors: [{ path: 'users[ann]' }] }),
    ['ann 4 refused'],
    'the code of the answer, where none is given',
  );
  assert.deepEqual(read(400, { errors: [{ path: 'users[ann]' }] }), ['ann 400 refused']);
});

test('RN7 an id that was cut names its user when it can be no other', () => {
  const named = (name: string): unknown =>
    read(400, { code: 4, message: 'm', errors: [{ path: `users[${name}]`, code: 4, message: 'bad' }] });
  assert.deepEqual(named('other…'), ['other-name 4 bad']);
  assert.deepEqual(named('long…'), ['unnamed', { code: 4, reason: 'm' }]);
  assert.deepEqual(named('nobody…'), ['unnamed', { code: 4, reason: 'm' }]);
  assert.deepEqual(named('othe'), ['unnamed', { code: 4, reason: 'm' }]);
});

test('RN8 `exception_fields` name users where `errors` name none', () => {
  const exception_fields = { 'users[bob].role': 'does not exist' };
  assert.deepEqual(read(400, { code: 4, message: 'm', exception_fields }), ['bob 4 role: does not exist']);
  const errors = [{ path: 'users[ann]', code: 4, message: 'bad' }];
  assert.deepEqual(read(400, { code: 4, errors, exception_fields }), ['ann 4 bad']);
});

test('RN9 RN12 without a name, the code decides whether some user is the cause or nothing can succeed', () => {
  for (const code of [4, 6, 16, 22]) assert.deepEqual(read(400, { code, message: 'm' }), ['unnamed', { code, reason: 'm' }]);
  for (const code of [2, 5, 17, 40, 43, 99]) assert.deepEqual(read(401, { code, message: 'm' }), ['fatal', 'the daemon answers 401: m']);
  for (const status of [400, 413, 422]) assert.deepEqual(read(status, 'plain text'), ['unnamed', { code: status, reason: 'plain text' }]);
  for (const status of [401, 403, 404, 405, 500])
    assert.deepEqual(read(status, '<html>'), ['fatal', `the daemon answers ${status}: <html>`]);
});

test('RN7 a message is one line of a printable length', () => {
  const of = (text: string): string => messageOf(replyOf(400, text));
  assert.equal(of('{"message":"m"}'), 'm');
  assert.equal(of('  a\n\n b\t'), 'a b');
  assert.equal(of(''), 'no explanation');
  assert.equal(of('{"message":7}'), '{"message":7}');
  assert.equal(of('x'.repeat(1_000)), 'x'.repeat(1_000));
  assert.equal(of('x'.repeat(1_001)), `${'x'.repeat(1_000)}…`);
});
