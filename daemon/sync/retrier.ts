/**
 * Sends one request until it has a final answer: paced, and repeated for as long as there is patience.
 *
 * A request whose answer was lost is sent again. So use it only for requests that do no harm when carried out twice.
 */
import { backoffMs } from '../../protocol/base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import { type Pacer, retryAfterMs } from './pacer.ts';
import { briefOf } from './refusal.ts';
import { mayBeStored, type Reply, TransportError } from './transport.ts';

const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 20_000;
/** Random extra wait on top of `Retry-After`, so that callers with the same wait do not come back together. */
const RETRY_SPREAD_MS = 250;

export interface RetrierOptions {
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Gives up after this time without a single request getting through. 0: never tries again. */
  readonly retryForMs: number;
  /** Aborted: nothing new is sent and all waits end; requests in flight may finish. */
  readonly stopping: AbortSignal;
  /** Aborted: requests in flight are dropped too. */
  readonly leaving: AbortSignal;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
  readonly onTalk: (text: string) => void;
}

export class Retrier {
  readonly #options: RetrierOptions;
  /** Time since which nothing got through; undefined while requests get through. Shared by all requests in flight. */
  #troubleSinceMs: number | undefined;

  constructor(options: RetrierOptions) {
    this.#options = options;
  }

  /**
   * The first answer that trying again would not change; undefined when the run was stopped or gave up before there was one.
   * Never rejects because of the network or the server.
   */
  async request(send: (leaving: AbortSignal) => Promise<Reply>, pacer: Pacer): Promise<Reply | undefined> {
    const { clock, random, stopping } = this.#options;
    for (let attempt = 0; ; attempt++) {
      if (!(await pacer.acquire(stopping))) return undefined;
      const { reply, problem } = await this.#attempt(send, pacer);
      if (problem === undefined) {
        this.#noteProgress();
        return reply;
      }
      const askedMs = reply === undefined ? undefined : retryAfterMs(reply, clock.now());
      const waitMs =
        askedMs === undefined ? backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS) : askedMs + random() * RETRY_SPREAD_MS;
      if (stopping.aborted || !this.#mayWait(problem, waitMs)) return undefined;
      await clock.sleep(waitMs, stopping);
    }
  }

  /** One attempt. `problem` says in words why another one is worthwhile. */
  async #attempt(
    send: (leaving: AbortSignal) => Promise<Reply>,
    pacer: Pacer,
  ): Promise<{ readonly reply?: Reply; readonly problem?: string }> {
    let reply: Reply | undefined;
    try {
      reply = await send(this.#options.leaving);
    } catch (error) {
      if (error instanceof TransportError) return { problem: error.message };
      if (this.#options.leaving.aborted) return { problem: 'left' };
      throw error;
    } finally {
      pacer.release(reply);
    }
    const isPassing = reply.status === 429 || reply.status === 408 || reply.status >= 500;
    return isPassing ? { reply, problem: `status ${reply.status}, ${briefOf(reply)}` } : { reply };
  }

  #noteProgress(): void {
    if (this.#troubleSinceMs !== undefined) this.#options.onTalk('it goes on');
    this.#troubleSinceMs = undefined;
  }

  /** False when the patience ends before the wait does; the run then ends. */
  #mayWait(problem: string, waitMs: number): boolean {
    const { clock, retryForMs, onTalk, onFatal } = this.#options;
    const now = clock.now();
    if (this.#troubleSinceMs === undefined) {
      this.#troubleSinceMs = now;
      if (retryForMs > 0) onTalk(`the daemon does not take users (${problem}); trying again for up to ${formatDuration(retryForMs)}`);
    }
    if (now + waitMs - this.#troubleSinceMs <= retryForMs) return true;
    onFatal(`no batch got through for ${formatDuration(now - this.#troubleSinceMs)}: ${problem}`);
    return false;
  }
}

/** How the sending of a write ended. */
export interface SentWrite {
  /** The final answer; undefined when the run ended before there was one. */
  readonly reply: Reply | undefined;
  /** Some attempt had no such answer and may be stored. */
  readonly isInDoubt: boolean;
}

/** Sends a write as `retrier.request` does, and notes whether attempts without a final answer may be stored. */
export async function sendWrite(
  retrier: Pick<Retrier, 'request'>,
  send: (leaving: AbortSignal) => Promise<Reply>,
  pacer: Pacer,
): Promise<SentWrite> {
  let isInDoubt = false;
  const attempt = async (leaving: AbortSignal): Promise<Reply> => {
    try {
      const reply = await send(leaving);
      isInDoubt ||= mayBeStored({ reply });
      return reply;
    } catch (thrown) {
      isInDoubt ||= mayBeStored({ thrown });
      throw thrown;
    }
  };
  const reply = await retrier.request(attempt, pacer);
  return { reply, isInDoubt };
}

/** A write that was not sent. */
export const UNSENT: SentWrite = { reply: undefined, isInDoubt: false };
