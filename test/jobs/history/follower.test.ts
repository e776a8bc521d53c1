/** HY5–HY8, and the contract of the history in files: it follows the log of a real directory, whatever the log and the disk do meanwhile. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HistoryJob, type HistoryJobOptions } from '../../../daemon/jobs/history/follower.ts';
import type { HistoryPage } from '../../../daemon/jobs/history/lookup.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Entry, Fact, UserFact } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually, quickest } from '../../support/eventually.ts';
import { historyContract } from '../../support/history/history-contract.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const NOW = 1_763_729_000_000;
const KEEP_MS = 24 * 3_600_000;

function fact(id: string, event: UserFact['event'] = 'updated'): UserFact {
  const user = { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 0, updated_at: 0 };
  return { t: 'user', event, user, from: { source: 'server' }, ...(event === 'updated' ? { fields: ['name'] } : {}) };
}

/** The log and what a directory says of it. */
class Rig {
  readonly log: MemoryLog;
  readonly folder: string;
  readonly lines: string[] = [];
  /** Each sleep, and what ends it. */
  wake: () => void = () => {};
  sleeping: Promise<void>;
  #told: () => void = () => {};
  readonly #t: TestContext;
  #entries = 0;

  constructor(t: TestContext, folder: string, log = new MemoryLog({ epoch: 'one', retentionFacts: 1e6 })) {
    this.#t = t;
    this.folder = folder;
    this.log = log;
    this.sleeping = this.#nextSleep();
  }

  #nextSleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#told = resolve;
    });
  }

  async write(...facts: readonly Fact[]): Promise<void> {
    await this.log.append(this.log.head.seq, { id: `entry-${++this.#entries}`, time: (NOW + this.log.head.seq) * 1_000, facts });
  }

  /** The job sleeps no more. */
  async goOn(): Promise<void> {
    this.wake();
    await nextTurn();
  }

  start(options: Partial<HistoryJobOptions> = {}): HistoryJob {
    const { log } = this;
    const job = new HistoryJob({
      roster: {
        follow: (after: number, signal: AbortSignal): AsyncIterable<Entry> => log.read(after, signal),
        get keptAfter() {
          return log.tail;
        },
        get position() {
          return log.head;
        },
      },
      folder: this.folder,
      keepMs: KEEP_MS,
      bytesMax: 1 << 20,
      logger: { info: (_, text) => void this.lines.push(text), error: (_, text) => void this.lines.push(`error: ${text}`) },
      clock: {
        now: () => NOW,
        sleep: (_, signal) =>
          new Promise((resolve) => {
            this.wake = resolve;
            signal?.addEventListener('abort', () => resolve());
            this.#told();
            this.sleeping = this.#nextSleep();
          }),
      },
      ...options,
    });
    job.start();
    this.#t.after(() => job.stop());
    return job;
  }
}

const seqs = ({ items }: HistoryPage): readonly number[] => items.map(({ seq }) => seq);
const unavailable = (error: unknown): boolean => error instanceof RosterError && error.kind === 'unavailable';

test('HY5 after a stop it goes on where it was, and after a kill too', async (t) => {
  const rig = new Rig(t, '/history');
  const disk = new SimDisk(new Random(2));
  const first = rig.start({ fileSystem: disk });
  for (let round = 0; round < 50; round++) await rig.write(fact('ann'));
  await first.page({ id: 'ann', limit: 1 });
  await first.stop();
  await assert.rejects(first.page({ id: 'ann', limit: 1 }), unavailable);
  for (let round = 0; round < 50; round++) await rig.write(fact('ann'));
  // A part of its first write happens, and nothing after it.
  let isDead = false;
  disk.plan = (point) => {
    isDead ||= point === 'group-write';
    return isDead ? { type: 'error', code: 'EIO' } : undefined;
  };
  const killed = rig.start({ fileSystem: disk });
  assert.deepEqual(seqs(await killed.page({ id: 'ann', limit: 1 })), [100]);
  await killed.stop();
  assert.ok(isDead);
  const last = rig.start({ fileSystem: disk.killed() });
  assert.deepEqual(
    seqs(await last.page({ id: 'ann', limit: 100 })),
    Array.from({ length: 100 }, (_, index) => 100 - index),
  );
});

test('HY6 where the log goes on without it, it goes on where the log is', async (t) => {
  const disk = new SimDisk(new Random(5));
  const rig = new Rig(t, await temporaryDirectory(), new MemoryLog({ epoch: 'one', retentionFacts: 0 }));
  const job = rig.start({ fileSystem: disk });
  await rig.write(fact('ann', 'created'));
  await job.page({ id: 'ann', limit: 1 });
  disk.plan = () => ({ type: 'error', code: 'ENOSPC' });
  // More than is held in memory.
  while (!rig.lines.some((line) => line.startsWith('error'))) {
    await rig.write(...Array.from({ length: 1_000 }, () => fact('bob')));
    await nextTurn();
  }
  await rig.write(fact('ann'));
  await rig.log.snapshotSaved(rig.log.head.seq);
  await rig.log.snapshotSaved(rig.log.head.seq);
  const { tail } = rig.log;
  await assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
  disk.plan = () => undefined;
  await rig.goOn();
  await rig.write(fact('ann'));
  const page = await job.page({ id: 'ann', limit: 10 });
  assert.deepEqual(
    page.items.map(({ seq, event }) => [seq, event]),
    [
      [tail + 1, 'updated'],
      [tail, 'gap'],
      [1, 'created'],
    ],
  );
});

