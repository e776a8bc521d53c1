/**
 * The first few attempts at a delivery, in quick succession. The line handles everything after them.
 *
 * It keeps WH7 (daemon/RULES.md).
 */
import { backoffMs } from '../../../protocol/base/backoff.ts';
import type { Clock } from '../../base/clock.ts';

/** The result of one request. */
export type SendResult =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'network'; readonly reason: string }
  | { readonly kind: 'timeout' }
  /** The address must not be reached. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Cut off from this side: this says nothing about the receiver. */
  | { readonly kind: 'stopped' };

/** `attempts` counts all requests of this event so far. */
export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly attempts: number }
  | { readonly kind: 'failed'; readonly attempts: number; readonly reason: string; readonly retryAfterMs: number }
  | { readonly kind: 'stopped' };

export const QUICK_MS = 15_000;
const PAUSE_BASE_MS = 250;
const PAUSE_CAP_MS = 2_000;

export interface QuickOptions {
  /** Sends the request once. */
  readonly send: (attempt: number, timeoutMs: number) => Promise<SendResult>;
  /** Number of earlier requests of this event. */
  readonly before: number;
  readonly timeoutMs: number;
  /** Largest number of requests, whatever the answers are. */
  readonly attemptsMax: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborted: no further attempt begins. */
  readonly stopping: AbortSignal;
}

export async function quickAttempts({
  send,
  before,
  timeoutMs,
  attemptsMax,
  clock,
  random,
  stopping,
}: QuickOptions): Promise<DeliveryResult> {
  const endsMs = clock.now() + QUICK_MS;
  for (let count = 1; ; count++) {
    // The first one, too: the event may have been read from a file until now.
    if (stopping.aborted) return { kind: 'stopped' };
    // The first request has the timeout of the hook, even if that is longer than the time for all quick attempts.
    const answer = await send(before + count, count === 1 ? timeoutMs : Math.min(timeoutMs, Math.max(1, endsMs - clock.now())));
    if (answer.kind === 'stopped') return answer;
    if (isSuccess(answer)) return { kind: 'delivered', attempts: before + count };
    const retryAfterMs = answer.kind === 'status' ? (answer.retryAfterMs ?? 0) : 0;
    const pauseMs = Math.max(retryAfterMs, backoffMs(count, random, PAUSE_BASE_MS, PAUSE_CAP_MS));
    const isLast = count >= Math.min(attemptsMax, attemptsFor(answer)) || clock.now() + pauseMs >= endsMs;
    if (isLast) return { kind: 'failed', attempts: before + count, reason: sendReason(answer), retryAfterMs };
    await clock.sleep(pauseMs, stopping);
  }
}

export function isSuccess(answer: SendResult): boolean {
  return answer.kind === 'status' && answer.status >= 200 && answer.status < 300;
}

function attemptsFor(answer: SendResult): number {
  switch (answer.kind) {
    case 'status':
      return answer.status === 408 || answer.status === 429 || answer.status >= 500 ? 3 : 1;
    case 'timeout':
      return 3;
    case 'network':
      return 2;
    case 'refused':
    case 'stopped':
      return 1;
  }
}

export function sendReason(answer: SendResult): string {
  switch (answer.kind) {
    case 'status':
      return answer.status >= 300 && answer.status < 400
        ? `answered ${answer.status}; redirects are not followed`
        : `answered ${answer.status}`;
    case 'timeout':
      return 'no answer in time';
    case 'network':
    case 'refused':
      return answer.reason;
    case 'stopped':
      return 'cut off';
  }
}
