/** RQ12, US12: the bounds of teams and of data, to the last one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

const teams = (count: number): string[] => Array.from({ length: count }, (_, n) => `team${n}`);

/** The fields that are wrong with a user in these teams; empty when it is accepted. */
function wrong(...names: readonly string[]): string[] {
  const bench = new Bench();
  const write = (): unknown => bench.upsert([{ id: 'ann', teams: names }]);
  try {
    write();
    assert.deepEqual(bench.user('ann').teams, names);
    return [];
  } catch {
    return (refusal(write).fields ?? []).map(({ path }) => path);
  }
}

test('RQ12 a user is in as many teams as allowed and in none more, and each has a name of at most so many bytes', () => {
  assert.deepEqual(wrong(...teams(LIMITS.teamsPerUser)), []);
  assert.deepEqual(wrong(...teams(LIMITS.teamsPerUser + 1)), ['users[ann].teams']);
  assert.deepEqual(wrong('x'.repeat(LIMITS.teamBytes)), []);
  assert.deepEqual(wrong('red', 'x'.repeat(LIMITS.teamBytes + 1)), ['users[ann].teams[1]']);
  assert.deepEqual(wrong('ü'.repeat(LIMITS.teamBytes / 2), 'ü'.repeat(LIMITS.teamBytes / 2 + 1)), ['users[ann].teams[1]']);
  assert.deepEqual(wrong('', 'red', '__proto__'), ['users[ann].teams[0]', 'users[ann].teams[2]']);
});

test('US12 a client may store up to its bound, and keep a record that a server made larger, up to that of a server', () => {
  const sized = (bytes: number): { book: string } => ({ book: 'x'.repeat(bytes - JSON.stringify({ custom: { book: '' } }).length) });
  const bench = new Bench();
  const refused = (act: () => unknown): unknown => refusal(act).fields?.map(({ path }) => path);
  bench.connect('ann', { custom: sized(LIMITS.clientUserBytes) });
  assert.deepEqual(
    refused(() => bench.connect('ann', { custom: sized(LIMITS.clientUserBytes + 1) })),
    ['user'],
  );
  bench.patch('ann', sized(LIMITS.serverUserBytes));
  assert.deepEqual(
    refused(() => bench.patch('ann', sized(LIMITS.serverUserBytes + 1))),
    ['users[ann]'],
  );
  // A client changes what a server made large, and from then on it is as bound as before.
  bench.connect('ann', { custom: { book: 'y'.repeat(LIMITS.clientUserBytes) } });
  bench.connect('ann', { custom: { book: 'short' } });
  assert.deepEqual(
    refused(() => bench.connect('ann', { custom: sized(LIMITS.clientUserBytes + 1) })),
    ['user'],
  );
});
