/** CK1–CK3 and JB6: ten wall clocks that go wrong. Order comes from the log, ends come from the wall clock. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext, test } from 'node:test';
import { Housekeeping } from '../../../daemon/jobs/tasks/housekeeping.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { MemorySnapshots } from '../../../store/snapshot/memory.ts';
import { eventually } from '../../support/eventually.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { seeded } from '../../support/random.ts';

const SERVER = { kind: 'server' } as const;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;
/** 2026-03-04T05:06:07Z */
const START_MS = 1_772_600_767_000;

/** A directory with its housekeeping, under a wall clock that is set as a test likes. */
class Clockwork {
  log = new MemoryLog({ epoch: 'e' });
  readonly snapshots = new MemorySnapshots();
  readonly entries: Entry[] = [];
  readonly logged: string[] = [];
  expires = 0;
  cleanings = 0;
  setMs = 0;
  readonly #speed: number;
  readonly #startedMs = performance.now();
  #stop: () => Promise<void> = async () => {};
  #roster: Roster | undefined;

  constructor(speed: number) {
    this.#speed = speed;
  }

  readonly nowMs = (): number => START_MS + this.setMs + (performance.now() - this.#startedMs) * this.#speed;

  get roster(): Roster {
    assert.ok(this.#roster);
    return this.#roster;
  }

  async open(): Promise<void> {
    const logger = {
      info: (_: object, text: string) => this.logged.push(text),
      error: (_: object, text: string) => this.logged.push(text),
    };
    const roster = await rosterWith({
      ...{ log: this.log, snapshots: this.snapshots, logger, snapshotEveryFacts: 1_000 },
      now: () => Math.round(this.nowMs() * 1_000),
      onFatal: (error) => assert.fail(String(error)),
    });
    this.#roster = roster;
    roster.onApplied((entry) => {
      // An earlier one still follows the log.
      if (roster === this.#roster) this.entries.push(entry);
    });
    const housekeeping = new Housekeeping({
      roster: {
        directory: roster.directory,
        submit: (command, lane) => {
          if (command.kind === 'expire') this.expires++;
          return roster.submit(command, lane);
        },
        onApplied: (listener) => roster.onApplied(listener),
      },
      files: { removeOld: async () => this.cleanings++ },
      logger,
      nowMs: this.nowMs,
      exportsKeptMs: DAY_MS,
      tasksKeptMs: DAY_MS,
    });
    housekeeping.start();
    this.#stop = async () => {
      await housekeeping.stop();
      await roster.hub.flush();
    };
  }

  async close(): Promise<void> {
    await this.#stop();
  }

  async write(name: string): Promise<void> {
    await this.roster.submit({ kind: 'upsert', actor: SERVER, users: [{ id: 'ann', name, custom: {} }], problems: [] }, 'live');
  }

  async ban(): Promise<number> {
    await this.roster.submit({ kind: 'ban', actor: SERVER, target: 'ann', minutes: 1 }, 'live');
    const [ban] = this.roster.directory.user('ann')?.bans ?? [];
    assert.ok(ban?.expires !== undefined);
    return ban.expires / 1_000;
  }

  get isBanned(): boolean {
    return (this.roster.directory.user('ann')?.bans?.length ?? 0) > 0;
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const random = seeded(7);

interface Wrong {
  readonly what: string;
  /** What the clock is set by before each write. */
  readonly steps: readonly number[];
  readonly speed?: number;
  readonly restarts?: boolean;
}

const CLOCKS: readonly Wrong[] = [
  { what: 'is a day ahead, and set back', steps: [DAY_MS, -DAY_MS] },
  { what: 'is set back by a day', steps: [-DAY_MS] },
  { what: 'is ten years ahead, and set back', steps: [10 * YEAR_MS, -10 * YEAR_MS] },
  { what: 'is set back by ten years', steps: [-10 * YEAR_MS] },
  { what: 'is a year ahead for one write', steps: [0, YEAR_MS, -YEAR_MS, 0] },
  { what: 'is set back, then forward', steps: [-YEAR_MS, YEAR_MS] },
  { what: 'stands still', steps: [0, 0, 0], speed: 0 },
  { what: 'runs a hundred times too fast', steps: [0, 0], speed: 100 },
  { what: 'jumps at every write', steps: Array.from({ length: 20 }, () => Math.round((random() - 0.5) * 2 * YEAR_MS)) },
  { what: 'is a year ahead until a restart', steps: [YEAR_MS, -YEAR_MS], restarts: true },
];

async function open(t: TestContext, { steps, speed = 1, restarts = false }: Wrong): Promise<Clockwork> {
  const work = new Clockwork(speed);
  await work.open();
  t.after(() => work.close());
  for (const [index, step] of steps.entries()) {
    if (restarts && index > 0) {
      await work.close();
      work.setMs += step;
      await work.open();
    } else work.setMs += step;
    await work.write(`step ${index}`);
  }
  return work;
}

async function endures(t: TestContext, wrong: Wrong): Promise<void> {
  const work = await open(t, wrong);
  const speed = wrong.speed ?? 1;
  const beforeMs = work.nowMs();
  const endsMs = await work.ban();
  assert.ok(endsMs >= beforeMs + MINUTE_MS - 1 && endsMs <= work.nowMs() + MINUTE_MS + 1, `a minute became ${endsMs - beforeMs} ms`);
  if (speed <= 1) {
    work.setMs += MINUTE_MS - 20_000;
    await wait(800);
    assert.equal(work.isBanned, true, 'not before its time');
    work.setMs += 20_000;
  }
  await eventually(() => !work.isBanned, 'it does not end at its time');
  await work.write('at the end');
  const times = work.entries.map(({ time }) => time);
  assert.deepEqual(
    times,
    [...new Set(times)].sort((a, b) => a - b),
    'stamps never go back',
  );
  const seqs = work.entries.map(({ first }) => first);
  assert.deepEqual(
    seqs,
    [...new Set(seqs)].sort((a, b) => a - b),
  );
  assert.ok(work.expires < 12, `${work.expires} times something was looked for: a busy loop`);
}

describe('ten wrong clocks', { concurrency: true }, () => {
  for (const wrong of CLOCKS) {
    it(`CK1 CK2 a clock that ${wrong.what}: bans end by the wall clock, stamps and order go on`, (t) => endures(t as TestContext, wrong));
  }
});

test('CK2 an end that the clock has jumped over comes at once; one that it has jumped away from waits', async (t) => {
  const work = await open(t, { what: '', steps: [0] });
  await work.ban();
  work.setMs -= DAY_MS;
  await wait(800);
  assert.equal(work.isBanned, true);
  work.setMs += 2 * DAY_MS;
  await eventually(() => !work.isBanned);
});

test('CK3 a gap between log and wall clock is logged once, shown, and its end is logged', async (t) => {
  const work = await open(t, { what: '', steps: [YEAR_MS] });
  assert.equal(work.roster.clockGap.ms, 0);
  work.setMs -= YEAR_MS;
  await work.write('1');
  await work.write('2');
  assert.ok(Math.abs(work.roster.clockGap.ms - YEAR_MS) < 10_000);
  const gaps = () => work.logged.filter((text) => text.includes('wall clock')).length;
  assert.equal(gaps(), 1);
  work.setMs += 2 * YEAR_MS;
  await work.write('3');
  assert.deepEqual([work.roster.clockGap.ms, gaps()], [0, 2]);
  // From a snapshot alone, too.
  await work.roster.close();
  await work.close();
  work.log = new MemoryLog({ epoch: 'e', start: work.roster.position.seq });
  work.setMs -= YEAR_MS;
  await work.open();
  assert.equal(gaps(), 3);
});

test('CK1 tasks and receipts from a time that has not come yet do not hold back those after them', async (t) => {
  const work = await open(t, { what: '', steps: [0] });
  const once = (key: string) =>
    work.roster.submit(
      { kind: 'once', key, fingerprint: key, command: { kind: 'deactivate', ids: ['nobody'], options: {}, task: `task-${key}` } },
      'live',
    );
  work.setMs += YEAR_MS;
  await once('ahead');
  work.setMs -= YEAR_MS;
  await once('now');
  const kept = (kind: 'receipt' | 'task'): string[] => [...work.roster.directory.docs.all(kind)].map(({ id }) => id);
  work.setMs += 8 * DAY_MS;
  await work.roster.submit({ kind: 'expire' }, 'bulk');
  assert.deepEqual([kept('receipt'), kept('task')], [['ahead'], ['task-ahead']]);
  work.setMs += YEAR_MS;
  await work.roster.submit({ kind: 'expire' }, 'bulk');
  assert.deepEqual([kept('receipt'), kept('task')], [[], []]);
});

test('CK1 activity follows the wall clock back', async (t) => {
  const work = await open(t, { what: '', steps: [0] });
  const connect = () => work.roster.submit({ kind: 'connect', id: 'ann', details: { custom: {} } }, 'live');
  work.setMs += YEAR_MS;
  await connect();
  work.setMs -= YEAR_MS;
  await connect();
  const at = work.roster.directory.user('ann')?.last_active ?? 0;
  assert.ok(Math.abs(at / 1_000 - work.nowMs()) < 10_000);
});

test('JB7 a clock that is set forward by an hour or more lets what was kept long enough go at once', async (t) => {
  const work = await open(t, { what: 'is set forward', steps: [0] });
  await eventually(() => work.cleanings === 1);
  work.setMs += DAY_MS;
  await eventually(() => work.cleanings === 2);
});
