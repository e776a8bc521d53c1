/** JB4, IM8: the documents of tasks and imports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Documents } from '../../../daemon/jobs/tasks/documents.ts';
import type { Task } from '../../../protocol/log/documents.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const doc: Task = { id: 't', kind: 'test', status: 'waiting', created_at: 5_000, updated_at: 5_000 };

function opened(nowMs: number) {
  const bench = new RulesBench();
  bench.run({ kind: 'docs', changes: [{ kind: 'task', id: 't', doc }] });
  const submitted: unknown[] = [];
  const submit = async (...args: readonly unknown[]) => {
    submitted.push(args[1]);
    return bench.run(args[0] as Parameters<RulesBench['run']>[0]);
  };
  return { documents: new Documents({ directory: bench.directory, submit: submit as never }, 'task', () => nowMs), submitted };
}

test('IM8 a change keeps the other fields and has its time in microseconds, which never is before the beginning', async () => {
  const { documents, submitted } = opened(6.0004);
  assert.equal(documents.now(), 6_000);
  await documents.change('t', { status: 'running' });
  assert.deepEqual(documents.get('t'), { ...doc, status: 'running', updated_at: 6_000 });
  assert.deepEqual([submitted, [...documents.all()].length], [['bulk'], 1]);
  const early = opened(4);
  await early.documents.change('t', { status: 'running' });
  assert.equal(early.documents.get('t')?.updated_at, 5_000);
});

test('JB4 a document that no longer exists is not changed', async () => {
  const { documents, submitted } = opened(6);
  await documents.change('other', { status: 'running' });
  assert.deepEqual([documents.get('other'), submitted], [undefined, []]);
});
