/** AP6, RN13, RN17, RN18, RN21, RN25: how the batches of a run count, and how a run ends early. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { NO_RESULTS, type SyncCounts } from '../../daemon/sync/counts.ts';
import type { ReportEntry } from '../../daemon/sync/report.ts';
import { type ResumePoint, Run, type RunDeps, type RunOptions, type RunProgress } from '../../daemon/sync/run.ts';
import { type Reply, replyOf } from '../../daemon/sync/transport.ts';
import { FakeClock } from '../support/sync/fake-server.ts';

// Fake time takes no listener back.
setMaxListeners(0);

interface Setup extends Partial<RunDeps>, Partial<RunOptions> {
  readonly resume?: Pick<ResumePoint, 'at' | 'counts'>;
  readonly full?: () => boolean;
}

function runOf({ resume, full = () => false, ...more }: Setup = {}) {
  const clock = new FakeClock();
  const noted: [number, number][] = [];
  const told: RunProgress[] = [];
  const lines: ReportEntry[] = [];
  let adds = 0;
  const report = {
    isFull: true,
    add: async (entries: readonly ReportEntry[]) => {
      adds++;
      if (full()) throw new Error('ENOSPC');
      lines.push(...entries);
    },
  };
  const note = async (at: number, counts: SyncCounts): Promise<void> => void noted.push([at, counts.created]);
  const run = new Run(
    { concurrency: 1, retryForMs: 0, ...more },
    { clock, random: () => 0, report, onProgress: (progress) => told.push(progress), ...more },
    resume === undefined ? undefined : { ...resume, note },
  );
  return { run, clock, noted, told, lines, adds: () => adds };
}

interface Batch {
  readonly lastAt: number;
  readonly bytes?: number;
  readonly users: number;
  readonly unsent?: number;
}

/** Creates the users of each batch but those that could not be sent. */
function all(run: Run, ...batches: readonly Batch[]): Promise<boolean> {
  async function* those() {
    yield* batches;
  }
  return run.all<Batch, { readonly notSent: readonly unknown[] }>({
    batches: those(),
    work: async ({ unsent = 0 }) => ({ notSent: Array.from({ length: unsent }) }),
    entries: ({ users, unsent = 0, lastAt }, _, counts) => {
      counts.created += users - unsent;
      return [{ id: `u${lastAt}`, result: 'created' }];
    },
  });
}

test('AP6 after each batch, its users, its bytes and its place count, and its lines are in the report', async () => {
  const { run, told, lines } = runOf();
  assert.equal(await all(run, { lastAt: 5, users: 3, bytes: 30 }, { lastAt: 9, users: 2 }, { lastAt: 12, users: 1, bytes: 7 }), true);
  assert.deepEqual(
    told.map(({ counts, users, bytes, at }) => [counts.created, users, bytes, at]),
    [
      [3, 3, 30, 5],
      [5, 5, 30, 9],
      [6, 6, 37, 12],
    ],
  );
  assert.deepEqual([lines.length, run.notSent, run.problem, run.at, run.users], [3, 0, undefined, 12, 6]);
  assert.equal(NO_RESULTS.created, 0);
});

test('AP6 a run goes on where the earlier one ended, and its own users are those since', async () => {
  const { run, noted } = runOf({ resume: { at: 4, counts: { ...NO_RESULTS, created: 10 } } });
  assert.deepEqual([run.at, run.users], [4, 0]);
  assert.equal(await all(run, { lastAt: 6, users: 2 }), true);
  assert.deepEqual([run.counts.created, run.users, noted], [12, 2, [[6, 12]]]);
});

