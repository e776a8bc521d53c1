/** PN6, PN9, SS6, SS16, SS18: a row becomes a user to send, or an error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValueRow } from '../../daemon/sync/rows.ts';
import { decodeSent, inexactProblems, invalidUser, misplacedProblems, rowCheck } from '../../daemon/sync/source-user.ts';
import { parseExact } from '../../protocol/base/exact-numbers.ts';

const same = { map: (value: unknown) => ({ value }) };
const check = (row: Partial<ValueRow>, team?: string) => rowCheck(same, team)({ line: 3, value: undefined, ...row });

test('PN6 the text of a row is sent as it is, unless fields are in it that only the daemon sets', () => {
  const user = { id: 'ann', name: 'Zoë' };
  const text = '{ "id": "ann", "name": "Zoë" }';
  assert.deepEqual(check({ value: user, text }), { line: 3, id: 'ann', json: text, bytes: text.length + 1 });
  const plain = JSON.stringify(user);
  assert.deepEqual(check({ value: user }), { line: 3, id: 'ann', json: plain, bytes: plain.length + 1 });
  for (const field of ['rev', 'created_at', 'online', 'devices', 'revoke_tokens_issued_before']) {
    const found = check({ value: { ...user, [field]: 7 }, text: 'x' });
    assert.ok('json' in found);
    assert.deepEqual(JSON.parse(found.json), user, field);
  }
  const mapped = rowCheck({ map: () => ({ value: user }) })({ line: 3, value: { other: 1 }, text: '{"other":1}' });
  assert.equal('json' in mapped && mapped.json, plain, 'what was mapped is not the row');
});

test('PN9 with a team, only its users are taken, and the reason says which teams the row has', () => {
  const outside = (teams?: readonly string[]): unknown => check({ value: { id: 'ann', ...(teams === undefined ? {} : { teams }) } }, 'red');
  for (const teams of [['red'], ['blue', 'red']]) assert.ok('json' in check({ value: { id: 'ann', teams } }, 'red'));
  const error = (why: string) => ({ line: 3, id: 'ann', code: 'out_of_scope', reason: `the user is outside the scope team=red: ${why}` });
  assert.deepEqual(outside(), error('the row names no team'));
  assert.deepEqual(outside([]), error('the row names no team'));
  assert.deepEqual(outside(['blue', 'green']), error('its teams are "blue", "green"'));
});

test('SS6 an error has the id of the row where it is one, and every problem', () => {
  assert.deepEqual(invalidUser(3, 'ann', ['a', 'b']), { line: 3, id: 'ann', code: 'invalid_user', reason: 'a; b' });
  for (const id of [undefined, 7, '', 'a b']) assert.deepEqual(invalidUser(3, id, ['a']), { line: 3, code: 'invalid_user', reason: 'a' });
  const mapped = rowCheck({ map: () => ({ id: 'bob', problems: ['is wrong'] }) })({ line: 4, value: {} });
  assert.deepEqual(mapped, { line: 4, id: 'bob', code: 'invalid_user', reason: 'is wrong' });
  assert.deepEqual(check({ value: 'text' }), { line: 3, code: 'invalid_user', reason: 'must be object, got string' });
  const problems: string[] = [];
  assert.equal(decodeSent({ id: 'ann', role: 7, name: 8 }, problems), undefined);
  assert.deepEqual(problems, ['name: must be string, got number', 'role: must be string, got number']);
});

test('SS16 a number that would be another one is an error where it is sent, and only there', () => {
  const read = (text: string): unknown => parseExact(text.replaceAll('N', '9007199254740993')).value;
  const says = (at: string): string => `${at}9007199254740993 is too big to be an exact number; write it as text`;
  const value = read('{"id":"ann","deep":{"list":[1,N]}}');
  assert.deepEqual(check({ value, isInexact: true }), { line: 3, id: 'ann', code: 'invalid_user', reason: says('deep.list[1]: ') });
  const sent = read('{"id":N,"rev":N,"revoke_tokens_issued_before":N,"created_at":N,"n":N}');
  assert.deepEqual(inexactProblems(sent), [says('id: '), says('n: ')]);
  assert.deepEqual(inexactProblems(read('N')), [says('')]);
  assert.deepEqual(inexactProblems(read('[1,N]')), [says('[1]: ')]);
});

test('SS18 custom data in an object of its own is never taken for a field of the user and lost', () => {
  const reasonOf = (user: object) => {
    const found = check({ value: { id: 'ann', name: 'Ann', ...user } });
    return 'reason' in found ? found.reason : undefined;
  };
  const problem = (at: string) => `${at}: custom data cannot be called like a field of the user`;
  assert.equal(reasonOf({ custom: { role: 'chief', city: 'Delft' } }), problem('custom.role'));
  assert.equal(
    reasonOf({ custom: { name: 'Zoë', id: 'zoe' }, extra_data: { created_at: 'x' } }),
    [problem('custom.name'), problem('custom.id'), problem('extra_data.created_at')].join('; '),
  );
  for (const nothingLost of [
    { custom: { name: 'Ann', id: 'ann', role: null, city: 'Delft' } },
    { extra_data: { name: 'Ann' } },
    { extra_data: 'role', custom: null },
  ])
    assert.equal(reasonOf(nothingLost), undefined, JSON.stringify(nothingLost));
  assert.deepEqual(misplacedProblems('text'), []);
});
