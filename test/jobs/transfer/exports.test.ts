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

/** The work on one task with this content. */
function workOn(more: object) {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }]);
  const doc = { id: ID, kind: 'export_users', status: 'waiting' as const, created_at: bench.now, updated_at: bench.now, ...more };
  bench.run({ kind: 'docs', changes: [{ kind: 'task', id: ID, doc }] });
  const statuses: unknown[] = [];
  const written: (readonly string[])[] = [];
  const roster = {
    directory: bench.directory,
    submit: async (command: Parameters<RulesBench['run']>[0]) => {
      const outcome = bench.run(command);
      statuses.push([task(bench)?.status, task(bench)?.progress]);
      return outcome;
    },
    online: () => false,
  };
  const files = { writeExport: async (_: string, lines: readonly string[]) => void written.push(lines) };
  return { work: taskWork({ roster, files, nowMs: () => bench.now / 1_000 }), bench, statuses, written };
}

const never = new AbortController().signal;

test('JB1 JB2 a task is open until it is over, and is pending once it is taken up', async () => {
  const changeOf = (doc: object | null, kind = 'task') => ({ kind, id: ID, doc }) as never;
  const { work, bench } = workOn({});
  for (const status of ['waiting', 'pending', 'running']) assert.equal(work.isOpen(changeOf({ status })), true, status);
  for (const status of ['completed', 'failed']) assert.equal(work.isOpen(changeOf({ status })), false, status);
  assert.deepEqual([work.isOpen(changeOf(null)), work.isOpen(changeOf({ status: 'waiting' }, 'import'))], [false, false]);
  assert.deepEqual([...work.openIds()], [ID]);
  await work.accept(ID);
  assert.equal(task(bench)?.status, 'pending');
  for (const status of ['running', 'completed'] as const) {
    const other = workOn({ status });
    await other.work.accept(ID);
    assert.deepEqual([task(other.bench)?.status, [...other.work.openIds()].length], [status, status === 'running' ? 1 : 0]);
  }
});

test('JB3 a task of an unknown kind fails, and says so; one that is over or gone is left alone', async () => {
  const unknown = workOn({ kind: 'paint' });
  await unknown.work.run(ID, never);
  assert.deepEqual(
    [task(unknown.bench)?.status, task(unknown.bench)?.error],
    ['failed', { type: 'unknown_kind', description: 'this daemon does not know tasks of the kind paint' }],
  );
  for (const status of ['completed', 'failed'] as const) {
    const over = workOn({ status, input: { user_ids: ['ann'] } });
    await over.work.run(ID, never);
    assert.deepEqual([over.statuses, over.written], [[], []]);
  }
  const gone = workOn({});
  await gone.work.run('other', never);
  assert.deepEqual(gone.written, []);
  await gone.work.fail(ID, { type: 't', description: 'd' });
  assert.deepEqual([task(gone.bench)?.status, task(gone.bench)?.error], ['failed', { type: 't', description: 'd' }]);
});

test('EX1 the progress of an export counts its users, and its lines are users as chat shows them', async () => {
  const { work, bench, statuses, written } = workOn({ input: { user_ids: ['ann', 7, 'nobody'] } });
  await work.run(ID, never);
  assert.deepEqual(statuses, [
    ['running', { done: 0, total: 2 }],
    ['completed', { done: 1, total: 2 }],
  ]);
  assert.ok(task(bench)?.started_at !== undefined);
  assert.deepEqual(task(bench)?.result, { missing: ['nobody'] });
  const [line] = written[0]?.map((text) => JSON.parse(text)) ?? [];
  assert.deepEqual([line.user.id, line.user.online, line.messages, line.reactions], ['ann', false, [], []]);
  for (const more of [{}, { input: {} }, { input: { user_ids: 'ann' } }]) {
    const empty = workOn(more);
    await empty.work.run(ID, never);
    assert.deepEqual([task(empty.bench)?.status, task(empty.bench)?.result, empty.written], ['completed', {}, [[]]]);
  }
});
