/**
 * Keeps a sync within the server's rate limit, as given by `X-RateLimit-Limit`, `-Remaining`, `-Reset` and `Retry-After`.
 *
 * The budget of a window is the smallest `Remaining` seen in it, minus the requests in flight, the only ones that the server
 * may have counted since. So no request starts on a budget that may be used up.
 */
import type { Clock } from '../base/clock.ts';
import type { Reply } from './transport.ts';

/** The reset is given in whole seconds; the slack stays clear of the last moments of the old window. */
const RESET_SLACK_MS = 100;
/** No limit of rosterd has a longer window; a server that names a later reset has a wrong clock. */
const WINDOW_MS_MAX = 5 * 60_000;
/** A server may also limit the requests of one second, to a thirtieth of those of a minute. */
const SECOND_OF_MINUTE = 30;
/** Depending on how the server rounds, the reset of one window may be given a second earlier or later. */
const RESET_WOBBLE_S = 2;
/** Two thirds of the limit per second are used: requests arrive less evenly than they start. That is still more than a minute allows. */
const CAREFUL_SHARE = 2 / 3;
/** Shorter waits are not worth a timer. */
const SLEEP_MS_MIN = 1;
const SECOND_MS = 1_000;

export interface PacerOptions {
  /**
   * Avoids every refusal: only one request is in flight until the limit is known, and a limit per second is assumed.
   * Without it, short runs are not slowed down on servers without a limit per second.
   */
  readonly isCareful?: boolean;
}

/** A limit as `GET /rate_limits` gives it. `reset` in unix seconds. */
export interface KnownLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly reset: number;
}

interface Window {
  /** As the server wrote it; identifies the window. */
  readonly reset: number;
  /** By the local clock. */
  readonly endsAtMs: number;
  readonly limit: number;
  remaining: number;
}

export class Pacer {
  readonly #clock: Clock;
  readonly #isCareful: boolean;
  #isAnswered = false;
  #window: Window | undefined;
  #inFlight = 0;
  #notBeforeMs = 0;
  #spacingMs = 0;
  /** Replaced and resolved on every answer. */
  #answered = new AbortController();

  constructor(clock: Clock, { isCareful = false }: PacerOptions = {}) {
    this.#clock = clock;
    this.#isCareful = isCareful;
  }

  /** Starts with a known limit, so that even the first request stays within it. */
  begin({ limit, remaining, reset }: KnownLimit, reply: Reply): void {
    const now = this.#clock.now();
    this.#meet(windowOf(limit, remaining, reset, reply, now));
    // Somebody used the limit, maybe just now: the second that counts those requests may still be running.
    if (this.#spacingMs >= SLEEP_MS_MIN && remaining < limit) this.#notBeforeMs = Math.max(this.#notBeforeMs, now + SECOND_MS);
  }

  /** Resolves with true when a request may start; `release` must follow. False: `signal` aborted before. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    for (;;) {
      if (signal.aborted) return false;
      const now = this.#clock.now();
      const waitMs = this.#waitMs(now);
      if (waitMs <= 0) {
        this.#inFlight++;
        this.#notBeforeMs = Math.max(this.#notBeforeMs, now) + this.#spacingMs;
        return true;
      }
      await this.#clock.sleep(waitMs, AbortSignal.any([signal, this.#answered.signal]));
    }
  }

  /** Ends a request. Without an answer nothing is learned. */
  release(reply?: Reply): void {
    this.#inFlight--;
    if (reply !== undefined) this.#learn(reply);
    this.#answered.abort();
    this.#answered = new AbortController();
  }

  #waitMs(now: number): number {
    if (this.#notBeforeMs - now >= SLEEP_MS_MIN) return this.#notBeforeMs - now;
    const window = this.#window;
    if (window === undefined) return this.#isCareful && !this.#isAnswered && this.#inFlight > 0 ? WINDOW_MS_MAX : 0;
    // After the reset the budget is full again, but no answer has confirmed it yet.
    const budget = now >= window.endsAtMs ? Math.max(1, window.limit) : window.remaining;
    if (budget - this.#inFlight > 0) return 0;
    return now >= window.endsAtMs ? WINDOW_MS_MAX : window.endsAtMs - now;
  }

  #learn(reply: Reply): void {
    const now = this.#clock.now();
    const hadBudget = (this.#window?.remaining ?? 0) > 0;
    this.#isAnswered = true;
    const told = readWindow(reply, now);
    if (told !== undefined) this.#meet(told);
    if (reply.status !== 429) return;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, now + (retryAfterMs(reply, now) ?? 0));
    // Refused although the minute had room: there is also a limit per second, and only a slower pace stays below it.
    const limit = this.#window?.limit ?? 0;
    if (hadBudget && limit > 0) this.#spacingMs = Math.max(this.#spacingMs, Math.ceil((SECOND_MS * SECOND_OF_MINUTE) / limit));
  }

  #meet(told: Window): void {
    const current = this.#window;
    if (current === undefined || told.reset > current.reset + RESET_WOBBLE_S) this.#window = told;
    else if (told.reset >= current.reset - RESET_WOBBLE_S) current.remaining = Math.min(current.remaining, told.remaining);
    if (!this.#isCareful) return;
    const isFirst = this.#spacingMs === 0;
    this.#spacingMs = SECOND_MS / (CAREFUL_SHARE * Math.max(1, Math.floor(told.limit / SECOND_OF_MINUTE)));
    // The request that brought the limit counts in its second.
    if (isFirst) this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#clock.now() + this.#spacingMs);
  }
}

/** The wait that `Retry-After` asks for (seconds or a date), in milliseconds; undefined without a readable header. */
export function retryAfterMs(reply: Reply, nowMs: number): number | undefined {
  const text = reply.header('retry-after');
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - serverNow(reply, nowMs));
}

function readWindow(reply: Reply, nowMs: number): Window | undefined {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => wholeNumber(reply.header(`x-ratelimit-${name}`)));
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined;
  return windowOf(limit, remaining, reset, reply, nowMs);
}

function windowOf(limit: number, remaining: number, reset: number, reply: Reply, nowMs: number): Window {
  const leftMs = Math.min(WINDOW_MS_MAX, Math.max(0, reset * 1_000 - serverNow(reply, nowMs)));
  return { reset, endsAtMs: nowMs + leftMs + RESET_SLACK_MS, limit, remaining };
}

/** The server's clock, if the reply has it: the local clock may be wrong by more than a window. */
function serverNow(reply: Reply, nowMs: number): number {
  const date = Date.parse(reply.header('date') ?? '');
  return Number.isNaN(date) ? nowMs : date;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
