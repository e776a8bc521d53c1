/** US13: a server that is not rosterd is compared with the source, and teams are a set there, too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMPARE } from '../../../daemon/sync/plan/judge.ts';

/** The changes that COMPARE finds for a user in the source, when the server shows this one. */
function changes(shown: object | undefined, sent: object): unknown {
  const json = JSON.stringify({ id: 'ann', ...sent });
  const batch = [{ line: 1, id: 'ann', json, bytes: json.length }];
  const users = shown === undefined ? [] : [{ id: 'ann', ...shown }];
  const { lines, unchanged } = COMPARE.read(batch, { status: 200, header: () => undefined, body: { users }, text: '' });
  const [line] = lines;
  return line !== undefined && 'changes' in line ? line.changes : unchanged;
}

test('US13 a plan against another server finds no change in the order of teams, and one in a list of custom data', () => {
  assert.equal(changes({ teams: ['red', 'blue'] }, { teams: ['blue', 'red', 'blue'] }), 1);
  assert.equal(changes({}, { teams: [] }), 1);
  assert.deepEqual(changes({ teams: ['red'] }, { teams: ['blue', 'red'] }), { teams: [['red'], ['blue', 'red']] });
  assert.deepEqual(changes({ tags: ['a', 'b'] }, { tags: ['b', 'a'] }), {
    'custom.tags': [
      ['a', 'b'],
      ['b', 'a'],
    ],
  });
  assert.deepEqual(changes(undefined, { teams: ['red'] }), { teams: [null, ['red']] });
});
