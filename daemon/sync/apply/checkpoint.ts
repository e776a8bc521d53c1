/**
 * The progress of applying a plan, kept outside of the process so that a killed run can be resumed.
 *
 * A checkpoint never claims more than is done: everything up to its line was acknowledged, and an acknowledgement means on disk.
 * Work done after that line is sent again and found unchanged.
 */
import { isObject } from '../../../protocol/base/json.ts';
import type { Clock } from '../../base/clock.ts';
import { NO_RESULTS, type SyncCounts } from '../counts.ts';

export const CHECKPOINT_VERSION = 1;
/** Each checkpoint costs disk syncs. Work done between two checkpoints is found unchanged after a crash. */
const EVERY_MS = 1_000;

export interface Checkpoint {
  readonly rosterd_checkpoint: typeof CHECKPOINT_VERSION;
  /** SHA-256 of the plan. */
  readonly plan: string;
  readonly plan_path: string;
  /** True when the plan was made for this run from a source, and is removed with it. */
  readonly is_plan_temporary: boolean;
  /** Line of the plan up to which everything is done; 1, its header, at the start. */
  readonly at: number;
  readonly counts: SyncCounts;
  /** The report up to this checkpoint. A resumed run writes the bytes after it again. */
  readonly report: { readonly path: string; readonly bytes: number };
  /** RFC 3339. */
  readonly updated_at: string;
  /** Nothing is left to do. */
  readonly finished: boolean;
}

export interface CheckpointStore {
  /** Replaces the previous checkpoint. Resolves when it is on disk. */
  write(progress: Pick<Checkpoint, 'at' | 'counts' | 'finished'>, reportBytes: number): Promise<void>;
}

export function isCheckpoint(value: unknown): value is Checkpoint {
  if (!isObject(value) || value.rosterd_checkpoint !== CHECKPOINT_VERSION) return false;
  const { plan, plan_path, is_plan_temporary, at, counts, report, updated_at, finished } = value;
  return (
    [plan, plan_path, updated_at].every((text) => typeof text === 'string') &&
    [is_plan_temporary, finished].every((flag) => typeof flag === 'boolean') &&
    isCount(at) &&
    isObject(counts) &&
    // A checkpoint of an earlier version of the program has fewer counts.
    Object.keys(NO_RESULTS).every((name) => isCount(counts[name] ?? 0)) &&
    isObject(report) &&
    typeof report.path === 'string' &&
    isCount(report.bytes)
  );
}

/** Writes checkpoints at a bounded rate, however fast the run progresses. */
export class Checkpointer {
  readonly #store: CheckpointStore;
  readonly #syncReport: () => Promise<number>;
  readonly #clock: Clock;
  #dueMs: number;

  constructor(store: CheckpointStore, syncReport: () => Promise<number>, clock: Clock) {
    this.#store = store;
    this.#syncReport = syncReport;
    this.#clock = clock;
    this.#dueMs = clock.now() + EVERY_MS;
  }

  /** Writes a checkpoint if enough time has passed since the last one. Rejects with the system's error. */
  async note(at: number, counts: SyncCounts): Promise<void> {
    if (this.#clock.now() >= this.#dueMs) await this.write(at, counts, false);
  }

  async write(at: number, counts: SyncCounts, finished: boolean): Promise<void> {
    // The report is synced first: a checkpoint must not claim lines that a power failure can take back.
    const bytes = await this.#syncReport();
    await this.#store.write({ at, counts: { ...counts }, finished }, bytes);
    this.#dueMs = this.#clock.now() + EVERY_MS;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
