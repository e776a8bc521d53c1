/** IM4, IM5, IM15: what an import says of itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { added, asJson, ErrorList, reportOf, withExtras } from '../../../daemon/jobs/transfer/import-report.ts';
import { NO_RESULTS } from '../../../daemon/sync/counts.ts';
import type { ReportEntry } from '../../../daemon/sync/report.ts';

test('IM5 all errors are counted, the first hundred listed with their place and user, and long reasons cut', () => {
  const errors = new ErrorList();
  assert.deepEqual(errors.summary, { failed: 0 });
  errors.note({ line: 1, id: 'a', code: 4, reason: 'x'.repeat(300) });
  errors.note({ line: 2, code: 'invalid_user', reason: 'x'.repeat(301) });
  const list = [
    { item: 1, id: 'a', code: 4, reason: 'x'.repeat(300) },
    { item: 2, code: 'invalid_user', reason: `${'x'.repeat(300)}…` },
  ];
  assert.deepEqual(errors.summary, { failed: 2, errors: list });
  for (let line = 3; line <= 102; line++) errors.note({ line, code: 4, reason: '' });
  assert.deepEqual([errors.count, errors.list.length, errors.list.at(-1)?.item], [102, 100, 100]);
});

test('IM4 IM5 an import that goes on adds its errors to those it has; users that were not sent are none', async () => {
  const before = { failed: 7, errors: [{ item: 1, code: 4, reason: 'r' }] };
  const errors = new ErrorList(before);
  const entries: ReportEntry[] = [
    { id: 'a', result: 'failed', line: 2, code: 4, reason: 'no' },
    { line: 3, code: 'invalid_user', reason: 'bad', result: 'error' },
    { line: 4, id: 'b', result: 'not_applied', code: 'not_sent', reason: 'x' },
    { id: 'c', result: 'created' },
  ];
  await errors.add(entries);
  assert.equal(errors.count, 9);
  assert.deepEqual(
    errors.list.map(({ item }) => item),
    [1, 2, 3],
  );
  assert.equal(before.errors.length, 1, 'what was stored stays as it is');
  errors.summary.errors?.pop();
  assert.equal(errors.list.length, 3);
  assert.equal(new ErrorList(before).isFull, false);
});

test('IM4 counts are added to those of earlier runs, and what is done never goes back', () => {
  const errors = new ErrorList({ failed: 1 });
  const run = { counts: { ...NO_RESULTS, created: 1, updated: 2, unchanged: 3 }, at: 40 };
  assert.deepEqual(added({}, run, errors), { done: 40, created: 1, updated: 2, unchanged: 3, failed: 1 });
  const before = { users: 9, done: 50, created: 10, updated: 20, unchanged: 30 };
  assert.deepEqual(added(before, run, errors), { users: 9, done: 50, created: 11, updated: 22, unchanged: 33, failed: 1 });
  assert.equal(added({ done: 39 }, run, errors).done, 40);
});

test('IM15 devices, mutes and push settings are added up over batches and runs, and what is done never goes back', () => {
  const errors = new ErrorList();
  const counts = [
    { devices: 1, mutes: 2, push_notifications: 0 },
    { devices: 1, mutes: 0, push_notifications: 1 },
  ];
  const first = withExtras({ users: 3 }, counts, errors, 7);
  assert.deepEqual(first, { users: 3, devices: 2, mutes: 2, push_notifications: 1, done: 7, extras_done: 7, failed: 0 });
  const second = withExtras({ ...first, done: 20, extras_done: 9 }, counts, errors, 8);
  assert.deepEqual([second.devices, second.mutes, second.push_notifications, second.done, second.extras_done], [4, 4, 2, 20, 9]);
  assert.deepEqual(withExtras(first, [], errors, 9), { ...first, done: 9, extras_done: 9 });
});

test('IM5 a report is stored without what it does not know', () => {
  assert.deepEqual(reportOf(undefined), {});
  const result = { users: 1 };
  const report = reportOf({ result } as never);
  assert.ok(report !== result);
  assert.deepEqual(asJson({ ...report, failed: undefined } as never), { users: 1 });
});
