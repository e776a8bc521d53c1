/** LG11, LG12: how segments are removed, one after the other, and what is said of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEvent } from '../../../store/events.ts';
import { DEFAULT_RETENTION } from '../../../store/journal/retention.ts';
import type { Segment } from '../../../store/journal/segment.ts';
import { Trimmer, type TrimmerOptions } from '../../../store/journal/trimmer.ts';

/** Segments of 10 facts and 100 bytes each; `steps` is what happened on the disk and what was told, in order. */
function bench(count: number, more: Partial<TrimmerOptions> = {}) {
  const steps: string[] = [];
  const segments = Array.from({ length: count }, (_, index) => ({
    ...{ path: `/j/${index + 1}`, first: index * 10 + 1, last: (index + 1) * 10, facts: 10, end: 100, lastTime: 1_000 },
  })) as unknown as Segment[];
  const told = (event: StoreEvent): void => {
    if (event.type === 'segment-removed') steps.push(`removed, tail ${event.tail}`);
    else if (event.type === 'held-segment-removed') steps.push(`${event.names.join()} lost up to ${event.tail}`);
  };
  let fails = false;
  const fs = {
    remove: async (_: string, path: string) => {
      if (fails) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      steps.push(`remove ${path}`);
    },
    syncDirectory: async (_: string, path: string) => void steps.push(`sync ${path}`),
  };
  const trimmer = new Trimmer({
    ...{ fs: fs as never, directory: '/j', segments, covered: 0, heldBytes: 0, now: () => 1_000, onEvent: told },
    retention: { ...DEFAULT_RETENTION, facts: 0 },
    ...more,
  });
  return { trimmer, steps, segments, fail: (is: boolean) => (fails = is) };
}

const removed = (n: number): string[] => [`remove /j/${n}`, 'sync /j', `removed, tail ${n * 10}`];

test('LG11 what the older of two snapshots covers goes, the oldest first, each durably before the next', async () => {
  const { trimmer, steps, segments } = bench(5);
  assert.equal(trimmer.tail, 0);
  await trimmer.snapshotSaved(40);
  assert.deepEqual(steps, [], 'the older snapshot covers nothing yet');
  await trimmer.snapshotSaved(50);
  assert.deepEqual(steps, [1, 2, 3, 4].flatMap(removed));
  assert.deepEqual([trimmer.tail, segments.length], [40, 1]);
  const opened = bench(5, { covered: 25 });
  await opened.trimmer.snapshotSaved(50);
  assert.deepEqual(opened.steps, [1, 2].flatMap(removed), 'the snapshot that was loaded counts');
});

test('LG11 after a removal that failed, the next snapshot goes on with it', async () => {
  const { trimmer, steps, segments, fail } = bench(3, { covered: 30 });
  fail(true);
  await assert.rejects(trimmer.snapshotSaved(30), /EIO/);
  await trimmer.idle();
  assert.deepEqual([steps, segments.length, trimmer.tail], [[], 3, 10], 'what may be gone is not read any more');
  fail(false);
  await trimmer.snapshotSaved(30);
  assert.deepEqual(steps, [1, 2].flatMap(removed));
});

test('LG12 what is held stays up to its bound; beyond it, those who lose entries are named', async () => {
  const held = bench(4, { covered: 40, heldBytes: 10_000 });
  held.trimmer.hold('slow', 15);
  held.trimmer.hold('quick', 35);
  await held.trimmer.snapshotSaved(40);
  assert.deepEqual(held.steps.splice(0), removed(1));
  held.trimmer.hold('slow', undefined);
  await held.trimmer.snapshotSaved(40);
  assert.deepEqual(held.steps, [2, 3].flatMap(removed));
  const full = bench(4, { covered: 40, heldBytes: 250 });
  full.trimmer.hold('slow', 5);
  full.trimmer.hold('other', 9);
  full.trimmer.hold('quick', 10);
  await full.trimmer.snapshotSaved(40);
  assert.deepEqual(full.steps, [...removed(1), 'slow,other lost up to 10', ...removed(2), 'slow,other,quick lost up to 20']);
});
