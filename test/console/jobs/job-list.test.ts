/** CO46: tasks and imports as the console lists them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  importCounts,
  importProgress,
  importsCall,
  isUnderWay,
  kindText,
  stateBadge,
  taskOutcome,
  tasksCall,
  wrongRows,
} from '../../../daemon/console/jobs/job-list.ts';

test('CO46 a page of jobs is asked for with one more, by status', () => {
  assert.equal(tasksCall(0, '').path, '/api/v2/tasks?limit=26&offset=0');
  assert.equal(tasksCall(2, 'failed').path, '/api/v2/tasks?limit=26&offset=50&status=failed');
  assert.equal(importsCall(1).path, '/api/v2/imports?limit=26&offset=25');
});

test('CO46 a job is under way until it has ended', () => {
  assert.deepEqual(['waiting', 'running', 'uploaded', 'analyzed', 'importing'].map(isUnderWay), [true, true, true, true, true]);
  assert.deepEqual(['completed', 'failed', 'analyze_failed', 'import_failed'].map(isUnderWay), [false, false, false, false]);
  assert.deepEqual([kindText('delete_users'), stateBadge('analyze_failed')], ['Delete users', 'analyze failed']);
});

test('CO46 an import says how far it is, what it did and what was wrong', () => {
  assert.deepEqual(importProgress({ result: { users: 10, done: 12 } }), { done: 10, total: 10 });
  assert.deepEqual([importProgress({ result: { users: 3 } }), importProgress({})], [{ done: 0, total: 3 }, undefined]);
  assert.deepEqual(importCounts({ result: { created: 1_200, failed: 2, users: 9 } }), ['1,200 created', '2 failed']);
  const row = { item: 2, code: 4, reason: 'id: must not be empty' };
  assert.deepEqual(wrongRows({ result: { errors: [row, 'odd'], failed: 7 } }), { rows: [row], count: 7 });
  assert.deepEqual(wrongRows({}), { rows: [], count: 0 });
});

test('CO46 the file of an export is fetched from where the browser found the daemon', () => {
  const url = 'http://10.0.0.1:8800/exports/users/t1/users.jsonl?exp=1&sig=a';
  const { rest, file } = taskOutcome({ result: { url, users: 2 } }, 'https://x.example/roster');
  assert.deepEqual([rest, file], [{ users: 2 }, 'https://x.example/roster/exports/users/t1/users.jsonl?exp=1&sig=a']);
  assert.deepEqual(taskOutcome({ result: { url: 7 } }, ''), { rest: {}, file: undefined });
  assert.deepEqual(taskOutcome({}, ''), { rest: {}, file: undefined });
});
