/**
 * Prepares the request of an event: the signed body in the dialect of the hook, and the headers.
 *
 * It keeps WH6 (daemon/RULES.md).
 */
import { gzipSync } from 'node:zlib';
import { type HookLookups, renderHookBody } from '../../../protocol/hooks/payload.ts';
import type { Durations } from '../../base/durations.ts';
import type { SendEvent } from './attempt.ts';
import type { Sender } from './sender.ts';
import { signatureOf } from './signature.ts';

export interface DeliverOptions {
  readonly sender: Sender;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Version of this package. */
  readonly version: string;
  readonly lookups: Omit<HookLookups, 'epoch'>;
  /** Receives the time of every request until its answer, or until it was given up. */
  readonly durations: Durations;
}

export function createDelivery({ sender, apiKey, apiSecret, version, lookups, durations }: DeliverOptions): SendEvent {
  return (hook, { id, epoch }, event) => {
    const plain = Buffer.from(JSON.stringify(renderHookBody(event, hook.dialect, { ...lookups, epoch })));
    const body = hook.isCompressed ? gzipSync(plain) : plain;
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': `rosterd/${version}`,
      'X-Webhook-Id': id,
      'X-Api-Key': apiKey,
      'X-Signature': signatureOf(plain, apiSecret),
      ...(hook.isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
    };
    return async (attempt, timeoutMs, cut) => {
      const startedMs = performance.now();
      const result = await sender.post({ url: hook.url, headers: { ...headers, 'X-Webhook-Attempt': attempt }, body, timeoutMs, cut });
      if (result.kind !== 'stopped') durations.observe(performance.now() - startedMs);
      return result;
    };
  };
}
