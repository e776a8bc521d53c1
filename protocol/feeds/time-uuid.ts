/**
 * Ids made from a time: UUIDs of version 1 (RFC 9562 §5.1). The id contains the time, so it alone determines a place in a feed,
 * even when its activity no longer exists. Pure: the caller provides the parts that make an id unique.
 */
import type { Micros } from '../base/time.ts';

/** From the beginning of the Gregorian calendar, 1582-10-15, to 1970, in the ids' unit of 100 ns. */
const TICKS_BEFORE_1970 = 122_192_928_000_000_000n;
const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** `sequence`: 14 bits. `node`: six bytes. Ids of the same time are ordered by `sequence`, then by `node`. */
export function timeUuid(time: Micros, sequence: number, node: Uint8Array): string {
  const ticks = (BigInt(time) * 10n + TICKS_BEFORE_1970).toString(16).padStart(15, '0');
  const variant = (0x8000 | (sequence & 0x3fff)).toString(16);
  // The lowest bit of the first byte marks the node as not being the address of a network card.
  const bytes = Array.from(node.subarray(0, 6), (byte, index) => (index === 0 ? byte | 1 : byte).toString(16).padStart(2, '0'));
  return `${ticks.slice(7)}-${ticks.slice(3, 7)}-1${ticks.slice(0, 3)}-${variant}-${bytes.join('')}`;
}

/** Undefined for anything that is not a UUID of version 1 with a time since 1970. */
export function timeOfUuid(id: string): Micros | undefined {
  const [, low, middle, high] = FORM.exec(id) ?? [];
  if (low === undefined || middle === undefined || high === undefined) return undefined;
  const ticks = BigInt(`0x${high}${middle}${low}`) - TICKS_BEFORE_1970;
  return ticks < 0n ? undefined : Number(ticks / 10n);
}
