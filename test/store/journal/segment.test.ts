/** LG3, LG8, LG9: the state of a segment in memory, its name, and the words of its header. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentSeed } from '../../../store/journal/record.ts';
import { createSegment, parseLineage, Segment, segmentFirst, segmentName } from '../../../store/journal/segment.ts';
import { scanSegment } from '../../../store/journal/segment-scan.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const LINEAGE = { epoch: 'e', start: 40, parent: 'p' };

test('LG3 a segment is named by the seq of its first fact, in sixteen digits', () => {
  assert.equal(segmentName(41), '0000000000000041.journal');
  assert.equal(segmentFirst('0000000000000041.journal'), 41);
  for (const name of [
    '41.journal',
    '00000000000000041.journal',
    '0000000000000041.journal.torn',
    'x0000000000000041.journal',
    '0000000000000041_journal',
    '',
  ])
    assert.equal(segmentFirst(name), undefined, name);
});

test('LG3 records add up: their bytes, their facts, and the time of the last one', () => {
  const segment = new Segment('/j/s', 41, LINEAGE, 100, 1_000);
  const state = (): unknown => [segment.end, segment.last, segment.facts, segment.lastTime];
  assert.deepEqual(state(), [100, 40, 0, 0]);
  segment.add(60, 1, 7);
  assert.deepEqual(state(), [160, 41, 1, 7]);
  segment.add(90, 3, 5);
  assert.deepEqual(state(), [250, 44, 4, 5]);
  assert.deepEqual(
    [segment.path, segment.first, segment.start, segment.seed, segment.lineage],
    ['/j/s', 41, 100, segmentSeed(41), LINEAGE],
  );
});

test('LG6 the marks begin blocks of at most so many bytes, and a record that is longer has one of its own', () => {
  const segment = new Segment('/j/s', 41, LINEAGE, 100, 100);
  for (const [bytes, facts] of [
    [60, 1],
    [40, 2],
    [99, 1],
    [2, 1],
    [500, 1],
    [10, 1],
    [90, 1],
  ] as const) {
    segment.add(bytes, facts, 1);
  }
  assert.deepEqual(segment.marks, [
    { seq: 41, offset: 100 },
    { seq: 44, offset: 200 },
    { seq: 45, offset: 299 },
    { seq: 46, offset: 301 },
    { seq: 47, offset: 801 },
  ]);
});

test('LG8 a lineage has an epoch, a start and a parent or none', () => {
  for (const lineage of [LINEAGE, { ...LINEAGE, parent: null }]) assert.deepEqual(parseLineage(JSON.stringify(lineage)), lineage);
  assert.deepEqual(parseLineage(JSON.stringify({ ...LINEAGE, later: 1 })), LINEAGE);
  for (const wrong of [
    ...['', '{', 'null', '7', '[]'],
    ...[{ epoch: 7 }, { epoch: undefined }, { start: '40' }, { start: undefined }, { parent: 7 }, { parent: undefined }].map((change) =>
      JSON.stringify({ ...LINEAGE, ...change }),
    ),
  ]) {
    assert.equal(parseLineage(wrong), undefined, wrong);
  }
});

test('LG8 a new segment is durable with its header, and is read back as it was made', async () => {
  const disk = new SimDisk(new Random(1));
  const { segment, file } = await createSegment(disk, '/j', 41, LINEAGE, 100);
  assert.deepEqual(
    [segment.path, segment.end, file.end, file.path],
    ['/j/0000000000000041.journal', segment.start, segment.start, segment.path],
  );
  const after = disk.lostPower();
  const scan = await scanSegment(await after.openRead(segment.path), segment.path, 100);
  assert.deepEqual(
    [scan.size, scan.bad, scan.segment.lineage, scan.segment.first, scan.segment.start],
    [segment.start, undefined, LINEAGE, 41, segment.start],
  );
});
