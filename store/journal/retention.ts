/** What the journal keeps for readers that resume and for those that hold it, beyond what recovery needs. Pure. */

/** A segment goes as soon as one of the limits no longer asks for it. */
export interface Retention {
  /** The last this many facts are kept. */
  readonly facts: number;
  /** The last this many bytes of segments are kept. */
  readonly bytes: number;
  /** Entries younger than this are kept, unless another limit lets them go. */
  readonly ageMs: number;
}

/** LG12: what readers with a name still need. */
export interface Held {
  /** Facts later than this are held; infinite when nobody holds anything. */
  readonly after: number;
  /** Segments are held as long as they and all later ones have at most this many bytes. */
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
 * How many of the oldest segments may go. Never the last one, which is being written, never one that holds a fact after
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
  let count = 0;
  for (const segment of segments.slice(0, -1)) {
    const isHeld = segment.last > held.after && bytes <= held.bytesMax;
    facts -= segment.facts;
    bytes -= segment.end;
    const expired = segment.lastTime / 1000 < nowMs - retention.ageMs;
    if (segment.last > covered || isHeld || !(facts >= retention.facts || bytes >= retention.bytes || expired)) break;
    count++;
  }
  return count;
}
