/**
 * Times. Internally, a time is a whole number of microseconds since 1970, which a
 * double holds exactly until the year 2255. Each dialect has its own written form. Pure.
 */

/** Microseconds since 1970-01-01T00:00:00Z. */
export type Micros = number;

/** The last two distinct seconds and their texts: bulk work writes the same seconds many times, mostly created and updated. */
const recent = { second: -1, prefix: '', otherSecond: -1, otherPrefix: '' };

/** `2026-05-17T14:35:23.313097Z`: RFC 3339 in UTC with microseconds. */
export function toRfc3339(time: Micros): string {
  const second = Math.floor(time / 1_000_000);
  if (second !== recent.second) {
    const prefix = second === recent.otherSecond ? recent.otherPrefix : new Date(second * 1000).toISOString().slice(0, 20);
    recent.otherSecond = recent.second;
    recent.otherPrefix = recent.prefix;
    recent.second = second;
    recent.prefix = prefix;
  }
  return `${recent.prefix}${String(time - second * 1_000_000).padStart(6, '0')}Z`;
}

/**
 * Nanoseconds since 1970 as /api/v2 writes them. The product is above 2^53, but doubles there are 256 apart and
 * microseconds 1,000, so the shortest decimal that JSON writes is exactly the microseconds followed by three zeros.
 */
export function toNanos(time: Micros): number {
  return time * 1000;
}

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** Reads RFC 3339 with any fraction, or integer nanoseconds; undefined when it is neither. */
export function parseTime(value: unknown): Micros | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.round(value / 1000) : undefined;
  if (typeof value !== 'string') return undefined;
  const match = RFC3339.exec(value);
  if (match === null) return undefined;
  const [, day, clock, fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(`${day}T${clock}${zone.toUpperCase()}`);
  // Some engines read 30 February as 2 March; a date that does not exist is not a time.
  if (Number.isNaN(ms) || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day) return undefined;
  return ms * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
