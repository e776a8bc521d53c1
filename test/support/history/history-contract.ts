/** What holds for the history of users wherever it is kept: in files of one daemon, or in rows that nodes share. */
import assert from 'node:assert/strict';
import { type TestContext, type TestOptions, test } from 'node:test';
import { systemClock } from '../../../daemon/base/clock.ts';
import type { HistoryPage, HistoryQuestion } from '../../../daemon/jobs/history/lookup.ts';
import type { HistoryRecorderOptions } from '../../../daemon/jobs/history/recorder.ts';
import type { Entry, Fact, UserFact } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';

export interface RunningHistory {
  page(question: HistoryQuestion): Promise<HistoryPage>;
  stop(): Promise<void>;
}

/** One place where histories are kept, one after another. */
export interface KeptHistory {
  start(options: Pick<HistoryRecorderOptions, 'roster' | 'keepMs' | 'logger' | 'clock'>): Promise<RunningHistory>;
}

export interface HistoryForm {
  readonly options: TestOptions;
  /** A place without a history. */
  keep(t: TestContext): Promise<KeptHistory>;
}

const NOW = 1_763_729_000_000;
const KEEP_MS = 24 * 3_600_000;

function fact(id: string, event: UserFact['event'] = 'updated'): UserFact {
  const user = { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 0, updated_at: 0 };
  return { t: 'user', event, user, from: { source: 'server' }, ...(event === 'updated' ? { fields: ['name'] } : {}) };
}

const seqs = ({ items }: HistoryPage): readonly number[] => items.map(({ seq }) => seq);
const told = ({ items }: HistoryPage): readonly (readonly [number, string])[] => items.map(({ seq, event }) => [seq, event]);

/** A log, and the histories of it in one place. */
class Follower {
  readonly #t: TestContext;
  readonly #kept: KeptHistory;
  log: MemoryLog;
  nowMs = NOW;
  /** From where the log was read. */
  readonly readAfter: number[] = [];
  #entries = 0;

  constructor(t: TestContext, kept: KeptHistory, log = new MemoryLog({ epoch: 'one', retentionFacts: 1e6 })) {
    this.#t = t;
    this.#kept = kept;
    this.log = log;
  }

  async write(...facts: readonly Fact[]): Promise<void> {
    await this.writeAt((NOW + this.log.head.seq) * 1_000, ...facts);
  }

  async writeAt(time: number, ...facts: readonly Fact[]): Promise<void> {
    await this.log.append(this.log.head.seq, { id: `entry-${++this.#entries}`, time, facts });
  }

  async start(keepMs = KEEP_MS): Promise<RunningHistory> {
    const { log, readAfter } = this;
    const roster = {
      follow: (after: number, signal: AbortSignal): AsyncIterable<Entry> => {
        readAfter.push(after);
        return log.read(after, signal);
      },
      get keptAfter() {
        return log.tail;
      },
      get position() {
        return log.head;
      },
    };
    const clock = { now: () => this.nowMs, sleep: systemClock.sleep };
    const history = await this.#kept.start({ roster, keepMs, clock, logger: { info: () => {}, error: () => {} } });
    this.#t.after(() => history.stop());
    return history;
  }
}

