/**
 * Brings batches to the daemon: paced, retried, and with the users that the daemon refuses taken out one by one.
 *
 * A request whose answer was lost is sent again. That is safe: an upsert that changes nothing is a no-op for the daemon.
 * Every user of a batch comes back exactly once: counted, as a failure, or as not sent.
 */

import { backoffMs } from '../../../protocol/client/backoff.ts';
import { isObject, parseObject } from '../../../protocol/json.ts';
import type { Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { Pacer, retryAfterMs } from './pacer.ts';
import { messageOf, type Reason, readRefusal } from './refusal.ts';
import type { Failure, SourceUser } from './source.ts';
import { type Answer, type Send, TransportError } from './transport.ts';

const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 20_000;
/** Added to what `Retry-After` asks for, so that those who were told the same do not come back together. */
const RETRY_SPREAD_MS = 250;

export interface Delivery {
  created: number;
  updated: number;
  unchanged: number;
  /** Accepted by a server that does not say what became of them. */
  sent: number;
  readonly failures: Failure[];
  readonly notSent: SourceUser[];
}

export interface DelivererOptions {
  readonly send: Send;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Gives up after so long without a single batch getting through. 0: never tries again. */
  readonly retryForMs: number;
  /** Aborted: nothing new is sent and nothing is waited for; what is out may finish. */
  readonly stopping: AbortSignal;
  /** Aborted: what is out is dropped too. */
  readonly leaving: AbortSignal;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
  readonly onTalk: (text: string) => void;
}

export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #pacer: Pacer;
  /** Since when no batch got through; undefined while they do. Shared by all batches in flight. */
  #troubleSinceMs: number | undefined;

  constructor(options: DelivererOptions) {
    this.#options = options;
    this.#pacer = new Pacer(options.clock);
  }

  /** Never rejects because of the network or the server; that ends in `failures` or `notSent`. */
  async deliver(users: readonly SourceUser[]): Promise<Delivery> {
    const delivery: Delivery = { created: 0, updated: 0, unchanged: 0, sent: 0, failures: [], notSent: [] };
    const waiting: (readonly SourceUser[])[] = [users];
    for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
      if (batch.length === 0) continue;
      const answer = await this.#exchange(batch);
      if (answer === undefined) delivery.notSent.push(...batch);
      else if (answer.status < 300) this.#count(delivery, batch, answer);
      else waiting.push(...this.#takeOut(delivery, batch, answer));
    }
    return delivery;
  }

  /** What is left to send of a batch that was refused. */
  #takeOut(delivery: Delivery, batch: readonly SourceUser[], answer: Answer): readonly (readonly SourceUser[])[] {
    const refusal = readRefusal(answer, batch);
    switch (refusal.kind) {
      case 'named': {
        const { reasons } = refusal;
        for (const user of batch) fail(delivery, user, reasons.get(user.id));
        return [batch.filter(({ id }) => !reasons.has(id))];
      }
      case 'unnamed': {
        const [only] = batch;
        if (batch.length > 1 || only === undefined) {
          const middle = Math.ceil(batch.length / 2);
          return [batch.slice(middle), batch.slice(0, middle)];
        }
        fail(delivery, only, refusal.reason);
        return [];
      }
      case 'fatal':
        delivery.notSent.push(...batch);
        this.#options.onFatal(refusal.reason);
        return [];
    }
  }

  #count(delivery: Delivery, batch: readonly SourceUser[], answer: Answer): void {
    const body = parseObject(answer.body);
    if (body === undefined || !isObject(body.users)) {
      delivery.notSent.push(...batch);
      this.#options.onFatal(`the answer is not that of a user directory (status ${answer.status}): ${messageOf(answer).slice(0, 200)}`);
      return;
    }
    let told = 0;
    for (const change of ['created', 'updated', 'unchanged'] as const) {
      const ids = body[change];
      if (!Array.isArray(ids)) continue;
      delivery[change] += ids.length;
      told += ids.length;
    }
    delivery.sent += Math.max(0, batch.length - told);
  }

  /** The first answer that trying again would not change; undefined when there was none before stopping or giving up. */
  async #exchange(batch: readonly SourceUser[]): Promise<Answer | undefined> {
    const { clock, random, stopping } = this.#options;
    const body = `{"users":{${batch.map(({ id, json }) => `"${id}":${json}`).join(',')}}}`;
    for (let attempt = 0; ; attempt++) {
      if (!(await this.#pacer.acquire(stopping))) return undefined;
      const { answer, problem } = await this.#attempt(body);
      if (problem === undefined) {
        this.#noteProgress();
        return answer;
      }
      const askedMs = answer === undefined ? undefined : retryAfterMs(answer, clock.now());
      const waitMs =
        askedMs === undefined ? backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS) : askedMs + random() * RETRY_SPREAD_MS;
      if (stopping.aborted || !this.#mayWait(problem, waitMs)) return undefined;
      await clock.sleep(waitMs, stopping);
    }
  }

  /** One request. `problem` says in words why it is worth another. */
  async #attempt(body: string): Promise<{ answer?: Answer; problem?: string }> {
    let answer: Answer | undefined;
    try {
      answer = await this.#options.send(body, this.#options.leaving);
    } catch (error) {
      if (error instanceof TransportError) return { problem: error.message };
      if (this.#options.leaving.aborted) return { problem: 'left' };
      throw error;
    } finally {
      this.#pacer.release(answer);
    }
    const isPassing = answer.status === 429 || answer.status === 408 || answer.status >= 500;
    return isPassing ? { answer, problem: `status ${answer.status}, ${messageOf(answer).slice(0, 200)}` } : { answer };
  }

  #noteProgress(): void {
    if (this.#troubleSinceMs !== undefined) this.#options.onTalk('it goes on');
    this.#troubleSinceMs = undefined;
  }

  /** False when the patience would be over before the wait is; the run then ends. */
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

function fail(delivery: Delivery, { line, id }: SourceUser, why: Reason | undefined): void {
  if (why !== undefined) delivery.failures.push({ line, id, ...why });
}