test('AP6 behind users that were not sent, a run that can be resumed counts nothing; another one counts, but is not further', async () => {
  const batches = [
    { lastAt: 2, users: 2 },
    { lastAt: 4, users: 2, unsent: 1 },
    { lastAt: 6, users: 2 },
  ];
  const resumable = runOf({ resume: { at: 0, counts: NO_RESULTS } });
  assert.equal(await all(resumable.run, ...batches), false);
  assert.deepEqual([resumable.run.counts.created, resumable.run.at, resumable.noted, resumable.lines.length], [2, 2, [[2, 2]], 1]);
  const other = runOf();
  assert.equal(await all(other.run, ...batches), false);
  assert.deepEqual([other.run.counts.created, other.run.at, other.run.notSent, other.lines.length], [5, 2, 1, 3]);
});

test('RN25 a report that cannot be written ends the run: of a run that can be resumed, the batch does not count', async () => {
  const resumable = runOf({ resume: { at: 0, counts: NO_RESULTS }, full: () => true });
  assert.equal(await all(resumable.run, { lastAt: 2, users: 2 }), false);
  assert.equal(resumable.run.problem, 'the report cannot be written: ENOSPC');
  assert.deepEqual([resumable.run.stopping.aborted, resumable.run.counts.created, resumable.noted], [true, 0, []]);
  const other = runOf({ full: () => true });
  assert.equal(await all(other.run, { lastAt: 2, users: 2 }), false);
  assert.equal(other.run.counts.created, 2, 'they are in the directory');
});

test('RN17 nothing is added to a report for no lines', async () => {
  const { run, adds } = runOf({ full: () => true });
  assert.deepEqual([await run.report([]), adds(), run.problem], [true, 0, undefined]);
  const fine = runOf();
  assert.deepEqual([await fine.run.report([{ id: 'a', result: 'created' }]), fine.adds()], [true, 1]);
});

test('RN13 the first reason for giving up counts, and ends everything', async () => {
  const { run } = runOf();
  run.giveUp('first');
  run.giveUp('second');
  assert.deepEqual([run.problem, run.stopping.aborted, run.leaving.aborted], ['first', true, false]);
  const broken = runOf();
  async function* breaking(): AsyncGenerator<Batch> {
    yield { lastAt: 1, users: 1 };
    throw new Error('the source broke');
  }
  assert.equal(await broken.run.all({ batches: breaking(), work: async () => ({ notSent: [] }), entries: () => [] }), false);
  assert.equal(broken.run.problem, 'the source broke');
  const late = runOf();
  async function* two(): AsyncGenerator<Batch> {
    yield { lastAt: 1, users: 1 };
    late.run.giveUp('at the end');
  }
  assert.equal(await late.run.all({ batches: two(), work: async () => ({ notSent: [] }), entries: () => [] }), false);
});

test('RN18 RN21 after a stop nothing new is sent, but questions about what is under way are; after leaving, nothing is', async () => {
  const pacer = { acquire: async (signal: AbortSignal) => !signal.aborted, release: () => {} } as never;
  const asked = async (end: 'stop' | 'leave'): Promise<unknown> => {
    const controller = new AbortController();
    const { run } = runOf({ [end]: controller.signal });
    assert.equal(run.stopping.aborted, false);
    controller.abort();
    const send = async (): Promise<Reply> => replyOf(200, '');
    const [again, finishing] = [await run.retrier.request(send, pacer), await run.finishing.request(send, pacer)];
    return [run.stopping.aborted, run.leaving.aborted, again?.status, finishing?.status];
  };
  assert.deepEqual(await asked('stop'), [true, false, undefined, 200]);
  assert.deepEqual(await asked('leave'), [true, true, undefined, undefined]);
});

test('AP9 a run has a rate only when it was given one, and knows how long it took', async () => {
  assert.equal(runOf().run.throttle, undefined);
  const { run, clock } = runOf({ usersPerSecond: 4 });
  assert.ok(run.throttle !== undefined);
  for (let turn = 0; turn < 2; turn++) assert.equal(await run.throttle.take(2, run.stopping), true);
  assert.deepEqual([clock.slept, run.elapsedMs], [[500], 500]);
});
