/** One of several writers to a log, which reads it, decides and appends as the sequencer does. */
import assert from 'node:assert/strict';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import type { Log } from '../../../store/log.ts';
import { eventually } from '../eventually.ts';
import { draft } from './entries.ts';

export const CONFLICTS_BEFORE_TURN = 4;

/** Follows a log like the applier does, and knows how far it has come. */
export class LogFollower {
  readonly entries: Entry[] = [];
  readonly #stop = new AbortController();
  readonly running: Promise<void>;

  constructor(log: Log, onEntry: (entry: Entry) => void | Promise<void> = () => {}) {
    this.running = (async () => {
      for await (const entry of log.read(0, this.#stop.signal)) {
        await onEntry(entry);
        this.entries.push(entry);
      }
    })();
  }

  get seq(): number {
    const newest = this.entries.at(-1);
    return newest === undefined ? 0 : lastSeq(newest);
  }

  get ids(): readonly string[] {
    return this.entries.map(({ id }) => id);
  }

  async reached(seq: number): Promise<void> {
    await eventually(
      () => this.seq >= seq,
      () => `${this.seq} of ${seq} was read`,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.running;
  }
}

/** Appends as the sequencer does: decides on what was read, again after each conflict, in a turn after four. Returns the longest streak. */
export async function writeAll(log: Log, follower: LogFollower, ids: readonly string[], facts = 1): Promise<number> {
  let longest = 0;
  for (const id of ids) {
    for (let conflicts = 0; ; conflicts++) {
      longest = Math.max(longest, conflicts);
      assert.ok(conflicts < 20, 'an endless loop of conflicts');
      const attempt = async (head?: number) => {
        if (head !== undefined) await follower.reached(head);
        return await log.append(follower.seq, draft(id, { facts }));
      };
      const result = conflicts < CONFLICTS_BEFORE_TURN ? await attempt() : await log.turn(attempt);
      await follower.reached(result.status === 'appended' ? lastSeq(result.entry) : result.head);
      if (result.status === 'appended') break;
    }
  }
  return longest;
}
