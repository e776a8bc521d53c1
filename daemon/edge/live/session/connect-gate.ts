/**
 * The number of connects in progress at once. When a whole user base reconnects in the same moment, a few connects at a time are checked
 * and written, in order of arrival and in slices between other work. Some more wait, bounded in number and bytes. Further ones are refused
 * before any work is done, with a time to retry at. So a storm hardly slows running sessions, and takes a bounded amount of memory.
 */
import { RosterError } from '../../../../protocol/base/errors.ts';
import type { Turns } from '../../../base/turns.ts';

/** Connects that are being checked, written or welcomed: enough to share a write to the disk. */
const CONCURRENT_MAX = 64;
/** Bytes that the frames of waiting connects may take together. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** A refused client retries after a time between these two. */
const RETRY_MIN_MS = 1_000;
const RETRY_SPREAD_MS = 4_000;

/** A refusal that says when a retry can help. */
export class RetryLater extends RosterError {
  readonly retryMs: number;

  constructor(kind: 'unavailable' | 'rate_limit', reason: string, retryMs: number) {
    super(kind, reason);
    this.retryMs = retryMs;
  }
}

/** Ends the turn of a connect; call it once. */
type Leave = () => void;

interface Waiting {
  readonly bytes: number;
  readonly start: (leave: Leave) => void;
}

export interface ConnectGateOptions {
  readonly waitingMax: number;
  readonly turns: Turns;
  /** Numbers in [0, 1) that spread the retries of refused clients. */
  readonly random: () => number;
}

export class ConnectGate {
  readonly #options: ConnectGateOptions;
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  #running = 0;
  #refused = 0;

  constructor(options: ConnectGateOptions) {
    this.#options = options;
  }

  /** Number of connects that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Number of connects that found no place, so far. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Resolves when it is the turn of a connect whose frame has this many bytes; the resolved function ends the turn. Throws RetryLater when
   * too many wait already.
   */
  enter(bytes: number): Promise<Leave> {
    const hasPlace = this.#running < CONCURRENT_MAX;
    const isFull = this.#waiting.size >= this.#options.waitingMax || this.#waitingBytes + bytes > WAITING_BYTES_MAX;
    if (!hasPlace && isFull) throw this.#sentAway();
    return new Promise((start) => {
      this.#waiting.add({ bytes, start });
      this.#waitingBytes += bytes;
      if (hasPlace) this.#next();
    });
  }

  #begin(): Leave {
    this.#running++;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#running--;
      this.#next();
    };
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#waitingBytes -= next.bytes;
    const leave = this.#begin();
    void this.#options.turns.next().then(() => next.start(leave));
  }

  #sentAway(): RetryLater {
    this.#refused++;
    const retryMs = RETRY_MIN_MS + Math.floor(this.#options.random() * RETRY_SPREAD_MS);
    return new RetryLater('unavailable', `too many clients connect at the moment; come back in ${retryMs} ms`, retryMs);
  }
}
