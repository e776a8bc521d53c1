/** Removes segments that are no longer needed (LG11, LG12); retention.ts selects them. */
import { basename } from 'node:path';
import type { OnStoreEvent } from '../events.ts';
import { type FileSystem, removeDurably } from '../file-system.ts';
import type { JournalExtent } from '../store.ts';
import { type Retention, removableSegments } from './retention.ts';
import type { Segment } from './segment.ts';

export interface TrimmerOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Oldest first, the last one is active. The trimmer removes segments from it. */
  readonly segments: Segment[];
  /** Seq of the newest snapshot. */
  readonly covered: number;
  readonly retention: Retention;
  readonly heldBytes: number;
  readonly now: () => number;
  readonly onEvent: OnStoreEvent;
}

export class Trimmer {
  readonly #options: TrimmerOptions;
  readonly #holds = new Map<string, number>();
  /** The last two snapshots. Entries after the older one stay, so that it can replace a damaged newer one. */
  #snapshots: readonly [older: number, newer: number];
  #tail: number;
  #trimming: Promise<void> = Promise.resolve();

  constructor(options: TrimmerOptions) {
    this.#options = options;
    this.#snapshots = [options.covered, options.covered];
    this.#tail = (options.segments[0]?.first ?? 1) - 1;
  }

  /** Everything later is kept. */
  get tail(): number {
    return this.#tail;
  }

  get extent(): JournalExtent {
    const { segments } = this.#options;
    return {
      bytes: segments.reduce((sum, { end }) => sum + end, 0),
      oldest: segments.find(({ firstTime }) => firstTime !== undefined)?.firstTime,
    };
  }

  hold(name: string, after: number | undefined): void {
    if (after === undefined) this.#holds.delete(name);
    else this.#holds.set(name, after);
  }

  /** Resolves when all segments that need not be kept are removed, durably. */
  snapshotSaved(seq: number): Promise<void> {
    this.#snapshots = [this.#snapshots[1], seq];
    this.#trimming = this.idle().then(() => this.#trim());
    return this.#trimming;
  }

  /** Resolves when no removal is in progress. */
  idle(): Promise<void> {
    return this.#trimming.catch(() => {});
  }

  /** Oldest first, each removal durable before the next: a crash never leaves a hole between segments. */
  async #trim(): Promise<void> {
    const { fs, directory, segments, retention, heldBytes, now, onEvent } = this.#options;
    const held = { after: Math.min(...this.#holds.values()), bytesMax: heldBytes };
    let count = removableSegments(segments, Math.min(...this.#snapshots), now(), retention, held);
    for (; count > 0; count--) {
      const segment = segments[0];
      if (segment === undefined) return;
      this.#tail = segment.last;
      await removeDurably(fs, 'retention', directory, basename(segment.path));
      segments.shift();
      onEvent({ type: 'segment-removed', file: segment.path, tail: this.#tail });
      const names = [...this.#holds].flatMap(([name, after]) => (after < segment.last ? [name] : []));
      if (names.length > 0) onEvent({ type: 'held-segment-removed', file: segment.path, tail: this.#tail, names });
    }
  }
}
