/**
 * Keeps `last_active` current for users whose connection stays open; otherwise a user connected over midnight would not be counted on the
 * new day. Once a minute, it records activity for users with a live connection whose `last_active` is due, in small batches, at a lower
 * priority than all work that a caller waits for.
 */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { inSlices } from '../../base/slices.ts';
import { isActivityDue } from '../../core/directory/usage.ts';

const ROUND_MS = 60_000;

export interface ActivityOptions {
  /** Users with a live connection. */
  readonly connected: () => Iterable<string>;
  /** When the user was last active; undefined if it never was, or no longer exists. */
  readonly lastActive: (id: string) => Micros | undefined;
  readonly submit: (command: Command) => Promise<unknown>;
  /** Wall clock in microseconds. */
  readonly now: () => Micros;
  /** Receives the error of a round; the next round makes up for it. */
  readonly onError: (error: unknown) => void;
}

export class ActivityRounds {
  readonly #options: ActivityOptions;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isStopped = false;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.round(), ROUND_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Records activity for every user that is due. Never rejects. Does nothing while an earlier round is still running. */
  async round(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      const due = await inSlices(this.#due());
      for (let from = 0; from < due.length && !this.#isStopped; from += LIMITS.batchUsers) {
        await this.#options.submit({ kind: 'active', ids: due.slice(from, from + LIMITS.batchUsers) });
      }
    } catch (error) {
      if (!this.#isStopped) this.#options.onError(error);
    } finally {
      this.#isRunning = false;
    }
  }

  *#due(): Generator<undefined, string[]> {
    const { connected, lastActive, now } = this.#options;
    const due: string[] = [];
    for (const id of connected()) {
      const last = lastActive(id);
      if (last !== undefined && isActivityDue(last, now())) due.push(id);
      yield;
    }
    return due;
  }
}