test('HY7 while the disk refuses a lookup is refused rather than told half; then nothing is missing', async (t) => {
  const disk = new SimDisk(new Random(5));
  const rig = new Rig(t, await temporaryDirectory());
  const job = rig.start({ fileSystem: disk });
  await rig.write(fact('ann', 'created'));
  await job.page({ id: 'ann', limit: 1 });
  disk.plan = () => ({ type: 'error', code: 'ENOSPC' });
  let facts = 1;
  const isStuck = rig.sleeping;
  while (!rig.lines.some((line) => line.startsWith('error'))) {
    await rig.write(...Array.from({ length: 1_000 }, () => fact('bob')));
    facts += 1_000;
    await nextTurn();
  }
  await isStuck;
  await rig.write(fact('ann'));
  await assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
  const isStuckAgain = rig.sleeping;
  rig.wake();
  await isStuckAgain;
  await assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
  assert.equal(rig.lines.filter((line) => line.startsWith('error')).length, 1, `told once: ${rig.lines}`);
  disk.plan = () => undefined;
  await rig.goOn();
  await rig.write(fact('ann'));
  const page = await job.page({ id: 'ann', limit: 10 });
  assert.deepEqual(seqs(page), [facts + 2, facts + 1, 1]);
  assert.equal(page.from, NOW * 1_000);
  assert.equal(rig.lines.at(-1), 'the history of users goes on');
});

test('HY7 a folder that cannot be used does not end the daemon, and is tried again', async (t) => {
  const folder = join(await temporaryDirectory(), 'history');
  await writeFile(folder, 'in the way');
  const rig = new Rig(t, folder);
  const isStuck = rig.sleeping;
  const job = rig.start();
  await rig.write(fact('ann', 'created'));
  await isStuck;
  await assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
  await rm(folder);
  await rig.goOn();
  assert.deepEqual(seqs(await job.page({ id: 'ann', limit: 1 })), [1]);
});

test('HY8 kept for no time nothing is kept, and what there was is removed', async (t) => {
  const folder = await temporaryDirectory();
  const rig = new Rig(t, join(folder, 'history'));
  await mkdir(rig.folder);
  const first = rig.start();
  await rig.write(fact('ann', 'created'));
  await first.page({ id: 'ann', limit: 1 });
  await first.stop();
  assert.deepEqual(await readdir(folder), ['history']);
  const off = rig.start({ keepMs: 0 });
  await assert.rejects(off.page({ id: 'ann', limit: 1 }), /no history of users is kept \(history\.keep_h is 0\)/);
  await off.stop();
  assert.deepEqual(await readdir(folder), []);
});

test('HY5 a lookup waits five seconds for what was acknowledged before it, and then is refused', async (t) => {
  const rig = new Rig(t, await temporaryDirectory());
  await rig.write(fact('ann'));
  const { log } = rig;
  const job = rig.start({
    roster: {
      follow: (after: number, signal: AbortSignal) => log.read(after, signal),
      keptAfter: 0,
      get position() {
        return { ...log.head, seq: log.head.seq + (isAhead ? 1 : 0) };
      },
    },
  });
  let isAhead = false;
  assert.deepEqual(seqs(await job.page({ id: 'ann', limit: 1 })), [1]);
  isAhead = true;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let outcome = 'waits';
  const late = job.page({ id: 'ann', limit: 1 }).then(
    () => (outcome = 'found'),
    (error) => (outcome = String(error.message)),
  );
  await nextTurn();
  t.mock.timers.tick(4_999);
  await nextTurn();
  assert.equal(outcome, 'waits');
  t.mock.timers.tick(1);
  await late;
  assert.equal(outcome, 'the history is behind the directory at the moment');
  const inTime = job.page({ id: 'ann', limit: 1 });
  await rig.write(fact('ann'));
  isAhead = false;
  assert.deepEqual(seqs(await inTime), [2]);
  t.mock.timers.reset();
});

test('CK1 a change that is a second ahead of the clock keeps its time; one that is further ahead has that of the clock', async (t) => {
  const rig = new Rig(t, await temporaryDirectory());
  for (const [index, aheadMicros] of [1_000_000, 1_000_001].entries())
    await rig.log.append(index, { id: `e${index}`, time: NOW * 1_000 + aheadMicros, facts: [fact('ann')] });
  const job = rig.start();
  const { items } = await job.page({ id: 'ann', limit: 10 });
  assert.deepEqual(
    items.map(({ at }) => at - NOW * 1_000),
    [0, 1_000_000],
  );
});

