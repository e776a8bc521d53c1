/** LG1, LG9: the header of a record, what a payload must be to count as an entry, and the bound of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import {
  decodeEntry,
  encodePayload,
  encodeRecord,
  KIND_SEGMENT,
  MAGIC,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readRecordHeader,
  segmentSeed,
  writeRecordHeader,
} from '../../../store/journal/record.ts';
import { draft } from '../../support/store/entries.ts';

const header = (facts: number, version = ENTRY_VERSION): RecordHeader => ({
  ...{ kind: 2, version, payloadBytes: 0, facts, first: 7, synced: 0, time: 0, payloadCrc: 0 },
});

test('LG9 a payload is an entry only in full: id, time, and as many facts as its header says', () => {
  const one = draft('e', { facts: 2 });
  const text = encodePayload(one);
  assert.deepEqual(decodeEntry(text, header(2)), { ...one, first: 7 });
  assert.equal(decodeEntry(text, header(2, ENTRY_VERSION + 1)), undefined);
  assert.deepEqual([decodeEntry(text, header(1)), decodeEntry(text, header(3))], [undefined, undefined]);
  for (const wrong of [
    '',
    '{',
    'null',
    '[]',
    '7',
    { ...one, id: 7 },
    { ...one, time: '7' },
    { ...one, facts: {} },
    { id: 'e', facts: [] },
  ]) {
    assert.equal(decodeEntry(typeof wrong === 'string' ? wrong : JSON.stringify(wrong), header(2)), undefined, JSON.stringify(wrong));
  }
});

test('LG1 an entry has at most so many bytes, whatever its characters take', () => {
  const sized = (bytes: number, character: string) => {
    const rest = bytes - Buffer.byteLength(JSON.stringify({ id: '', time: 1, facts: [] }));
    const size = Buffer.byteLength(character);
    return { id: character.repeat(Math.floor(rest / size)) + 'x'.repeat(rest % size), time: 1, facts: [] };
  };
  for (const character of ['x', 'é', '语']) {
    assert.equal(Buffer.byteLength(encodePayload(sized(LIMITS.entryBytes, character))), LIMITS.entryBytes);
    assert.throws(() => encodePayload(sized(LIMITS.entryBytes + 1, character)), RangeError);
  }
});

test('LG9 a header is read back as it was written, at any place, with numbers up to 2^53', () => {
  for (const big of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
    const full: RecordHeader = {
      ...{ kind: 2, version: 255, payloadBytes: 2 ** 32 - 1, facts: 2 ** 32 - 2, payloadCrc: 2 ** 32 - 3 },
      ...{ first: big, synced: big, time: big },
    };
    const buffer = Buffer.alloc(7 + RECORD_HEADER_BYTES + 3, 0x77);
    writeRecordHeader(buffer, 7, full, segmentSeed(big));
    assert.deepEqual(readRecordHeader(buffer, 7, segmentSeed(big)), full);
    assert.deepEqual(
      [...buffer.subarray(0, 7), ...buffer.subarray(-3)],
      Array.from({ length: 10 }, () => 0x77),
      'nothing else is written',
    );
    assert.deepEqual(buffer.subarray(13, 15), Buffer.alloc(2), 'zero, as the README says');
  }
});

test('LG9 a header is none when a bit of it is flipped, when it is cut, or in another segment', () => {
  const buffer = encodeRecord(KIND_SEGMENT, 1, 41, '', segmentSeed(41));
  assert.equal(buffer.length, RECORD_HEADER_BYTES);
  assert.deepEqual(buffer.subarray(0, 4), MAGIC);
  const { kind, version, first, facts, synced, time, payloadBytes } = readRecordHeader(buffer, 0, segmentSeed(41)) ?? assert.fail();
  assert.deepEqual([kind, version, first, facts, synced, time, payloadBytes], [KIND_SEGMENT, 1, 41, 0, 0, 0, 0]);
  assert.equal(readRecordHeader(buffer, 0, segmentSeed(42)), undefined);
  assert.equal(readRecordHeader(buffer, 1, segmentSeed(41)), undefined);
  for (let at = 0; at < RECORD_HEADER_BYTES; at++) {
    const flipped = Buffer.from(buffer);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    assert.equal(readRecordHeader(flipped, 0, segmentSeed(41)), undefined, `byte ${at}`);
    assert.equal(readRecordHeader(buffer.subarray(0, at), 0, segmentSeed(41)), undefined, `${at} bytes`);
  }
});
