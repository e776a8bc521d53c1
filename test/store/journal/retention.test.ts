/** LG11, LG12: which segments may go, to the byte, the fact and the millisecond. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_HELD, type Retention, removableSegments } from '../../../store/journal/retention.ts';

const NOW_MS = 1_000_000;
/** Ten segments of 100 bytes and 10 facts; the first ends with seq 10. Each is a second younger than the one before it. */
const SEGMENTS = Array.from({ length: 10 }, (_, index) => ({
  last: (index + 1) * 10,
  facts: 10,
  end: 100,
  lastTime: (NOW_MS - (10 - index) * 1_000) * 1_000,
}));
const ALL = 100;
const NEVER: Retention = { facts: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY, ageMs: Number.POSITIVE_INFINITY };
const AT_ONCE: Retention = { facts: 0, bytes: 0, ageMs: 0 };

const removable = (retention: Partial<Retention>, covered = ALL, held = NOTHING_HELD): number =>
  removableSegments(SEGMENTS, covered, NOW_MS, { ...NEVER, ...retention }, held);

test('LG11 nothing goes that lies after the snapshot, and never the segment that is written', () => {
  assert.equal(removable(AT_ONCE), 9);
  for (const [covered, count] of [
    [0, 0],
    [9, 0],
    [10, 1],
    [11, 1],
    [19, 1],
    [20, 2],
    [90, 9],
    [95, 9],
  ] as const) {
    assert.equal(removable(AT_ONCE, covered), count, `covered ${covered}`);
  }
  assert.equal(removable({}), 0, 'nothing asks for room');
});

test('LG11 the newest bytes and facts that are to be kept are kept, and no segment more', () => {
  for (const [bytes, count] of [
    [1_001, 0],
    [901, 0],
    [900, 1],
    [899, 1],
    [801, 1],
    [800, 2],
    [100, 9],
  ] as const) {
    assert.equal(removable({ bytes }), count, `${bytes} bytes`);
    assert.equal(removable({ facts: bytes / 10 }), count, `${bytes / 10} facts`);
  }
});

test('LG11 what is younger than its age stays, also at the very millisecond', () => {
  assert.equal(removable({ ageMs: 10_000 }), 0);
  assert.equal(removable({ ageMs: 9_999 }), 1);
  assert.equal(removable({ ageMs: 9_000 }), 1);
  assert.equal(removable({ ageMs: 8_999 }), 2);
});

test('LG12 a held fact keeps its segment and all later ones, up to the bound', () => {
  const held = (after: number, bytesMax = 10_000): number => removable(AT_ONCE, ALL, { after, bytesMax });
  assert.deepEqual([held(0), held(9), held(10), held(19), held(20), held(100)], [0, 0, 1, 1, 2, 9]);
  // The oldest is held while it and the nine after it are no more than may be held.
  assert.deepEqual([held(0, 1_000), held(0, 999), held(0, 900), held(0, 899), held(0, 0)], [0, 1, 1, 2, 9]);
});

test('CK1 a segment from a clock that stood ahead is as old as the next one, and keeps nothing else', () => {
  const ahead = (...indices: readonly number[]) =>
    SEGMENTS.map((segment, index) => (indices.includes(index) ? { ...segment, lastTime: segment.lastTime + 1e12 } : segment));
  const kept = (segments: typeof SEGMENTS, ageMs: number): number => removableSegments(segments, ALL, NOW_MS, { ...NEVER, ageMs });
  assert.equal(kept(ahead(0), 8_500), 2, 'it goes with the next one');
  assert.equal(kept(ahead(0), 9_500), 0);
  assert.equal(kept(ahead(0, 1, 2), 6_500), 4);
  assert.equal(kept(ahead(0, 1, 2), 7_500), 0);
  assert.equal(kept(ahead(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 0), 0, 'nobody knows how old they are');
  // A segment that is new holds no entry, and says nothing.
  assert.equal(kept([...ahead(8, 9), { last: 100, facts: 0, end: 48, lastTime: 0 }], 500), 8);
});
