/**
 * A store on a simulated disk, worked with until it crashes and reopened as production does, and the memory of what it has
 * promised meanwhile. After each reopening the promises are checked.
 */
import assert from 'node:assert/strict';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { openLocked } from '../../../store/data-dir.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { type Log, LogTrimmed, LogUnavailable } from '../../../store/log.ts';
import type { SnapshotLine, SnapshotStore } from '../../../store/snapshot.ts';
import { draft, readToHead } from './entries.ts';
import type { Random } from './random.ts';
import type { SimDisk } from './sim-disk.ts';

const DIRECTORY = '/d';

export class SimWorld {
  readonly #random: Random;
  disk: SimDisk;
  readonly events: StoreEvent[] = [];
  /** Ids of acknowledged or served entries by their first seq: these must be there for ever, or be covered by the snapshot. */
  readonly #promised = new Map<number, string>();
  /** Ids handed to append. Nothing else may ever come out. */
  readonly #attempted = new Set<string>();
  /** Ids refused as `not-written`: these must never come out. */
  readonly #refused = new Set<string>();
  /** Seq of the newest snapshot whose save has resolved. */
  #snapshotSeq = 0;
  #epoch: string | undefined;
  #count = 0;
  /** False while the store is being opened. */
  opened = false;

  constructor(disk: SimDisk, random: Random) {
    this.disk = disk;
    this.#random = random;
  }

  /** Opens the store, checks every promise, and returns what was opened. */
  async open(): Promise<{ log: Log; snapshots: SnapshotStore }> {
    this.opened = false;
    const { log, snapshots, loaded } = await openLocked(DIRECTORY, {
      fileSystem: this.disk,
      journal: { segmentBytes: 4_000, recentBytes: 2_000, blockBytes: 1_000, retention: { bytes: 6_000 } },
      onEvent: (event) => this.events.push(event),
    });
    const covered = loaded?.position.seq ?? 0;
    assert.ok(covered >= this.#snapshotSeq, `the snapshot at ${this.#snapshotSeq} is gone, ${covered} was loaded`);
    let lines = 0;
    for await (const chunk of loaded?.chunks() ?? []) lines += chunk.length;
    assert.equal(lines, loaded === undefined ? 0 : covered % 7, 'lines of the snapshot');
    assert.ok(log.tail <= covered, `the log starts after ${log.tail}, the snapshot ends with ${covered}`);
    if (this.#promised.size > 0) assert.equal(log.head.epoch, this.#epoch, 'LG8: the epoch changed though nothing was lost');
    this.#epoch = log.head.epoch;
    this.#check(await readToHead(log), log);
    this.opened = true;
    return { log, snapshots };
  }

  #check(entries: readonly Entry[], log: Log): void {
    let at = log.tail;
    const found = new Map<number, string>();
    for (const entry of entries) {
      assert.equal(entry.first, at + 1, 'LG3: a hole');
      at = lastSeq(entry);
      assert.ok(this.#attempted.has(entry.id), `LG9: ${entry.id} was never appended`);
      assert.ok(!this.#refused.has(entry.id), `LG5: ${entry.id} was refused as not written`);
      assert.equal(entry.facts.length, factsOf(entry.id), 'LG1: facts are missing');
      found.set(entry.first, entry.id);
    }
    assert.equal(at, log.head.seq, 'the log ends before its head');
    for (const [first, id] of this.#promised)
      if (first > log.tail) assert.equal(found.get(first), id, `LG9: the entry at ${first} is gone`);
    // What came back is durable now, whoever was told of it.
    for (const [first, id] of found) this.#promised.set(first, id);
  }

  /** Works for about `rounds` bursts of appends with snapshots between them. Never resolves when the disk dies meanwhile. */
  async work(log: Log, snapshots: SnapshotStore, rounds: number): Promise<void> {
    const stop = new AbortController();
    const following = this.#follow(log, stop.signal);
    for (let round = 0; round < rounds; round++) {
      await this.#burst(log);
      if (this.#random.chance(0.3)) await this.#snapshot(log, snapshots);
    }
    stop.abort();
    await following;
  }

  async #follow(log: Log, signal: AbortSignal): Promise<void> {
    try {
      for await (const entry of log.read(log.head.seq, signal)) this.#promised.set(entry.first, entry.id);
    } catch (error) {
      // Snapshots may overtake this reader.
      if (!(error instanceof LogTrimmed)) throw error;
    }
  }

  async #burst(log: Log): Promise<void> {
    let after = log.head.seq;
    const appends = Array.from({ length: 1 + this.#random.below(6) }, () => {
      const facts = 1 + this.#random.below(4);
      const one = draft(`e${this.#count++}/${facts}`, { facts, bytes: this.#random.below(400) });
      this.#attempted.add(one.id);
      const appending = log.append(after, one).then(
        (result) => {
          if (result.status === 'appended') this.#promised.set(result.entry.first, one.id);
          else this.#refused.add(one.id);
        },
        (error: unknown) => {
          if (!(error instanceof LogUnavailable)) throw error;
          if (error.outcome === 'not-written') this.#refused.add(one.id);
        },
      );
      after += facts;
      return appending;
    });
    await Promise.all(appends);
  }

  /** What the snapshot would hold is of no interest here, only how many lines there are. */
  async #snapshot(log: Log, snapshots: SnapshotStore): Promise<void> {
    const position = log.head;
    const lines = function* (): Generator<SnapshotLine> {
      for (let line = 0; line < position.seq % 7; line++) yield { line };
    };
    const saved = await snapshots.save({ position, lines }).catch(() => undefined);
    if (saved === undefined) return;
    this.#snapshotSeq = position.seq;
    await log.snapshotSaved(position.seq).catch(() => {});
  }
}

function factsOf(id: string): number {
  return Number(id.split('/')[1]);
}
