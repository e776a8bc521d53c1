/** PN: the summary of a plan. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from '../../../daemon/sync/plan/tally.ts';

function groupsOf(reasons: readonly string[]) {
  const tally = new Tally();
  for (const [index, reason] of reasons.entries()) tally.error({ error: { line: index + 2, code: 'invalid_user', reason } });
  assert.equal(tally.counts.errors, reasons.length);
  return tally.errors();
}

test('PN17 each reason is named once, with its number and first lines; many that differ only in a value count together', () => {
  const boss = 'role: role "boss" does not exist';
  const chef = 'role: role "chef" does not exist';
  assert.deepEqual(groupsOf([boss, chef, boss, boss]), [
    { reason: boss, count: 3, lines: [2, 4, 5] },
    { reason: chef, count: 1, lines: [3] },
  ]);
  const many = Array.from({ length: 40 }, (_, n) => `role: role "r${n}" does not exist`);
  const groups = groupsOf([...many, boss, ...many.slice(0, 1)]);
  assert.deepEqual(groups[0], { reason: 'role: role "…" does not exist', count: 36, lines: [7, 8, 9, 10, 11] });
  assert.deepEqual(groups[1], { reason: many[0], count: 2, lines: [2, 43] });
  assert.equal(groups.length, 6);
});
