/** One attempt at an event: the quick requests of a new event, or a single request for a letter or a probe. */
import type { Hook } from '../../../protocol/hooks/hooks.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Item } from './lanes.ts';
import type { Letters } from './letters.ts';
import { type DeliveryResult, quickAttempts, type SendResult } from './quick-attempts.ts';

/** Time for one request to a hook that sets none. */
export const HOOK_TIMEOUT_MS = 6_000;

/** Prepares the request of an event. The returned function sends it once and never rejects. */
export type SendEvent = (
  hook: Hook,
  item: Pick<Item, 'id' | 'epoch'>,
  event: HookEvent,
) => (attempt: number, timeoutMs: number, cut: AbortSignal) => Promise<SendResult>;

export interface AttemptOptions {
  readonly letters: Pick<Letters, 'read'>;
  readonly send: SendEvent;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly logger: RosterLogger;
  /** Cuts off requests. */
  readonly cut: AbortSignal;
  /** Aborted: no further request begins. */
  readonly stopping: AbortSignal;
}

/** Never rejects: an event whose request cannot be prepared has failed. */
export async function attempt(hook: Hook, item: Item, isProbe: boolean, options: AttemptOptions): Promise<DeliveryResult> {
  const { letters, send, clock, random, logger, cut, stopping } = options;
  try {
    const event = item.event ?? (await letters.read(item.id));
    const post = send(hook, item, event);
    return await quickAttempts({
      send: (count, timeoutMs) => post(count, timeoutMs, cut),
      before: item.attempts,
      timeoutMs: hook.timeoutMs ?? HOOK_TIMEOUT_MS,
      attemptsMax: isProbe || item.event === undefined ? 1 : Number.POSITIVE_INFINITY,
      clock,
      random,
      stopping,
    });
  } catch (error) {
    if (stopping.aborted) return { kind: 'stopped' };
    logger.error({ err: error, hook: hook.id, seq: item.seq }, 'an event could not be made ready for a webhook');
    const reason = 'the daemon could not make it ready; its log says more';
    return { kind: 'failed', attempts: item.attempts + 1, reason, retryAfterMs: 0 };
  }
}
