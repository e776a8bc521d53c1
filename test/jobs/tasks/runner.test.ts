/** JB1–JB5: the runner of tasks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../daemon/base/clock.ts';
import type { RosterLogger } from '../../../daemon/base/logger.ts';
import { type JobError, Runner, type Work } from '../../../daemon/jobs/tasks/runner.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { DocChange, Task } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { LeaseLost } from '../../../store/leases.ts';

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

test('JB4 JB10 work that meets a storage that is away, or lost its job, is tried again and never failed', async () => {
  const errors = [new BlobsUnavailable('away'), new LeaseLost('another process does the job now'), new BlobsUnavailable('away')];
  const { runner, steps, failures, settle } = bench(
    async () => {
      const error = errors.shift();
      if (error !== undefined) throw error;
    },
    { open: ['x'] },
  );
  runner.start();
  await settle();
  assert.deepEqual([steps.at(-1), steps.filter((step) => step === 'run x').length, failures.size], ['end x', 4, 0]);
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
  let cut: () => void = () => assert.fail('it was not told to stop');
  const { runner, steps, failures, applied, settle } = bench(
    (_, stopping) =>
      new Promise((_resolve, reject) =>
        stopping.addEventListener('abort', () => {
          cut = () => reject(new Error('cut'));
        }),
      ),
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
  cut();
  await stopped;
  applied(entryOf(change(task('d'))));
  await settle();
  assert.deepEqual(
    steps.filter((step) => step.startsWith('run')),
    ['run a'],
  );
  assert.equal(failures.size, 0);
});

test('JB3 a failure is written at once; when it cannot be, again after growing pauses', async () => {
  const { runner, slept, settle, failures } = bench(
    async () => {
      throw new Error('x');
    },
    { open: ['x'] },
  );
  runner.start();
  await settle();
  assert.deepEqual([slept, failures.size], [[], 1]);
  let tries = 0;
  const stubborn = bench(
    async () => {
      throw new Error('x');
    },
    {
      open: ['x'],
      fail: async () => {
        if (++tries < 4) throw new Error('odd');
      },
    },
  );
  stubborn.runner.start();
  await stubborn.settle();
  assert.deepEqual([tries, stubborn.slept], [4, [1_000, 2_000, 4_000]]);
});

test('JB3 JB5 what fails is logged with its kind and id, but not when the daemon stops', async () => {
  const logged: unknown[] = [];
  const open = (run: Work['run']) => {
    const work: Work = {
      ...{ kind: 'import', concurrency: 1, isOpen: () => true, openIds: () => ['x'], accept: async () => {}, run },
      fail: async () => {},
    };
    const logger: RosterLogger = {
      info: () => {},
      error: (details, text) => logged.push([text, 'kind' in details && details.kind, 'id' in details && details.id]),
    };
    const runner = new Runner({ works: [work], onApplied: () => {}, clock: fastClock(), random: () => 0, logger });
    runner.start();
    return runner;
  };
  await new Promise((resolve) => setImmediate(resolve));
  const failing = open(async () => {
    throw new Error('x');
  });
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(logged, [['a task failed', 'import', 'x']]);
  await failing.stop();
  const stopping = open((_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut')))));
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  await stopping.stop();
  assert.equal(logged.length, 1);
});

test('JB1 facts that are no documents, and documents of other work, begin nothing', async () => {
  const { runner, steps, applied, settle } = bench(async () => {});
  runner.start();
  applied({ id: 'e', time: 1, first: 1, facts: [{ t: 'app', app: { enforce_unique_usernames: 'no' } }] });
  applied(entryOf({ kind: 'outbox', id: 'a', doc: null }));
  await settle();
  assert.deepEqual(steps, []);
});
