/** LG9: a segment is read record by record, wherever a record lies, and each reason to stop is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import { Journal } from '../../../store/journal/journal.ts';
import {
  encodeRecord,
  KIND_ENTRY,
  KIND_SEGMENT,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  SEGMENT_VERSION,
  StoreVersionMismatch,
  segmentSeed,
  writeRecordHeader,
} from '../../../store/journal/record.ts';
import { scanSegment, syncProof } from '../../../store/journal/segment-scan.ts';
import { LogDamaged } from '../../../store/log.ts';
import { appendOne, draft, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

/** How much of a file is read at once. */
const WINDOW_BYTES = 1024 * 1024;

test('LG9 records whose header or content lies across two reads of the file are found, and so is everything behind them', async () => {
  for (const before of [0, 1, 20, 47, 60, 500]) {
    const disk = new SimDisk(new Random(before));
    const open = (): Promise<Journal> => Journal.open({ directory: '/j', fileSystem: disk });
    const size = (): number => [...disk.files()].find(([path]) => path.endsWith('.journal'))?.[1].length ?? 0;
    const log = await open();
    const start = size();
    await appendOne(log, draft('empty', { bytes: 0 }));
    const least = size() - start;
    const append = (id: string, bytes: number): Promise<unknown> => appendOne(log, draft(id, { bytes: bytes - least }));
    // The ids are as long as the first one.
    for (let n = 1; n <= 9; n++) await append(`fill${n}`, 100_000);
    await append('befor', start + WINDOW_BYTES - before - size());
    assert.equal(size(), start + WINDOW_BYTES - before);
    for (let n = 1; n <= 3; n++) await append(`after`, 300);
    const entries = await readToHead(log, 0);
    await log.close();
    const again = await open();
    assert.deepEqual([again.head.seq, await readToHead(again, 0)], [14, entries], `${before} bytes before the end`);
    await again.close();
  }
});

const FIRST = 41;
const PATH = '/j/0000000000000041.journal';
const SEED = segmentSeed(FIRST);
const LINEAGE = { epoch: 'e', start: 40, parent: null };
const HEADER = encodeRecord(KIND_SEGMENT, SEGMENT_VERSION, FIRST, JSON.stringify(LINEAGE), SEED);

/** A record of two facts that says of itself what `change` says. */
function recordOf(first: number, synced: number, change: Partial<RecordHeader> = {}, payload = '{"some":"payload"}'): Buffer {
  const record = Buffer.alloc(RECORD_HEADER_BYTES + Buffer.byteLength(payload));
  record.write(payload, RECORD_HEADER_BYTES);
  const header = {
    ...{ kind: KIND_ENTRY, version: ENTRY_VERSION, payloadBytes: record.length - RECORD_HEADER_BYTES, facts: 2, first, synced, time: 7 },
    payloadCrc: crc32(payload),
  };
  writeRecordHeader(record, 0, { ...header, ...change }, SEED);
  return record;
}

async function scanned(...records: readonly Buffer[]) {
  const disk = SimDisk.holding(new Map([[PATH, Buffer.concat(records)]]), new Random(1));
  return await scanSegment(await disk.openRead(PATH), PATH, 500);
}

