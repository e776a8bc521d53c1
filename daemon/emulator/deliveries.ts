/**
 * Webhooks that were delivered to the emulator itself, so that a test can look at their headers, signature and body.
 *
 * It keeps EM15–EM17 (README.md).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { parseObject } from '../../protocol/base/json.ts';
import { signatureOf } from '../jobs/hooks/signature.ts';

export const DELIVERIES_MAX = 1_000;
/** Of all bodies together. */
export const DELIVERY_BYTES_MAX = 16 * 1024 * 1024;
/** A body, packed or not. Deliveries are far smaller. */
export const DELIVERY_BODY_BYTES_MAX = 1024 * 1024;

export interface Delivery {
  /** Counts from 1. */
  readonly n: number;
  readonly receiver: string;
  /** By the emulated clock, milliseconds since 1970. */
  readonly atMs: number;
  readonly headers: IncomingHttpHeaders;
  /** Unpacked. */
  readonly body: string;
  /** The body, where it is a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | null;
  /** Whether `X-Signature` is that of the body and the secret of the application. */
  readonly isSigned: boolean;
}

export interface Received {
  readonly receiver: string;
  readonly atMs: number;
  readonly headers: IncomingHttpHeaders;
  /** As it came. */
  readonly bytes: Buffer;
}

export class Deliveries {
  readonly #apiSecret: string;
  #deliveries: Delivery[] = [];
  #bytes = 0;
  #count = 0;
  /** The oldest ones, which had to go. */
  dropped = 0;
  readonly #listeners = new Set<() => void>();

  constructor(apiSecret: string) {
    this.#apiSecret = apiSecret;
  }

  /** Of one receiver, or of all, oldest first. */
  of(receiver: string | undefined): readonly Delivery[] {
    return this.#deliveries.filter((delivery) => receiver === undefined || delivery.receiver === receiver);
  }

  /** Throws when a packed body cannot be unpacked. */
  add({ receiver, atMs, headers, bytes }: Received): Delivery {
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes, { maxOutputLength: DELIVERY_BODY_BYTES_MAX }) : bytes;
    const body = plain.toString('utf8');
    const isSigned = headers['x-signature'] === signatureOf(plain, this.#apiSecret);
    const delivery = { n: ++this.#count, receiver, atMs, headers, body, json: parseObject(body) ?? null, isSigned };
    this.#deliveries.push(delivery);
    this.#bytes += body.length;
    while (this.#deliveries.length > DELIVERIES_MAX || this.#bytes > DELIVERY_BYTES_MAX) {
      this.#bytes -= this.#deliveries.shift()?.body.length ?? 0;
      this.dropped++;
    }
    for (const listener of [...this.#listeners]) listener();
    return delivery;
  }

  /** Returns their number. */
  clear(): number {
    const { length } = this.#deliveries;
    this.#deliveries = [];
    this.#bytes = 0;
    this.dropped = 0;
    return length;
  }

  /** Calls `listener` at every delivery until `signal` aborts. */
  onDelivery(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }
}
