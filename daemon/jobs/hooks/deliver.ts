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

/** By what a receiver knows where a request comes from. */
export interface HookIdentity {
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Version of this package. */
  readonly version: string;
}

export interface DeliverOptions extends HookIdentity {
  readonly sender: Sender;
  readonly lookups: Omit<HookLookups, 'epoch'>;
  /** Receives the time of every request until its answer, or until it was given up. */
  readonly durations: Durations;
}

/** The body as it is sent, and the headers of every attempt. `id`: of the delivery. */
export function signedRequest(
  content: object,
  { id, isCompressed }: { readonly id: string; readonly isCompressed: boolean },
  { apiKey, apiSecret, version }: HookIdentity,
): { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> } {
  const plain = Buffer.from(JSON.stringify(content));
  return {
    body: isCompressed ? gzipSync(plain) : plain,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': `rosterd/${version}`,
      'X-Webhook-Id': id,
      'X-Api-Key': apiKey,
      'X-Signature': signatureOf(plain, apiSecret),
      ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
    },
  };
}

export function createDelivery({ sender, lookups, durations, ...identity }: DeliverOptions): SendEvent {
  return ({ url, dialect, isCompressed }, { id, epoch }, event) => {
    const content = renderHookBody(event, dialect, { ...lookups, epoch });
    const { body, headers } = signedRequest(content, { id, isCompressed }, identity);
    return async (attempt, timeoutMs, cut) => {
      const startedMs = performance.now();
      const result = await sender.post({ url, headers: { ...headers, 'X-Webhook-Attempt': attempt }, body, timeoutMs, cut });
      if (result.kind !== 'stopped') durations.observe(performance.now() - startedMs);
      return result;
    };
  };
}
