/** WA13: a line about a document. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEvent } from '../../../daemon/cli/watch/format.ts';
import { START } from '../../support/document-kit.ts';

test('WA13 a line about a user group, an export or an import says what matters, and steers no terminal', () => {
  const base = { seq: 7, created_at: START };
  const user_group = { id: 'g', name: 'Crew', members: [] };
  const import_task = { id: 'i1', state: 'importing', result: { failed: 2 } };
  const cases = [
    [{ type: 'user_group.updated', user_group }, 'user_group.updated  g  "Crew"'],
    [{ type: 'user_group.member_added', user_group, members: ['ann', 'bob'] }, 'user_group.member_added  g  "Crew"  members=ann,bob'],
    [{ type: 'export.users.success', task_id: 't1', url: 'https://secret' }, 'export.users.success  t1'],
    [{ type: 'export.users.error', task_id: 't1', error: 'no room' }, 'export.users.error  t1  "no room"'],
    [{ type: 'import.updated', import_task: { id: 'i1', state: 'analyzing' } }, 'import.updated    i1  analyzing'],
    [{ type: 'import.updated', import_task, progress: { done: 3, total: 9 } }, 'import.updated    i1  importing  3/9  failed=2'],
    [
      { type: 'import.updated', import_task: { id: 'i1', state: 'analyze_failed', result: { reason: 'no list\u001b' } } },
      'import.updated    i1  analyze_failed  "no list\\u001b"',
    ],
  ] as const;
  for (const [event, line] of cases) assert.equal(formatEvent({ ...base, ...event }), `2026-11-21 10:00:00Z  #7  ${line}`);
});
