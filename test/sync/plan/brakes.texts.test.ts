/** BR1, BR3–BR8, BR10: each brake at its bound, and its words for one and for many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  brokenSource,
  emptyScope,
  emptySource,
  notRosterd,
  tooManyErrors,
  tooManyMissing,
  unreadableIds,
  unusedColumns,
} from '../../../daemon/sync/plan/brakes.ts';
import { PLAN_DEFAULTS } from '../../support/sync/plan-kit.ts';

const OPTIONS = { ...PLAN_DEFAULTS, missing: 'deactivate' } as const;
const RED = { ...OPTIONS, team: 'red' };

test('BR1 BR2 a source without rows, or without an end, is refused in the words for what would become of users', () => {
  assert.equal(emptySource(OPTIONS, 1), undefined);
  assert.match(
    emptySource(RED, 0) ?? '',
    /^users.ndjson has no users; with --missing deactivate, everyone of the team red would be deactivated\./,
  );
  assert.match(brokenSource({ ...OPTIONS, missing: 'ignore' }, 'r'), /^users.ndjson is not whole: r\. .* Half a source is not planned/);
  assert.match(brokenSource(OPTIONS, 'is a quote not closed?'), /not closed\? Nothing was planned/);
  assert.match(brokenSource(OPTIONS, 'r'), /The users after the break would count as missing/);
});

test('BR3 rows without an id, one or many, by their first lines', () => {
  assert.equal(unreadableIds(OPTIONS, 0, []), undefined);
  assert.equal(unreadableIds({ ...OPTIONS, missing: 'ignore' }, 1, [7]), undefined);
  assert.equal(
    unreadableIds({ ...OPTIONS, missing: 'soft-delete' }, 1, [7]),
    '1 row has no id that can be read (line 7), so its user would count as missing and be soft-deleted. Nothing was planned. Correct that line, or leave --missing out.',
  );
  assert.match(
    unreadableIds(OPTIONS, 2, [7, 9]) ?? '',
    /^2 rows have no id that can be read \(lines 7, 9\), so their users would .* Correct those lines/,
  );
  assert.match(unreadableIds(OPTIONS, 1_200, [7, 9]) ?? '', /^1,200 rows have no id that can be read \(lines 7, 9, …\)/);
});

test('BR4 BR10 a share or a number of missing users beyond its bound is refused, and each bound that is needed is named', () => {
  const needed = (missing: number, inScope: number, more: object): string | undefined =>
    tooManyMissing({ ...OPTIONS, maxMissing: 1, maxMissingCount: 1_000_000, ...more }, missing, inScope)?.replace(
      /.*If that is right: /,
      '',
    );
  assert.equal(needed(29, 100, { maxMissing: 0.29 }), undefined, 'no exact binary fraction');
  assert.equal(needed(30, 100, { maxMissing: 0.29 }), '--max-missing 30%');
  assert.equal(needed(3, 100, { maxMissingCount: 3 }), undefined);
  assert.equal(needed(4, 100, { maxMissingCount: 3 }), '--max-missing-count 4');
  assert.equal(needed(4, 100, { maxMissing: 0.03, maxMissingCount: 3 }), '--max-missing 4% --max-missing-count 4');
  for (const [missing, inScope, share] of [
    [1, 1_000, '0.1%'],
    [1, 10_000, '0.1%'],
    [11, 10_000, '0.2%'],
    [29, 1_000, '2.9%'],
    [994, 10_000, '10%'],
    [991, 10_000, '10%'],
    [990, 10_000, '9.9%'],
    [101, 1_000, '11%'],
    [110, 1_000, '11%'],
    [57, 100, '57%'],
  ] as const) {
    assert.equal(needed(missing, inScope, { maxMissing: 0 }), `--max-missing ${share}`);
    assert.equal(needed(missing, inScope, { maxMissing: Number(share.slice(0, -1)) / 100 }), undefined, 'what is named is enough');
  }
  assert.equal(
    tooManyMissing({ ...RED, maxMissing: 0.00123456, maxMissingCount: 1_500 }, 2_000, 3_000),
    '2,000 of the 3,000 users of the team red are not in users.ndjson (66.7%) and would be deactivated; --max-missing allows 0.1235%, --max-missing-count 1,500. ' +
      'Nothing was planned. If that is right: --max-missing 67% --max-missing-count 2000',
  );
});

test('BR5 BR10 a share of wrong rows beyond the bound is refused, with the reasons and the bound that is needed', () => {
  const options = { ...OPTIONS, maxErrors: 0.29 };
  assert.equal(tooManyErrors(options, 29, 100, []), undefined);
  assert.equal(tooManyErrors(options, 0, 0, []), undefined);
  assert.equal(
    tooManyErrors(options, 1_300, 4_000, [
      { reason: 'one', count: 1_298, lines: [1, 2] },
      { reason: 'two', count: 2, lines: [3, 4] },
    ]),
    '1,300 of 4,000 rows are wrong (32.5%); --max-errors allows 29%. Nothing was planned. The most frequent reasons:\n' +
      '  1,298 × one (line 1, 2, …)\n  2 × two (line 3, 4)\nIf the other rows are to be planned all the same: --max-errors 33%',
  );
});

test('BR6 BR7 BR8 a scope without users, columns that no row has, a server without a list: each only where it matters', () => {
  assert.equal(emptyScope(OPTIONS, 2, 0), undefined);
  assert.equal(emptyScope(RED, 2, 1), undefined);
  assert.equal(emptyScope(RED, 0, 0), undefined);
  assert.match(emptyScope(RED, 1, 0) ?? '', /^the directory has nobody in the team red, but users.ndjson has 1 user for it\./);
  assert.match(emptyScope(RED, 1_200, 0) ?? '', /has 1,200 users for it\./);
  assert.equal(unusedColumns([], 1), undefined);
  assert.equal(unusedColumns(['a'], 0), undefined);
  assert.match(unusedColumns(['a'], 1) ?? '', /^the map names a column that no row has: a\. /);
  assert.match(unusedColumns(['a', 'b'], 1) ?? '', /^the map names columns that no row has: a, b\. /);
  assert.equal(notRosterd({ ...OPTIONS, missing: 'ignore' }), undefined);
});