export function historyContract({ options, keep }: HistoryForm): void {
  test('HY5 what was acknowledged before a lookup is in it, and nothing that is nobody’s business', options, async (t) => {
    const follower = new Follower(t, await keep(t));
    const history = await follower.start();
    await follower.write(fact('ann', 'created'), fact('bob', 'created'));
    await follower.write(fact('ann', 'silent'), { t: 'doc', kind: 'role', id: 'x', doc: null });
    for (let round = 0; round < 20; round++) {
      await follower.write(fact('ann'));
      const page = await history.page({ id: 'ann', limit: 1 });
      const expected = { seq: 5 + round, at: (NOW + 4 + round) * 1_000, event: 'updated', source: 'server', fields: ['name'] };
      assert.deepEqual(page.items, [expected]);
    }
    assert.deepEqual((await history.page({ id: 'bob', limit: 10 })).items, [
      { seq: 2, at: NOW * 1_000, event: 'created', source: 'server' },
    ]);
    // A change that is not recorded is waited for, too, and quickly.
    await follower.write(fact('ann', 'silent'));
    assert.deepEqual(seqs(await history.page({ id: 'ann', limit: 1 })), [24]);
  });

  test('HY1 pages hold each change once, newest first, whatever their size', options, async (t) => {
    const follower = new Follower(t, await keep(t));
    const history = await follower.start();
    for (let round = 0; round < 10; round++) await follower.write(...Array.from({ length: 700 }, (_, n) => fact(`user-${n % 70}`)));
    const own = Array.from({ length: 100 }, (_, n) => n * 70 + 4).reverse();
    for (const limit of [1, 13, 99, 100, 101]) {
      const found: number[] = [];
      let pages = 0;
      for (let before: number | undefined; pages === 0 || before !== undefined; pages++) {
        const page = await history.page({ id: 'user-3', limit, before });
        found.push(...seqs(page));
        before = page.next;
      }
      assert.deepEqual([found, pages], [own, Math.ceil(100 / limit)], `pages of ${limit}`);
    }
    assert.deepEqual(seqs(await history.page({ id: 'user-3', limit: 2, before: own[10] })), own.slice(11, 13));
    assert.deepEqual(seqs(await history.page({ id: 'user-3', limit: 2, before: 1 })), []);
  });

  test('HY2 what was taken before a stop is there after it, and the log is read from there', options, async (t) => {
    const follower = new Follower(t, await keep(t));
    const first = await follower.start();
    for (let round = 0; round < 50; round++) await follower.write(fact('ann'), fact('bob'));
    await first.page({ id: 'ann', limit: 1 });
    await first.stop();
    follower.readAfter.length = 0;
    await follower.write(fact('ann'));
    const second = await follower.start();
    const page = await second.page({ id: 'ann', limit: 100 });
    assert.deepEqual(seqs(page), [101, ...Array.from({ length: 50 }, (_, index) => 99 - 2 * index)]);
    assert.deepEqual([follower.readAfter, page.from], [[100], NOW * 1_000]);
  });

  test('HY5 another epoch, and a log that lost its end, leave what is still true', options, async (t) => {
    const kept = await keep(t);
    const longer = new Follower(t, kept);
    const first = await longer.start();
    for (let round = 0; round < 10; round++) await longer.write(fact('ann'));
    await first.page({ id: 'ann', limit: 1 });
    await first.stop();

    const shorter = new Follower(t, kept);
    for (let round = 0; round < 6; round++) await shorter.write(fact('ann'));
    const second = await shorter.start();
    assert.deepEqual(seqs(await second.page({ id: 'ann', limit: 100 })), [6, 5, 4, 3, 2, 1]);
    await shorter.write(fact('ann'));
    assert.deepEqual(seqs(await second.page({ id: 'ann', limit: 100 })), [7, 6, 5, 4, 3, 2, 1]);
    await second.stop();

    // As after a journal was lost: the new one begins at the snapshot.
    const anew = new Follower(t, kept, new MemoryLog({ epoch: 'two', start: 4 }));
    const third = await anew.start();
    assert.deepEqual(seqs(await third.page({ id: 'ann', limit: 100 })), [4, 3, 2, 1]);
    await anew.write(fact('ann'));
    assert.deepEqual(seqs(await third.page({ id: 'ann', limit: 100 })), [5, 4, 3, 2, 1]);
  });

  test('HY6 what the log let go of before it was read is told as a gap', options, async (t) => {
    const follower = new Follower(t, await keep(t), new MemoryLog({ epoch: 'one', retentionFacts: 0 }));
    const first = await follower.start();
    await follower.write(fact('ann', 'created'));
    await first.page({ id: 'ann', limit: 1 });
    await first.stop();
    await follower.write(fact('ann'), fact('ann'));
    await follower.log.snapshotSaved(3);
    await follower.log.snapshotSaved(3);
    assert.equal(follower.log.tail, 3);
    await follower.write(fact('ann'));
    const second = await follower.start();
    const page = await second.page({ id: 'ann', limit: 10 });
    const all = [
      [4, 'updated'],
      [3, 'gap'],
      [1, 'created'],
    ] as const;
    assert.deepEqual([told(page), page.from], [all, (NOW + 3) * 1_000]);
    const part = await second.page({ id: 'ann', limit: 2 });
    assert.deepEqual([told(part), part.next], [all.slice(0, 2), 3], 'it counts as an item');
    const rest = await second.page({ id: 'ann', limit: 2, before: 3 });
    assert.deepEqual([told(rest), rest.next], [all.slice(2), undefined]);
  });

  test('HY4 CK1 changes from a log that is ahead of the clock have the time of the clock, and are kept no longer', options, async (t) => {
    const follower = new Follower(t, await keep(t));
    const aYearAhead = (NOW + 365 * KEEP_MS) * 1_000;
    await follower.writeAt(aYearAhead, fact('ann'));
    const history = await follower.start();
    const times = async (): Promise<number[]> => (await history.page({ id: 'ann', limit: 10 })).items.map(({ at }) => at);
    assert.deepEqual(await times(), [NOW * 1_000]);
    // A clock that was back for one change hides this change, and no other.
    follower.nowMs = NOW - 10 * KEEP_MS;
    await follower.writeAt(aYearAhead + 1, fact('ann'));
    await history.page({ id: 'ann', limit: 10 });
    follower.nowMs = NOW + 1_000;
    await follower.writeAt(aYearAhead + 2, fact('ann'));
    assert.deepEqual(await times(), [(NOW + 1_000) * 1_000, NOW * 1_000]);
    follower.nowMs = NOW + KEEP_MS + 1;
    assert.deepEqual(await times(), [(NOW + 1_000) * 1_000]);
  });

  test('HY8 kept for no time nothing is kept, and what there was is removed', options, async (t) => {
    const follower = new Follower(t, await keep(t));
    const first = await follower.start();
    await follower.write(fact('ann', 'created'));
    await first.page({ id: 'ann', limit: 1 });
    await first.stop();
    const off = await follower.start(0);
    await assert.rejects(off.page({ id: 'ann', limit: 1 }), /no history of users is kept \(history\.keep_h is 0\)/);
    await off.stop();
    await follower.log.snapshotSaved(1);
    follower.readAfter.length = 0;
    const again = await follower.start();
    await follower.write(fact('ann'));
    await again.page({ id: 'ann', limit: 10 });
    assert.deepEqual(new Set(follower.readAfter), new Set([0]), 'nothing says that anything was read');
  });
}
