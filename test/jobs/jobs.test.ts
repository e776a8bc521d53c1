/** JB1, JB2, JB5–JB7, HY5: everything that runs beside the directory, put together, over a directory in memory. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../daemon/base/clock.ts';
import { type Jobs, startJobs } from '../../daemon/jobs/jobs.ts';
import { Files } from '../../daemon/jobs/transfer/files.ts';
import type { Roster } from '../../daemon/pipeline/roster.ts';
import type { Doc, DocChange } from '../../protocol/log/documents.ts';
import { BlobFiles } from '../../store/blob-files.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { HistoryTable } from '../../store/history.ts';
import type { Fence, Leases } from '../../store/leases.ts';
import { eventually } from '../support/eventually.ts';
import { openRoster, upsert } from '../support/live/hub-kit.ts';
import { LeaseTable } from '../support/store/memory-leases.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const DAY_MS = 24 * 3_600_000;

function start(t: TestContext, roster: Roster, files: Files, data: string, leases?: Leases): Jobs {
  const jobs = startJobs({
    ...{ roster, files, leases, clock: systemClock, nowMs: Date.now, logger: { info: () => {}, error: () => {} } },
    ...{
      exportsKeptMs: 2 * DAY_MS,
      tasksKeptMs: DAY_MS,
      reuseHardDeleted: false,
      workFolder: join(data, 'work'),
      serverFor: () => {
        throw new Error('there is no plan');
      },
    },
    history: { folder: join(data, 'history'), table: undefined, keepMs: DAY_MS, bytesMax: 1 << 20 },
  });
  t.after(() => jobs.stop());
  return jobs;
}

const nowUs = (): number => Date.now() * 1_000;

test('JB1 JB2 JB5 an export and an import that are there at the start, and those that come later, are carried out; a stop ends all', async (t) => {
  const data = await temporaryDirectory();
  const roster = await openRoster();
  const files = new Files(await BlobFiles.open(data));
  await upsert(roster, ['ann']);
  const path = '11111111-2222-3333-4444-555555555555/users.jsonl';
  await files.saveUpload(path, Readable.from([Buffer.from(`${JSON.stringify({ type: 'user', item: { id: 'bob' } })}\n`)]), 1_000);
  const at = nowUs();
  const task = (id: string): DocChange => ({
    ...{ kind: 'task', id },
    doc: { id, kind: 'export_users', status: 'waiting', created_at: at, updated_at: at, input: { user_ids: ['ann'] } },
  });
  const history = [{ prev_state: '', next_state: 'uploaded', created_at: at }];
  const load: DocChange = {
    ...{ kind: 'import', id: 'import' },
    doc: { id: 'import', path, mode: 'upsert', state: 'uploaded', history, created_at: at, updated_at: at },
  };
  await roster.submit({ kind: 'docs', changes: [task('before'), load] }, 'live');
  const jobs = start(t, roster, files, data);
  const statusOf = (id: string): string | undefined => roster.directory.docs.get('task', id)?.status;
  await roster.submit({ kind: 'docs', changes: [task('after')] }, 'live');
  await eventually(() => statusOf('before') === 'completed' && statusOf('after') === 'completed');
  await eventually(() => roster.directory.docs.get('import', 'import')?.state === 'completed');
  assert.ok(roster.directory.user('bob') !== undefined);
  assert.equal((await readdir(join(data, 'exports'))).length, 2);
  // HY5: what was acknowledged is in the history.
  const page = await jobs.history.page({ id: 'bob', limit: 10 });
  assert.deepEqual(
    page.items.map(({ event }) => event),
    ['created'],
  );
  await jobs.stop();
  await roster.submit({ kind: 'docs', changes: [task('late')] }, 'live');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(statusOf('late'), 'waiting', 'it is carried out after the next start');
  const again = start(t, roster, files, data);
  await eventually(() => statusOf('late') === 'completed');
  await again.stop();
});

test('JB6 JB7 a ban that is over ends, and an import that was kept long enough is removed, at the start and by the wall clock', async (t) => {
  const data = await temporaryDirectory();
  const roster = await openRoster();
  await upsert(roster, ['ann']);
  const user = roster.directory.user('ann');
  assert.ok(user !== undefined);
  await roster.submit({ kind: 'ban', actor: { kind: 'server' }, target: 'ann', minutes: 0.001 }, 'live');
  const ended = (id: string, ageMs: number): DocChange => {
    const at = nowUs() - ageMs * 1_000;
    return { kind: 'import', id, doc: { id, path: 'p', mode: 'upsert', state: 'completed', history: [], created_at: at, updated_at: at } };
  };
  await roster.submit({ kind: 'docs', changes: [ended('old', DAY_MS + 60_000), ended('young', DAY_MS - 60_000)] }, 'live');
  const jobs = start(t, roster, new Files(await BlobFiles.open(data)), data);
  await eventually(() => roster.directory.docs.get('import', 'old') === undefined);
  await eventually(() => roster.directory.user('ann')?.bans === undefined);
  assert.ok(roster.directory.docs.get('import', 'young') !== undefined);
  await jobs.stop();
});

test('PA5 what a process that was killed left in the folder of its plans is removed at the start, whoever does the tasks', async (t) => {
  const data = await temporaryDirectory();
  await mkdir(join(data, 'work', 'plan-left'), { recursive: true });
  const another: Leases = { holder: 'one', take: async () => false, stamp: async () => false, release: async () => {} };
  start(t, await openRoster(), new Files(await BlobFiles.open(data)), data, another);
  await eventually(async () => !(await readdir(data)).includes('work'), 'it is still there');
});

test('HY10 where nodes share a history, it is read there, and no folder is made', async (t) => {
  const data = await temporaryDirectory();
  const roster = await openRoster();
  const leases = { holder: 'one', take: async () => false, stamp: async () => false, release: async () => {} };
  const stored = { position: roster.position, from: 0, changes: [{ seq: 3, at: 9, record: '{"event":"created"}' }] };
  const table: HistoryTable = { page: async () => stored, writer: () => assert.fail('another node has the job') };
  const jobs = startJobs({
    ...{
      roster,
      files: new Files(await BlobFiles.open(data)),
      leases,
      clock: systemClock,
      nowMs: Date.now,
      logger: { info: () => {}, error: () => {} },
    },
    ...{
      exportsKeptMs: 2 * DAY_MS,
      tasksKeptMs: DAY_MS,
      reuseHardDeleted: false,
      workFolder: join(data, 'work'),
      serverFor: () => {
        throw new Error('there is no plan');
      },
    },
    history: { folder: join(data, 'history'), table, keepMs: DAY_MS, bytesMax: 1 << 20 },
  });
  t.after(() => jobs.stop());
  const { items } = await jobs.history.page({ id: 'ann', limit: 10 });
  assert.deepEqual(items, [{ seq: 3, at: 9, event: 'created' }]);
  await jobs.stop();
  assert.equal((await readdir(data)).includes('history'), false);
});

test('JB10 BL7 the holder of the job writes and removes files with its lease, and without leases there is none to show', async (t) => {
  for (const leases of [new LeaseTable().of('node'), undefined]) {
    const roster = await openRoster();
    await upsert(roster, ['ann']);
    const shown: [string, Fence | undefined][] = [];
    const blobs: Blobs = {
      put: async (_folder, _name, _chunks, { fence } = {}) => shown.push(['put', fence]),
      has: async () => false,
      open: async () => undefined,
      removeOld: async (folder, _before, _kept, fence) => {
        shown.push([`remove ${folder}`, fence]);
        return 0;
      },
    };
    const at = nowUs();
    const doc: Doc<'task'> = {
      ...{ id: 'a', kind: 'export_users', status: 'waiting', created_at: at, updated_at: at },
      input: { user_ids: ['ann'] },
    };
    await roster.submit({ kind: 'docs', changes: [{ kind: 'task', id: 'a', doc }] }, 'live');
    const jobs = start(t, roster, new Files(blobs), await temporaryDirectory(), leases);
    await eventually(() => shown.length === 4 && roster.directory.docs.get('task', 'a')?.status === 'completed');
    const fence = leases === undefined ? undefined : { job: 'tasks', token: roster.directory.docs.get('lease', 'tasks')?.token };
    assert.deepEqual(
      shown.sort(([one], [other]) => one.localeCompare(other)),
      [
        ['put', fence],
        ['remove exports', fence],
        ['remove plans', fence],
        ['remove uploads', fence],
      ],
    );
    await jobs.stop();
  }
});
