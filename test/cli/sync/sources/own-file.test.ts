/** SO: files of rosterd that are no sources. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownFileOf } from '../../../../daemon/cli/sync/sources/own-file.ts';

test('SO10 plans, reports and backups are told by their first lines', () => {
  assert.equal(ownFileOf('{"rosterd_plan":1,"created_at":"2026-01-01T00:00:00.000Z"}'), 'plan');
  assert.equal(ownFileOf('{"format":"rosterd-backup","version":1}'), 'backup');
  for (const line of [
    '{"line":3,"code":"invalid_json","reason":"the line is not JSON","result":"error"}',
    '{"id":"ann","result":"failed","line":1,"code":4,"reason":"no"}',
    '{"id":"ann","result":"created"}',
    '{"id":"ann","result":"updated","fields":["name"]}',
    '{"id":"ann","result":"changed_meanwhile","line":2,"reason":"newer"}',
    '{"from_line":5,"result":"not_applied","code":"not_read","reason":"it ended"}',
    '{"from_plan_line":5,"result":"held_back","reason":"2 failed"}',
  ]) {
    assert.equal(ownFileOf(line), 'report', line);
  }
});

test('SO10 users are no file of rosterd, whatever their custom data', () => {
  for (const line of [
    '',
    'id,name',
    '{"id":"ann"}',
    '{"id":"ann","result":"won"}',
    '{"id":"ann","name":"Ann","result":"failed","reason":"no"}',
    '{"id":"ann","format":"a4","rosterd_plan":1}',
    '["rosterd_plan"]',
    '{"id":"ann"',
  ]) {
    assert.equal(ownFileOf(line), undefined, line);
  }
});
