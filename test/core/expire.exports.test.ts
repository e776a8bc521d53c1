/** EX8: how long the task of an export can be asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../daemon/core/decide.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import type { Task } from '../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import { DEFAULT_POLICY } from '../support/default-policy.ts';
import { FakeBackend } from '../support/http/fake-backend.ts';

test('EX8 the task of an export can be asked for as long as its file is kept', () => {
  const { directory } = new FakeBackend();
  const task = (id: string, kind: string): Task => ({ id, kind, status: 'completed', created_at: 1, updated_at: 1 });
  const docs = [task('deleted', 'delete_users'), task('exported', EXPORT_TASK)];
  directory.apply({
    id: 'e',
    time: 1,
    first: 1,
    facts: docs.map((doc) => ({ t: 'doc' as const, kind: 'task' as const, id: doc.id, doc })),
  });
  const goneAt = (now: number, policy = DEFAULT_POLICY) =>
    decide(new Draft(directory), { kind: 'expire' }, now, policy).docs?.map(({ id }) => id);
  const hour = 3_600_000_000;
  assert.deepEqual(goneAt(6 * 24 * hour), []);
  assert.deepEqual(goneAt(8 * 24 * hour), ['deleted']);
  assert.deepEqual(goneAt(61 * 24 * hour), ['deleted', 'exported']);
  // A file that is kept for a shorter time than tasks does not shorten the life of its task.
  assert.deepEqual(goneAt(6 * 24 * hour, { ...DEFAULT_POLICY, exportsKeptMicros: hour }), []);
});
