/** JB: the runner of tasks, and what time alone brings about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../daemon/base/clock.ts';
import type { RosterLogger } from '../../../daemon/base/logger.ts';
import { Housekeeping, type HousekeepingOptions } from '../../../daemon/jobs/tasks/housekeeping.ts';
import { type JobError, Runner, type Work } from '../../../daemon/jobs/tasks/runner.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { DocChange, Task } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';

const quiet: RosterLogger = { info: () => {}, error: () => {} };
/** Waits are over at once; how long they were is noted. */
function fastClock(slept: number[] = []): Clock {
  return {
    now: () => Date.now(),
    sleep: async (ms) => {
      slept.push(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function task(id: string, status: Task['status'] = 'waiting'): Task {
  return { id, kind: 'test', status, created_at: 1, updated_at: 1 };
}

function entryOf(...changes: DocChange[]): Entry {
  return { id: 'e', time: 1, first: 1, facts: changes.map((change) => ({ t: 'doc' as const, ...change })) };
}

const change = (doc: Task): DocChange => ({ kind: 'task', id: doc.id, doc });

interface Bench {
  readonly runner: Runner;
  readonly steps: string[];
  readonly applied: (entry: Entry) => void;
  readonly failures: Map<string, JobError>;
  readonly slept: number[];
  /** Lets everything that can go on go on. */
  settle(): Promise<void>;
}

function bench(
  run: Work['run'],
  { open = [] as string[], concurrency = 2, ...overrides }: Partial<Work> & { open?: string[] } = {},
): Bench {
  const steps: string[] = [];
  const failures = new Map<string, JobError>();
  const slept: number[] = [];
  let listener: (entry: Entry) => void = () => {};
  const work: Work = {
    kind: 'task',
    concurrency,
    isOpen: ({ doc }) => doc !== null && 'status' in doc && doc.status === 'waiting',
    openIds: () => open,
    accept: async (id) => void steps.push(`accept ${id}`),
    run: async (id, stopping) => {
      steps.push(`run ${id}`);
      await run(id, stopping);
      steps.push(`end ${id}`);
    },
    fail: async (id, error) => void failures.set(id, error),
    ...overrides,
  };
  const runner = new Runner({
    works: [work],
    onApplied: (added) => {
      listener = added;
    },
    clock: fastClock(slept),
    random: () => 0.5,
    logger: quiet,
  });
  const settle = async () => {
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { runner, steps, applied: (entry) => listener(entry), failures, slept, settle };
}

test('JB1 work begins when its document is applied, once, whatever is written about it meanwhile', async () => {
  let finish: () => void = () => {};
  const { runner, steps, applied, settle } = bench(() => new Promise((resolve) => (finish = resolve)));
  runner.start();
  await settle();
  assert.deepEqual(steps, []);
  applied(entryOf(change(task('a')), change(task('done', 'completed'))));
  applied(entryOf(change(task('a'))));
  await settle();
  assert.deepEqual(steps, ['accept a', 'run a']);
  finish();
  await settle();
  applied(entryOf(change(task('a', 'completed'))));
  applied(entryOf({ kind: 'task', id: 'a', doc: null }));
  await settle();
  assert.deepEqual(steps, ['accept a', 'run a', 'end a']);
});

test('JB1 no more run at the same time than the kind allows; the others are accepted meanwhile', async () => {
  const finish: (() => void)[] = [];
  const { runner, steps, applied, settle } = bench(() => new Promise((resolve) => void finish.push(resolve)));
  runner.start();
  for (const id of ['a', 'b', 'c', 'd']) applied(entryOf(change(task(id))));
  await settle();
  assert.deepEqual([...steps].sort(), ['accept a', 'accept b', 'accept c', 'accept d', 'run a', 'run b']);
  finish[0]?.();
  await settle();
  assert.deepEqual(steps.slice(-2), ['end a', 'run c']);
});

test('JB2 what is open at the start is taken up', async () => {
  const { runner, steps, settle } = bench(async () => {}, { open: ['x', 'y'] });
  runner.start();
  await settle();
  assert.deepEqual([...steps].sort(), ['accept x', 'accept y', 'end x', 'end y', 'run x', 'run y']);
});

test('JB3 work that throws is failed, says why, and leaves the others alone', async () => {
  const { runner, steps, failures, settle } = bench(
    async (id) => {
      if (id === 'x') throw new Error('ENOENT /srv/secret/path');
      if (id === 'y') throw new RosterError('input', 'the reason');
    },
    { open: ['x', 'y', 'z'] },
  );
  runner.start();
  await settle();
  assert.ok(steps.includes('end z'));
  assert.deepEqual(Object.fromEntries(failures), {
    x: { type: 'internal', description: 'a mistake in the daemon; its log says more' },
    y: { type: 'input', description: 'the reason' },
  });
});

test('JB3 a failure that cannot be written at first is written later', async () => {
  let tries = 0;
  const written: string[] = [];
  const { runner, steps, settle } = bench(
    async () => {
      throw new Error('x');
    },
    {
      open: ['x'],
      fail: async (id) => {
        if (++tries < 4) throw tries === 1 ? new Error('odd') : new RosterError('unavailable');
        written.push(id);
      },
    },
  );
  runner.start();
  await settle();
  assert.deepEqual(written, ['x']);
  assert.equal(steps.filter((step) => step === 'run x').length, 1, 'the work itself had its chance');
});

test('JB4 while nothing can be stored, work waits longer and longer and then gets through', async () => {
  let tries = 0;
  const { runner, steps, failures, slept, settle } = bench(
    async () => {
      if (++tries < 9) throw new RosterError('unavailable');
    },
    { open: ['x'] },
  );
  runner.start();
  await settle();
  assert.ok(steps.includes('end x'));
  assert.equal(failures.size, 0);
  assert.deepEqual(slept, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('JB5 stop waits for what runs, starts nothing more and marks nothing as failed', async () => {
  const { runner, steps, failures, applied, settle } = bench(
    (_, stopping) =>
      new Promise((_resolve, reject) => stopping.addEventListener('abort', () => setTimeout(() => reject(new Error('cut')), 20))),
    { open: ['a', 'b', 'c'], concurrency: 1 },
  );
  runner.start();
  await settle();
  let isStopped = false;
  const stopped = runner.stop().then(() => {
    isStopped = true;
  });
  await settle();
  assert.equal(isStopped, false, 'the one that runs is waited for');
  await stopped;
  applied(entryOf(change(task('d'))));
  await settle();
  assert.deepEqual(
    steps.filter((step) => step.startsWith('run')),
    ['run a'],
  );
  assert.equal(failures.size, 0);
});

const USER = { id: 'a', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };

class Household {
  readonly submitted: Command[] = [];
  readonly expiry: { next: number | undefined } = { next: undefined };
  readonly imports: ImportTask[] = [];
  readonly removals: Parameters<HousekeepingOptions['files']['removeOld']>[0][] = [];
  listener: (entry: Entry) => void = () => {};
  failing = 0;
  /** Ends of bans, the next one first, microseconds. */
  ends: number[] = [];
  readonly housekeeping: Housekeeping;

  constructor(options: Partial<HousekeepingOptions> = {}) {
    const all = () => this.imports;
    this.housekeeping = new Housekeeping({
      roster: {
        directory: { docs: { all } as never, expiry: this.expiry },
        submit: async (command) => this.#submit(command),
        onApplied: (listener) => {
          this.listener = listener;
        },
      },
      files: {
        removeOld: async (ages) => {
          this.removals.push(ages);
          return 0;
        },
      },
      logger: quiet,
      nowMs: Date.now,
      exportsKeptMs: 1_000,
      tasksKeptMs: 2_000,
      ...options,
    });
  }

  /** Ends one ban per command, as far as its time is over. */
  #submit(command: Command): Outcome {
    this.submitted.push(command);
    if (this.failing-- > 0) throw new RosterError('unavailable');
    const isDue = command.kind === 'expire' && (this.ends[0] ?? Number.POSITIVE_INFINITY) <= Date.now() * 1_000;
    if (isDue) this.ends.shift();
    this.expiry.next = this.ends[0];
    return { users: isDue ? [{ user: USER, change: 'updated' }] : [], warnings: [], seq: 1 };
  }

  set(ends: number[]): void {
    this.ends = ends;
    this.expiry.next = ends[0];
    this.listener({ id: 'e', time: 1, first: 1, facts: [{ t: 'user', event: 'banned', user: USER }] });
  }

  get expires(): number {
    return this.submitted.filter(({ kind }) => kind === 'expire').length;
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('JB6 what ends is ended in time, all of it, and nobody looks before', async (t) => {
  const home = new Household();
  home.housekeeping.start();
  t.after(() => home.housekeeping.stop());
  await wait(20);
  assert.equal(home.expires, 1, 'at the start, for what ended while the daemon was away');
  const at = (Date.now() + 600) * 1_000;
  home.set([at, at, at, (Date.now() + 3_600_000) * 1_000]);
  await wait(450);
  assert.equal(home.expires, 1);
  await wait(350);
  assert.equal(home.ends.length, 1);
  assert.equal(home.expires, 5, 'one command for each and one that finds nothing more');
});

test('JB6 an end that comes before the one that was waited for wakes it earlier', async (t) => {
  const home = new Household();
  home.housekeeping.start();
  t.after(() => home.housekeeping.stop());
  await wait(20);
  home.set([(Date.now() + 100_000) * 1_000]);
  await wait(300);
  home.set([(Date.now() + 300) * 1_000, (Date.now() + 100_000) * 1_000]);
  await wait(700);
  assert.equal(home.ends.length, 1);
});

test('JB7 finished imports and files that were kept long enough go; what is needed stays', async () => {
  const home = new Household();
  const base = { mode: 'upsert' as const, history: [], created_at: 1 };
  const now = Date.now() * 1_000;
  home.imports.push(
    { ...base, id: 'old', path: 'p1', state: 'completed', updated_at: now - 3_000_000 },
    { ...base, id: 'new', path: 'p2', state: 'import_failed', updated_at: now },
    { ...base, id: 'open', path: 'p3', state: 'importing', updated_at: now - 9_000_000 },
  );
  home.housekeeping.start();
  await wait(20);
  await home.housekeeping.stop();
  assert.deepEqual(
    home.submitted.filter(({ kind }) => kind === 'docs'),
    [{ kind: 'docs', changes: [{ kind: 'import', id: 'old', doc: null }] }],
  );
  const [ages] = home.removals;
  assert.deepEqual([...(ages?.neededUploads ?? [])], ['p3']);
  assert.ok(Math.abs((ages?.exportsBeforeMs ?? 0) - (Date.now() - 1_000)) < 500);
  assert.ok(Math.abs((ages?.uploadsBeforeMs ?? 0) - (Date.now() - 7 * 86_400_000)) < 500);
});

test('JB8 while nothing can be stored it goes on living, and stop ends it', async () => {
  const home = new Household();
  home.failing = 1;
  home.housekeeping.start();
  await wait(20);
  assert.equal(home.removals.length, 1, 'the files are seen to all the same');
  await home.housekeeping.stop();
  home.set([Date.now() * 1_000]);
  await wait(350);
  assert.equal(home.expires, 1);
});
