/** HY2, HY3: the headers in the files of the history. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  decodeBlockHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  sealBlock,
  segmentNumber,
} from '../../../daemon/jobs/history/format.ts';

const header = { epoch: 'e', after: 7, time: 9, salt: 3, slots: 1 };

test('HY3 the header of a segment is read as it was written, and one that cannot be is none', () => {
  for (const slots of [1, 2, 2 ** 10, 2 ** 24]) {
    const bytes = encodeSegmentHeader({ ...header, slots });
    assert.deepEqual([bytes.length, decodeSegmentHeader(bytes)], [SEGMENT_HEADER_BYTES, { ...header, slots }]);
  }
  for (const slots of [0, -1, 3, 6, 2 ** 25, 2 ** 24 + 1])
    assert.equal(decodeSegmentHeader(encodeSegmentHeader({ ...header, slots })), undefined, `${slots}`);
  const text = encodeSegmentHeader(header).toString();
  assert.ok(text.startsWith('{"history":1,"epoch":'), 'the format that other daemons read');
  const written = JSON.parse(text);
  for (const name of Object.keys(written)) {
    assert.equal(decodeSegmentHeader(Buffer.from(text.replace(`"${name}"`, '"other"'))), undefined, `without ${name}`);
  }
  for (const [from, to] of [
    [`"history":${written.history}`, `"history":${written.history + 1}`],
    ['"epoch":"e"', '"epoch":7'],
    ['"slots":1', '"slots":"1"'],
    ['{', '['],
  ] as const) {
    assert.equal(decodeSegmentHeader(Buffer.from(text.replace(from, to))), undefined, to);
  }
});

test('HY2 the header of a block says how long it is, its position and its checksum, which cover its records', () => {
  const records = Buffer.from('{"a":1}\n{"b":2}\n');
  const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), records]);
  sealBlock(block, 5, 6);
  assert.ok(block.subarray(0, BLOCK_MAGIC.length).equals(BLOCK_MAGIC));
  assert.ok(block.subarray(BLOCK_HEADER_BYTES).equals(records));
  const read = decodeBlockHeader(block.subarray(0, BLOCK_HEADER_BYTES));
  assert.ok(read !== undefined);
  assert.deepEqual([read.bytes, read.seq, read.time], [records.length, 5, 6]);
  const crcs = [
    [records, 5, 6],
    [records, 6, 6],
    [records, 5, 7],
    [Buffer.from('{"a":1}\n{"b":3}\n'), 5, 6],
  ].map(([content, seq, time]) => {
    const other = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), content as Buffer]);
    sealBlock(other, seq as number, time as number);
    return decodeBlockHeader(other.subarray(0, BLOCK_HEADER_BYTES))?.crc;
  });
  assert.equal(crcs[0], read.crc);
  assert.equal(new Set(crcs).size, 4);
  const text = block.toString('latin1', 0, BLOCK_HEADER_BYTES);
  for (const wrong of [`"block":${-1}`, '"block":99999999999', '"block":"16"', '"other":16']) {
    assert.equal(decodeBlockHeader(Buffer.from(text.replace(`"block":${records.length}`, wrong))), undefined, wrong);
  }
});

test('HY3 only the names of segments have a number', () => {
  assert.deepEqual(['00000012.ndjson', '12.ndjson', '00000012.ndjson.part', 'a0000012.ndjson'].map(segmentNumber), [
    12,
    undefined,
    undefined,
    undefined,
  ]);
});
