/**
 * Saves a snapshot after a number of facts and at a clean stop, so that a restart replays little and old entries can be removed. Saving
 * reads a frozen view, and leaves others about two thirds of the time; only a stop is not kept waiting.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Leases } from '../../../store/leases.ts';
import type { Log } from '../../../store/log.ts';
import type { SnapshotStore } from '../../../store/snapshot.ts';
import type { Directory } from '../../core/directory/directory.ts';

export interface SnapshotterOptions {
  readonly directory: Directory;
  readonly log: Log;
  readonly store: SnapshotStore;
  /** Where several nodes share the log, the one that takes the job saves; undefined where no other process can be. */
  readonly leases: Leases | undefined;
  /**
   * Facts applied since the last snapshot that start the next one; never fewer than half of the number of users, so that saving stays
   * cheap compared with writing.
   */
  readonly everyFacts: number;
  readonly onSaved: (info: { readonly seq: number; readonly bytes: number; readonly ms: number }) => void;
  readonly onError: (error: unknown) => void;
  readonly nowMs: () => number;
}

/** Between slices of about 2 ms, while others are served. */
const REST_MS = 4;
/** Its name is stored. */
const JOB = 'snapshots';

export class Snapshotter {
  readonly #options: SnapshotterOptions;
  #savedSeq: number;
  #saving: Promise<void> | undefined;
  #isFinishing = false;
  /** When it last saved one, wall clock in milliseconds; undefined before. */
  savedMs: number | undefined;

  /** `savedSeq` is the position of the snapshot that the directory was loaded from, 0 without one. */
  constructor(options: SnapshotterOptions, savedSeq: number) {
    this.#options = options;
    this.#savedSeq = savedSeq;
  }

  /** Called after each entry; starts a snapshot in the background when one is due. */
  applied(): void {
    const { directory, everyFacts } = this.#options;
    const behind = directory.seq - this.#savedSeq;
    if (behind >= Math.max(everyFacts, directory.size / 2) && this.#saving === undefined) this.#save().catch(this.#options.onError);
  }

  /** Saves a last snapshot, unless the newest one is current, and gives the job back. */
  async finish(): Promise<void> {
    const { directory, leases } = this.#options;
    this.#isFinishing = true;
    await this.#saving?.catch(() => {});
    try {
      if (directory.seq > this.#savedSeq) await this.#save();
    } finally {
      await leases?.release(JOB).catch(() => {});
    }
  }

  #save(): Promise<void> {
    this.#saving = this.#saveNow().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #saveNow(): Promise<void> {
    const { directory, store, leases, log, onSaved, nowMs } = this.#options;
    const startedMs = nowMs();
    const before = this.#savedSeq;
    const view = directory.freeze();
    // A failed snapshot is retried after the same number of facts as a successful one, not with every entry.
    this.#savedSeq = view.position.seq;
    try {
      // All nodes come to this at the same position. Should the one that saves fail, the next one is soon enough.
      if (leases !== undefined && !(await leases.take(JOB))) return;
      const { bytes } = await store.save(view, () => (this.#isFinishing ? nextTurn() : sleep(REST_MS)));
      this.savedMs = Date.now();
      await log.snapshotSaved(view.position.seq);
      onSaved({ seq: view.position.seq, bytes, ms: nowMs() - startedMs });
    } catch (error) {
      this.#savedSeq = Math.max(before, view.position.seq - Math.ceil(this.#options.everyFacts / 2));
      throw error;
    } finally {
      view.release();
    }
  }
}