test('LG9 a record that does not continue the segment ends it, with its place and the reason', async () => {
  const one = recordOf(FIRST, HEADER.length);
  const at = HEADER.length + one.length;
  const good = await scanned(HEADER, one, recordOf(FIRST + 2, at));
  assert.deepEqual([good.bad, good.segment.last, good.segment.lastTime, good.size], [undefined, FIRST + 3, 7, good.segment.end]);
  for (const [change, reason] of [
    [{ kind: KIND_SEGMENT }, 'a record of an unknown kind'],
    [{ kind: 3 }, 'a record of an unknown kind'],
    [{ facts: 0 }, 'a record of an unknown kind'],
    [{ first: FIRST + 1 }, `the record says seq ${FIRST + 1}, but ${FIRST + 2} comes next`],
    [{ first: FIRST + 3 }, `the record says seq ${FIRST + 3}, but ${FIRST + 2} comes next`],
    [{ synced: at + 1 }, 'the record says that bytes after it were durable before it'],
    [{ payloadBytes: LIMITS.entryBytes + 1 }, 'the record is longer than an entry may be'],
    [{ payloadBytes: LIMITS.entryBytes }, 'the record is cut off'],
    [{ payloadBytes: 19 }, 'the record is cut off'],
    [{ payloadBytes: 17 }, 'the payload does not match its checksum'],
    [{ payloadCrc: 1 }, 'the payload does not match its checksum'],
  ] as const) {
    const { bad, segment, size } = await scanned(HEADER, one, recordOf(FIRST + 2, at, change));
    assert.deepEqual(bad, { offset: at, reason });
    assert.deepEqual([segment.end, segment.last, size], [at, FIRST + 1, at + one.length]);
  }
  assert.deepEqual((await scanned(HEADER, one, Buffer.alloc(RECORD_HEADER_BYTES - 1))).bad, {
    offset: at,
    reason: 'no whole record header',
  });
  assert.deepEqual((await scanned(HEADER, one, Buffer.alloc(60))).bad, { offset: at, reason: 'no whole record header' });
  assert.equal((await scanned(HEADER, one, recordOf(FIRST + 2, 0))).bad, undefined, 'less may have been durable');
});

test('LG9 an entry of another version is told as such, wherever it is', async () => {
  await assert.rejects(
    scanned(HEADER, recordOf(FIRST, HEADER.length, { version: ENTRY_VERSION + 1 })),
    (error) => error instanceof StoreVersionMismatch && error.file === PATH && error.message.includes(`knows ${ENTRY_VERSION}:`),
  );
});

test('LG9 a segment header that is not whole, cut off or of another segment is damage; one of a later version is told as such', async () => {
  const encoded = (payload: string, { kind = KIND_SEGMENT, first = FIRST, seed = SEED } = {}): Buffer =>
    encodeRecord(kind, SEGMENT_VERSION, first, payload, seed);
  const json = JSON.stringify(LINEAGE);
  const flipped = Buffer.from(HEADER);
  flipped[HEADER.length - 1] = 0;
  for (const [header, reason] of [
    [Buffer.alloc(0), 'the segment header is not whole'],
    [HEADER.subarray(0, RECORD_HEADER_BYTES - 1), 'the segment header is not whole'],
    [encoded(json, { kind: KIND_ENTRY }), 'the segment header is not whole'],
    [encoded(json, { seed: segmentSeed(42) }), 'the segment header is not whole'],
    [HEADER.subarray(0, -1), 'the segment header is cut off'],
    [flipped, 'the segment header does not match its checksum'],
    [encoded('{}'), 'the segment header does not match its checksum'],
    [encoded(json, { first: 42 }), 'the segment header does not match its checksum'],
  ] as const) {
    await assert.rejects(scanned(header), (error) => {
      assert.ok(error instanceof LogDamaged, String(error));
      assert.deepEqual([error.file, error.offset, error.reason], [PATH, 0, reason]);
      return true;
    });
  }
  const { segment, size } = await scanned(HEADER);
  assert.deepEqual([segment.lineage, segment.start, segment.last, size], [LINEAGE, HEADER.length, FIRST - 1, HEADER.length]);
  const later = encodeRecord(KIND_SEGMENT, SEGMENT_VERSION + 1, FIRST, json, SEED);
  await assert.rejects(scanned(later), (error) => error instanceof StoreVersionMismatch && error.file === PATH);
});

test('LG9 a proof is a whole header of the same segment, and says up to where all was durable', async () => {
  const { segment } = await scanned(HEADER);
  const { durableBefore, headerBytes, magic } = syncProof(segment);
  const record = recordOf(FIRST, 977);
  assert.deepEqual([magic, headerBytes], [record.subarray(0, 4), RECORD_HEADER_BYTES]);
  const behind = Buffer.concat([Buffer.alloc(5), record]);
  assert.deepEqual(
    [durableBefore(behind, 5, 0), durableBefore(behind, 4, 0), durableBefore(behind.subarray(0, 52), 5, 0)],
    [977, undefined, undefined],
  );
});