test('HY7 a history that cannot be read refuses the lookup, and logs who it was about', async (t) => {
  const disk = new SimDisk(new Random(6));
  const logged: unknown[] = [];
  const rig = new Rig(t, '/history');
  const job = rig.start({
    fileSystem: disk,
    logger: { info: () => {}, error: (details, text) => logged.push([text, 'user_id' in details && details.user_id]) },
  });
  await rig.write(fact('ann'));
  await job.page({ id: 'ann', limit: 1 });
  await assert.rejects(job.page({ id: 'ann', limit: 1, before: Symbol('no place') as never }), unavailable);
  assert.deepEqual(logged, [['the history of a user could not be read', 'ann']]);
});

test('HY5 a lookup at the start of a daemon has its answer as soon as the history is open', async (t) => {
  const rig = new Rig(t, await temporaryDirectory());
  const first = rig.start();
  await rig.write(fact('ann'));
  await first.page({ id: 'ann', limit: 1 });
  await first.stop();
  const tookMs = await quickest(async () => {
    const next = rig.start();
    assert.deepEqual(seqs(await next.page({ id: 'ann', limit: 1 })), [1]);
    await next.stop();
  });
  assert.ok(tookMs < 4_500, 'it did not wait until it gave up');
});

test('HY2 what was read before a stop is on the disk when it resolves', async (t) => {
  const rig = new Rig(t, '/history');
  const disk = new SimDisk(new Random(7));
  const job = rig.start({ fileSystem: disk });
  await rig.write(fact('ann'), fact('bob'));
  await job.page({ id: 'ann', limit: 1 });
  await job.stop();
  const { log } = rig;
  const asked: number[] = [];
  const follow = (after: number, signal: AbortSignal): AsyncIterable<Entry> => {
    asked.push(after);
    return log.read(after, signal);
  };
  const next = rig.start({ fileSystem: disk.lostPower(), roster: { follow, keptAfter: 0, position: log.head } });
  assert.deepEqual(seqs(await next.page({ id: 'bob', limit: 1 })), [2]);
  assert.deepEqual(asked, [2], 'the log is read from there');
});

test('HY4 what is too old goes from the disk at the hourly round, without any change', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const rig = new Rig(t, await temporaryDirectory());
  let nowMs = NOW;
  const job = rig.start({ keepMs: 3_600_000, clock: { now: () => nowMs, sleep: async () => {} } });
  await rig.write(fact('ann'));
  await job.page({ id: 'ann', limit: 1 });
  nowMs += 3 * 3_600_000;
  t.mock.timers.tick(3_600_000);
  await eventually(async () => !(await readdir(rig.folder)).includes('00000001.ndjson'));
  assert.deepEqual(await readdir(rig.folder), ['00000002.ndjson']);
  assert.equal(rig.lines.filter((line) => line.startsWith('error')).length, 0);
});

test('HY5 a stop ends a lookup that waits', async (t) => {
  const rig = new Rig(t, await temporaryDirectory());
  await rig.write(fact('ann'));
  const { log } = rig;
  const follow = (after: number, signal: AbortSignal): AsyncIterable<Entry> => log.read(after, signal);
  const tookMs = await quickest(async () => {
    const job = rig.start({ roster: { follow, keptAfter: 0, position: { epoch: 'one', seq: 9 } } });
    const waiting = assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
    await nextTurn();
    await job.stop();
    await waiting;
  });
  assert.ok(tookMs < 4_500, `${tookMs} ms`);
});

test('HY7 a history that cannot begin on a full disk begins once it can', async (t) => {
  const disk = new SimDisk(new Random(8));
  disk.plan = () => ({ type: 'error', code: 'ENOSPC' });
  const rig = new Rig(t, '/history');
  const isStuck = rig.sleeping;
  const job = rig.start({ fileSystem: disk });
  await rig.write(fact('ann'));
  await isStuck;
  await assert.rejects(job.page({ id: 'ann', limit: 1 }), unavailable);
  disk.plan = () => undefined;
  await rig.goOn();
  assert.deepEqual(seqs(await job.page({ id: 'ann', limit: 1 })), [1]);
});

test('HY5 once the log is closed, the history follows it no more', async (t) => {
  const rig = new Rig(t, await temporaryDirectory());
  const { log } = rig;
  let reads = 0;
  const follow = (after: number, signal: AbortSignal): AsyncIterable<Entry> => {
    // A job that goes on would never let this test have its turn.
    assert.ok(reads < 3, 'it reads again and again');
    reads++;
    return log.read(after, signal);
  };
  const job = rig.start({ roster: { follow, keptAfter: 0, position: log.head } });
  await rig.write(fact('ann'));
  await job.page({ id: 'ann', limit: 1 });
  await log.close();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(reads, 1);
});

describe('files', () =>
  historyContract({
    options: {},
    keep: async () => {
      const folder = await temporaryDirectory();
      return {
        start: async (options) => {
          const job = new HistoryJob({ ...options, folder, bytesMax: 1 << 26 });
          job.start();
          return job;
        },
      };
    },
  }));
