/** The entries that the journal keeps, beyond those for recovery, for readers that resume and for holds. Pure. */

/** A segment is removed as soon as one of the limits no longer requires it. */
export interface Retention {
  /** The number of newest facts to keep. */
  readonly facts: number;
  /** The size of the newest segments to keep, bytes. */
  readonly bytes: number;
  /** Entries younger than this are kept, unless another limit removes them. */
  readonly ageMs: number;
}

/** LG12: the entries that named readers still need. */
export interface Held {
  /** Facts later than this are held; infinite without holds. */
  readonly after: number;
  /** A segment is held while it and all later ones have at most this many bytes in total. */
  readonly bytesMax: number;
}

export const NOTHING_HELD: Held = { after: Number.POSITIVE_INFINITY, bytesMax: 0 };

export const DEFAULT_RETENTION: Retention = { facts: Number.POSITIVE_INFINITY, bytes: 256 * 1024 * 1024, ageMs: 7 * 24 * 3600 * 1000 };

interface KeptSegment {
  readonly last: number;
  readonly facts: number;
  readonly end: number;
  /** Microseconds. */
  readonly lastTime: number;
}

/**
 * The number of oldest segments that may be removed: never the last one, which is being written, none with a fact after
 * `covered`, which recovery needs, and none that is held.
 */
export function removableSegments(
  segments: readonly KeptSegment[],
  covered: number,
  nowMs: number,
  retention: Retention,
  held: Held = NOTHING_HELD,
): number {
  let facts = segments.reduce((sum, segment) => sum + segment.facts, 0);
  let bytes = segments.reduce((sum, segment) => sum + segment.end, 0);
  const times = agedTimes(segments, nowMs * 1_000);
  let count = 0;
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    const isHeld = segment.last > held.after && bytes <= held.bytesMax;
    facts -= segment.facts;
    bytes -= segment.end;
    const expired = (times[index] ?? 0) / 1_000 < nowMs - retention.ageMs;
    if (segment.last > covered || isHeld || !(facts >= retention.facts || bytes >= retention.bytes || expired)) break;
    count++;
  }
  return count;
}

/** A time that has not come yet is from a clock that stood ahead: the segment is as old as the next one. */
function agedTimes(segments: readonly KeptSegment[], now: number): readonly number[] {
  let next = now;
  const times = segments.toReversed().map(({ lastTime }) => {
    if (lastTime > 0 && lastTime <= now) next = lastTime;
    return next;
  });
  return times.reverse();
}
