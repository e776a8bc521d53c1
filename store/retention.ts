/** What the journal keeps for readers that resume, beyond what recovery needs. Pure. */

/** A segment goes as soon as one of the limits no longer asks for it. */
export interface Retention {
  /** The last this many facts are kept. */
  readonly facts: number;
  /** The last this many bytes of segments are kept. */
  readonly bytes: number;
  /** Entries younger than this are kept, unless another limit lets them go. */
  readonly ageMs: number;
}

export const DEFAULT_RETENTION: Retention = { facts: Number.POSITIVE_INFINITY, bytes: 256 * 1024 * 1024, ageMs: 7 * 24 * 3600 * 1000 };

interface KeptSegment {
  readonly last: number;
  readonly facts: number;
  readonly end: number;
  /** Microseconds. */
  readonly lastTime: number;
}

/**
 * How many of the oldest segments may go. Never the last one, which is being written, and never one that holds a fact after
 * `covered`, which recovery needs.
 */
export function removableSegments(segments: readonly KeptSegment[], covered: number, nowMs: number, retention: Retention): number {
  let facts = segments.reduce((sum, segment) => sum + segment.facts, 0);
  let bytes = segments.reduce((sum, segment) => sum + segment.end, 0);
  let count = 0;
  for (const segment of segments.slice(0, -1)) {
    facts -= segment.facts;
    bytes -= segment.end;
    const expired = segment.lastTime / 1000 < nowMs - retention.ageMs;
    if (segment.last > covered || !(facts >= retention.facts || bytes >= retention.bytes || expired)) break;
    count++;
  }
  return count;
}
