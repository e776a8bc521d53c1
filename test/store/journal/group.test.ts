/** LG1, LG9: the bytes of a group are its records in order, whatever buffer they began in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { Group } from '../../../store/journal/group.ts';
import { decodeEntry, encodePayload, RECORD_HEADER_BYTES, readRecordHeader, segmentSeed } from '../../../store/journal/record.ts';
import { draft } from '../../support/store/entries.ts';

const nothing = (): void => {};
const SEED = segmentSeed(41);

function grouped(bufferBytes: number, sizes: readonly number[]): { group: Group; entries: Entry[] } {
  const group = new Group(Buffer.alloc(bufferBytes, 0xaa));
  const entries: Entry[] = [];
  let first = 41;
  for (const [index, bytes] of sizes.entries()) {
    const entry = { ...draft(`é${index}`, { bytes, facts: 1 + index, time: 1_000 * (index + 1) }), first };
    const payload = encodePayload(entry);
    group.add(entry, payload, Buffer.byteLength(payload), nothing, nothing);
    entries.push(entry);
    first = lastSeq(entry) + 1;
  }
  return { group, entries };
}

test('LG1 LG9 every record of a group is whole, names the place before the group as durable, and follows the one before it', () => {
  for (const bufferBytes of [0, 1, 300, 20_000]) {
    const { group, entries } = grouped(bufferBytes, [0, 500, 30, 4_000, 1]);
    group.seal(SEED, 977, 3.5);
    let at = 0;
    for (const [index, entry] of entries.entries()) {
      const header = readRecordHeader(group.buffer, at, SEED) ?? assert.fail(`no record at ${at}`);
      const payload = group.buffer.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + header.payloadBytes);
      assert.equal(header.payloadCrc, crc32(payload));
      assert.deepEqual(decodeEntry(payload.toString(), header), entry);
      // The wall clock stands at 3.5 ms: an entry that is ahead of it counts as written now.
      assert.deepEqual([header.synced, header.time], [977, Math.min(entry.time, 3_500)]);
      assert.deepEqual([group.records[index]?.at, group.records[index]?.bytes], [at, RECORD_HEADER_BYTES + header.payloadBytes]);
      at += RECORD_HEADER_BYTES + header.payloadBytes;
    }
    assert.equal(group.length, at);
    assert.equal(group.records.length, entries.length);
  }
});

test('LG1 a buffer that suffices is used as it is, one that does not grows at least twofold', () => {
  const { group } = grouped(20_000, [10]);
  assert.equal(group.buffer.length, 20_000);
  const exactly = grouped(group.length, [10]).group;
  assert.equal(exactly.buffer.length, group.length);
  assert.equal(grouped(group.length - 1, [10]).group.buffer.length, 2 * (group.length - 1));
  assert.equal(grouped(10, [10]).group.buffer.length, group.length);
});
