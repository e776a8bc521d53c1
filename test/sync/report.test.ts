/** AP3, AP4, AP6, RN17: the lines of the report and the counts for a batch of written users. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RESULTS, type SyncTotals } from '../../daemon/sync/counts.ts';
import { refusedEntry, upsertEntries } from '../../daemon/sync/report.ts';
import type { RefusedUser } from '../../daemon/sync/settle-batch.ts';

const NOBODY = { created: [], updated: [], reactivated: [], restored: [], unchanged: [], sent: [], takenOut: [], refused: [] };
const refused = (id: string, more: Partial<RefusedUser> = {}): RefusedUser => ({ line: 7, id, code: 4, reason: 'no', ...more });

function counted(act: (counts: SyncTotals) => unknown): Partial<SyncTotals> {
  const counts = { ...NO_RESULTS };
  act(counts);
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

const done = {
  ...NOBODY,
  ...{ created: ['a', 'b'], updated: ['c'], reactivated: ['d'], restored: ['e'], sent: ['f', 'g'], unchanged: ['h', 'i', 'j'] },
  refused: [refused('k'), refused('l', { isPrecondition: true })],
};
const users = [...'lkjihgfedcba'].map((id) => ({ id }));
const COUNTS = { created: 2, updated: 1, reactivated: 1, restored: 1, sent: 2, unchanged: 3, failed: 1, changed_meanwhile: 1 };

test('AP6 the report has a line for each user that is not as before, in the order of the batch, and every user is in one count', () => {
  let lines: ReturnType<typeof upsertEntries> = [];
  const fields = new Map([
    ['c', ['name', 'role']],
    ['k', ['name']],
  ]);
  const counts = counted((totals) => {
    lines = upsertEntries({ users, errors: [], fields }, done, totals, true);
  });
  assert.deepEqual(counts, COUNTS);
  assert.deepEqual(lines, [
    { id: 'l', result: 'changed_meanwhile', line: 7, reason: 'no' },
    { id: 'k', result: 'failed', line: 7, code: 4, reason: 'no' },
    ...['g', 'f'].map((id) => ({ id, result: 'sent' })),
    { id: 'e', result: 'restored' },
    { id: 'd', result: 'reactivated' },
    { id: 'c', result: 'updated', fields: ['name', 'role'] },
    ...['b', 'a'].map((id) => ({ id, result: 'created' })),
  ]);
});

test('RN17 a report of failures alone has the errors of the source and the refused users; the counts are the same', () => {
  const errors = [{ line: 3, code: 'invalid_json', reason: 'r' }];
  let lines: ReturnType<typeof upsertEntries> = [];
  const counts = counted((totals) => {
    lines = upsertEntries({ users, errors }, done, totals, false);
  });
  assert.deepEqual(counts, COUNTS, 'errors of the source are counted where they are found');
  assert.deepEqual(
    lines.map(({ result }) => result),
    ['error', 'changed_meanwhile', 'failed'],
  );
  assert.deepEqual(lines[0], { ...errors[0], result: 'error' });
  const fine = upsertEntries({ users, errors }, { ...done, refused: [] }, { ...NO_RESULTS }, false);
  assert.deepEqual(fine, [{ ...errors[0], result: 'error' }]);
});

test('AP4 a user that was known and is deleted by now was changed meanwhile; one that was to be created has failed', () => {
  const result = (more: Partial<RefusedUser>, rev?: number): string | undefined => {
    const batch = { users: [{ id: 'a', ...(rev === undefined ? {} : { rev }) }], errors: [] };
    return upsertEntries(batch, { ...NOBODY, refused: [refused('a', more)] }, { ...NO_RESULTS }, true)[0]?.result;
  };
  assert.equal(result({ code: 16 }, 1), 'changed_meanwhile');
  assert.equal(result({ code: 16 }, 0), 'failed');
  assert.equal(result({ code: 16 }), 'failed');
  assert.equal(result({ code: 4 }, 1), 'failed');
  assert.equal(result({ code: 4, isPrecondition: true }, 1), 'changed_meanwhile');
});

test('AP4 a refused user that is kept as it is has no code', () => {
  const counts = { ...NO_RESULTS };
  assert.deepEqual(refusedEntry(refused('a'), counts), { id: 'a', result: 'failed', line: 7, code: 4, reason: 'no' });
  assert.deepEqual(refusedEntry(refused('a'), counts, true), { id: 'a', result: 'changed_meanwhile', line: 7, reason: 'no' });
  assert.deepEqual([counts.failed, counts.changed_meanwhile], [1, 1]);
});
