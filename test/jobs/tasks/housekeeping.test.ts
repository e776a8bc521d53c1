/** JB6–JB8: what ends is ended, and what is no longer needed goes. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RosterLogger } from '../../../daemon/base/logger.ts';
import { Housekeeping, type HousekeepingOptions } from '../../../daemon/jobs/tasks/housekeeping.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import { ownTime } from '../../support/own-time.ts';

const quiet: RosterLogger = { info: () => {}, error: () => {} };

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
    const all = (kind: string) => (kind === 'import' ? this.imports : []);
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

/** Resolves when everything has been done that waits for nothing but its turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** From here on, time passes only where the test says so, with the returned function. */
function ownClock(t: TestContext): (ms: number) => Promise<void> {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.now() });
  const add = ownTime(t);
  return async (ms) => {
    for (let passed = 0; passed < ms; passed += 10) {
      add(10);
      t.mock.timers.tick(10);
    }
    await settled();
  };
}

test('JB6 what ends is ended in time, all of it, and nobody looks before', async (t) => {
  const pass = ownClock(t);
  const home = new Household();
  home.housekeeping.start();
  t.after(() => home.housekeeping.stop());
  await settled();
  assert.equal(home.expires, 1, 'at the start, for what ended while the daemon was away');
  const at = (Date.now() + 600) * 1_000;
  home.set([at, at, at, (Date.now() + 3_600_000) * 1_000]);
  await pass(450);
  assert.equal(home.expires, 1);
  await pass(350);
  assert.equal(home.ends.length, 1);
  assert.equal(home.expires, 5, 'one command for each and one that finds nothing more');
});

test('JB6 an end that comes before the one that was waited for wakes it earlier', async (t) => {
  const pass = ownClock(t);
  const home = new Household();
  home.housekeeping.start();
  t.after(() => home.housekeeping.stop());
  await settled();
  home.set([(Date.now() + 100_000) * 1_000]);
  await pass(300);
  home.set([(Date.now() + 300) * 1_000, (Date.now() + 100_000) * 1_000]);
  await pass(700);
  assert.equal(home.ends.length, 1);
});

test('JB7 finished imports and files that were kept long enough go; what is needed stays', async (t) => {
  ownClock(t);
  const home = new Household();
  const base = { mode: 'upsert' as const, history: [], created_at: 1 };
  const now = Date.now() * 1_000;
  home.imports.push(
    { ...base, id: 'old', path: 'p1', state: 'completed', updated_at: now - 3_000_000 },
    { ...base, id: 'new', path: 'p2', state: 'import_failed', updated_at: now },
    { ...base, id: 'open', path: 'p3', state: 'importing', updated_at: now - 9_000_000 },
  );
  home.housekeeping.start();
  await settled();
  await home.housekeeping.stop();
  assert.deepEqual(
    home.submitted.filter(({ kind }) => kind === 'docs'),
    [{ kind: 'docs', changes: [{ kind: 'import', id: 'old', doc: null }] }],
  );
  const [ages] = home.removals;
  assert.deepEqual([...(ages?.neededUploads ?? [])], ['p3']);
  assert.equal(ages?.exportsBeforeMs, Date.now() - 1_000);
  assert.equal(ages?.uploadsBeforeMs, Date.now() - 7 * 86_400_000);
});

test('JB8 while nothing can be stored it goes on living, and stop ends it', async (t) => {
  const pass = ownClock(t);
  const home = new Household();
  home.failing = 1;
  home.housekeeping.start();
  await settled();
  assert.equal(home.removals.length, 1, 'the files are seen to all the same');
  await home.housekeeping.stop();
  home.set([Date.now() * 1_000]);
  await pass(350);
  assert.equal(home.expires, 1);
});

test('JB6 a ban that ends later is no failure; one that is over and cannot be ended is told', async () => {
  const logged: unknown[] = [];
  const logger: RosterLogger = { info: () => {}, error: (details, text) => logged.push([text, details]) };
  const later = new Household({ logger });
  later.ends = [(Date.now() + 60_000) * 1_000];
  later.housekeeping.start();
  await settled();
  await later.housekeeping.stop();
  assert.deepEqual(logged, []);
  const stuck = new Household({ logger });
  // It is over by the clock of the directory alone.
  const next = (Date.now() - 60_000) * 1_000;
  Object.defineProperty(stuck.expiry, 'next', { get: () => next, set: () => {} });
  stuck.housekeeping.start();
  await settled();
  await stuck.housekeeping.stop();
  assert.deepEqual(logged, [['bans, mutes or tasks that are over could not be ended; this is tried again', { next }]]);
  assert.equal(stuck.expires, 1, 'not at once');
});

test('JB5 JB7 a stop waits for the work under way and begins no other; what was removed is told', async () => {
  const told: object[] = [];
  let release: () => void = () => {};
  const home = new Household({
    logger: { info: (details) => told.push(details), error: () => {} },
    files: {
      removeOld: () =>
        new Promise((resolve) => {
          release = () => resolve(1);
        }),
    },
  });
  home.housekeeping.start();
  await settled();
  let isStopped = false;
  const stopped = home.housekeeping.stop().then(() => {
    isStopped = true;
  });
  await settled();
  assert.equal(isStopped, false);
  release();
  await stopped;
  assert.deepEqual(told, [{ files: 1 }]);
  home.listener({ id: 'e', time: 1, first: 1, facts: [{ t: 'user', event: 'banned', user: USER }] });
  const quietly = new Household({ logger: { info: () => assert.fail('nothing was removed'), error: () => {} } });
  quietly.housekeeping.start();
  await settled();
  await quietly.housekeeping.stop();
});

test('JB7 no more than a batch of imports is removed at once', async () => {
  const home = new Household();
  const old = { mode: 'upsert' as const, history: [], created_at: 1, updated_at: 1, path: 'p', state: 'completed' };
  for (let n = 0; n < 101; n++) home.imports.push({ ...old, id: `i${n}` });
  home.housekeeping.start();
  await settled();
  await home.housekeeping.stop();
  const [removal] = home.submitted.filter(({ kind }) => kind === 'docs');
  assert.equal(removal?.kind === 'docs' && removal.changes.length, 100);
});

test('JB5 work that fails because of a stop is not reported', async () => {
  const logged: string[] = [];
  let fail: () => void = () => {};
  const home = new Household({
    logger: { info: () => {}, error: (_, text) => logged.push(text) },
    files: {
      removeOld: () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error('the disk is gone'));
        }),
    },
  });
  home.housekeeping.start();
  await settled();
  const stopped = home.housekeeping.stop();
  fail();
  await stopped;
  assert.equal(logged.length, 0);
  const running = new Household({
    logger: { info: () => {}, error: (_, text) => logged.push(text) },
    files: { removeOld: () => Promise.reject(new Error('the disk')) },
  });
  running.housekeeping.start();
  await settled();
  assert.deepEqual(logged, ['housekeeping could not be done; it is tried again']);
  await running.housekeeping.stop();
});
