/** EX1, EX2: the job that writes an export, on the pure core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskWork } from '../../../daemon/jobs/transfer/exports.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const ID = 'export-1';

/** Runs the export of these users, of whom bob is deleted after the request. `onWrite` sees the lines while the file is written. */
async function exportOf(
  user_ids: readonly string[],
  onWrite: (bench: RulesBench, lines: readonly string[]) => Promise<void>,
): Promise<RulesBench> {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann' }, { id: 'bob' }]);
  const at = bench.now;
  const doc = {
    id: ID,
    kind: 'export_users',
    status: 'pending' as const,
    created_at: at,
    updated_at: at,
    input: { user_ids: [...user_ids] },
  };
  bench.run({ kind: 'docs', changes: [{ kind: 'task', id: ID, doc }] });
  bench.delete('bob');
  const roster = {
    directory: bench.directory,
    submit: async (command: Parameters<RulesBench['run']>[0]) => bench.run(command),
    online: () => false,
  };
  const files = { writeExport: async (_id: string, lines: readonly string[]) => await onWrite(bench, lines) };
  await taskWork({ roster, files, nowMs: () => bench.now / 1_000 }).run(ID, new AbortController().signal);
  return bench;
}

const task = (bench: RulesBench) => bench.directory.docs.get('task', ID);

test('EX1 while the file is written the task runs, and it is complete only afterwards', async () => {
  const statuses: unknown[] = [];
  const bench = await exportOf(['ann'], async (meanwhile, lines) => {
    statuses.push(task(meanwhile)?.status);
    assert.equal(JSON.parse(lines.join()).user.name, 'Ann');
    await new Promise((resolve) => setImmediate(resolve));
    statuses.push(task(meanwhile)?.status);
  });
  assert.deepEqual([...statuses, task(bench)?.status], ['running', 'running', 'completed']);
});

test('EX1 a file that cannot be written leaves the task incomplete', async () => {
  let kept: RulesBench | undefined;
  const run = exportOf(['ann'], async (bench) => {
    kept = bench;
    throw new Error('ENOSPC');
  });
  await assert.rejects(run, /ENOSPC/);
  assert.equal(kept === undefined ? undefined : task(kept)?.status, 'running');
});

test('EX2 a user that was deleted after the request is not in the file, and the task names it', async () => {
  let written: readonly string[] = [];
  const bench = await exportOf(['bob', 'ann'], async (_, lines) => {
    written = lines;
  });
  assert.deepEqual(
    written.map((line) => JSON.parse(line).user.id),
    ['ann'],
  );
  assert.deepEqual(task(bench)?.result, { missing: ['bob'] });
});
