/**
 * Reads the log for one webhook and passes on the events that it wants, as fast as there is room for them.
 *
 * It keeps WH15 (daemon/RULES.md).
 */

import { type HookEvent, hookEventOf } from '../../../protocol/hooks/payload.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';

const RETRY_MS = 10_000;

/** The part of the log that is read here. */
export interface EventSource {
  follow(after: number, signal: AbortSignal): AsyncIterable<Entry>;
  readonly keptAfter: number;
}

export interface ReaderOptions {
  readonly hookId: string;
  readonly source: EventSource;
  readonly clock: Clock;
  readonly logger: RosterLogger;
  readonly stopping: AbortSignal;
  readonly wants: (event: HookEvent) => boolean;
  /** Resolves when there is room for one more event, or at a stop. */
  readonly room: () => Promise<void>;
  readonly admit: (event: HookEvent) => void;
  readonly lost: (positions: number) => Promise<void>;
  /** Called when the position has moved. */
  readonly onMoved: () => void;
}

export class HookReader {
  readonly #options: ReaderOptions;
  #at: number;
  #worth: number;

  constructor(options: ReaderOptions, position: number) {
    this.#options = options;
    this.#at = position;
    this.#worth = position;
  }

  /** Everything up to here was read. */
  get at(): number {
    return this.#at;
  }

  /** The last position read, without facts that only store positions of webhooks: writing those down would never end. */
  get worth(): number {
    return this.#worth;
  }

  /** Resolves at a stop. Never rejects. */
  async run(): Promise<void> {
    const { source, stopping, logger, clock, hookId } = this.#options;
    while (!stopping.aborted) {
      try {
        for await (const entry of source.follow(this.#at, stopping)) await this.#take(entry);
        return;
      } catch (error) {
        if (stopping.aborted) return;
        if (source.keptAfter > this.#at) await this.#lose(source.keptAfter);
        else {
          logger.error({ err: error, hook: hookId }, 'a webhook cannot read the log; it is tried again');
          await clock.sleep(RETRY_MS, stopping);
        }
      }
    }
  }

  async #take({ first, time, facts }: Entry): Promise<void> {
    const { wants, room, admit, stopping, onMoved } = this.#options;
    for (const [index, fact] of facts.entries()) {
      const seq = first + index;
      if (seq <= this.#at) continue;
      const event = hookEventOf(fact, seq, time);
      if (event !== undefined && wants(event)) {
        await room();
        if (stopping.aborted) return;
        admit(event);
      }
      this.#at = seq;
      if (fact.t !== 'doc' || fact.kind !== 'outbox') this.#worth = seq;
    }
    onMoved();
  }

  async #lose(keptAfter: number): Promise<void> {
    const { logger, lost, onMoved, hookId } = this.#options;
    const positions = keptAfter - this.#at;
    this.#at = keptAfter;
    this.#worth = keptAfter;
    logger.error(
      { hook: hookId, positions },
      'a webhook was behind for so long that the log no longer has what comes next; it is lost to it',
    );
    await lost(positions);
    onMoved();
  }
}
