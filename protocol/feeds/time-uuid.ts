/**
 * Ids made of a time: UUIDs of version 1 (RFC 9562 §5.1). The time can be read back from them, so a place in a feed is known
 * from an id alone, also when what had it is gone. Pure: what makes an id unique is given by the caller.
 */
import type { Micros } from '../base/time.ts';

/** From the beginning of the Gregorian calendar, 1582-10-15, to 1970, in the 100 ns that these ids count in. */
const TICKS_BEFORE_1970 = 122_192_928_000_000_000n;
const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** `sequence`: 14 bits. `node`: six bytes. Ids of one time are in the order of `sequence`, then of `node`. */
export function timeUuid(time: Micros, sequence: number, node: Uint8Array): string {
  const ticks = (BigInt(time) * 10n + TICKS_BEFORE_1970).toString(16).padStart(15, '0');
  const variant = (0x8000 | (sequence & 0x3fff)).toString(16);
  // The lowest bit of the first byte says that this is no network card's address.
  const bytes = Array.from(node.subarray(0, 6), (byte, index) => (index === 0 ? byte | 1 : byte).toString(16).padStart(2, '0'));
  return `${ticks.slice(7)}-${ticks.slice(3, 7)}-1${ticks.slice(0, 3)}-${variant}-${bytes.join('')}`;
}

/** Undefined for anything that is no UUID of version 1 with a time since 1970. */
export function timeOfUuid(id: string): Micros | undefined {
  const [, low, middle, high] = FORM.exec(id) ?? [];
  if (low === undefined || middle === undefined || high === undefined) return undefined;
  const ticks = BigInt(`0x${high}${middle}${low}`) - TICKS_BEFORE_1970;
  return ticks < 0n ? undefined : Number(ticks / 10n);
}
