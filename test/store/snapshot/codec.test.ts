/** LG11: a snapshot is whole exactly when its trailer agrees with everything before it; only then its version counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { StoreVersionMismatch } from '../../../store/journal/record.ts';
import { encodeSnapshot, PACKED_VERSION, SNAPSHOT_VERSION, SnapshotReader } from '../../../store/snapshot/codec.ts';
import { SnapshotDamaged } from '../../../store/snapshot.ts';

const HEADER = { format: 'rosterd-snapshot', version: SNAPSHOT_VERSION, epoch: 'e', seq: 500 };

/** A file with this header and trailer; without a trailer, with the one that fits. */
function fileOf(header: unknown, trailer?: (right: Record<string, unknown>) => unknown): string {
  const before = `${JSON.stringify(header)}\n{"a":1}\n{"b":2}\n`;
  const right = { lines: 2, bytes: Buffer.byteLength(before), crc32: crc32(before) };
  return `${before}${JSON.stringify(trailer === undefined ? right : trailer(right))}\n`;
}

function read(text: string): unknown {
  const reader = new SnapshotReader('f');
  try {
    reader.push(Buffer.from(text));
    return reader.end();
  } catch (error) {
    assert.ok(error instanceof SnapshotDamaged || error instanceof StoreVersionMismatch, String(error));
    assert.equal(error.file, 'f');
    if (error instanceof StoreVersionMismatch) return error.message;
    assert.equal(error.message, `f is damaged: ${error.reason}`);
    return error.reason;
  }
}

test('LG11 a snapshot is encoded as the README describes it, and read back as its position and the number of its lines', async () => {
  const chunks: Buffer[] = [];
  let counted = -1;
  const source = { position: { epoch: 'e', seq: 500 }, lines: () => [{ a: 1 }, { b: 2 }] };
  for await (const chunk of encodeSnapshot(source, (lines) => (counted = lines))) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString();
  assert.deepEqual([text, counted], [fileOf(HEADER), 2]);
  assert.deepEqual(read(text), { position: { epoch: 'e', seq: 500 }, lines: 2 });
});

test('LG11 each field of the trailer must be there and right', () => {
  const noTrailer = 'it does not end with its trailer';
  for (const key of ['lines', 'bytes', 'crc32']) {
    assert.equal(read(fileOf(HEADER, (right) => ({ ...right, [key]: undefined }))), noTrailer, key);
    assert.equal(read(fileOf(HEADER, (right) => ({ ...right, [key]: String(right[key]) }))), noTrailer, key);
  }
  assert.equal(read(fileOf(HEADER, (right) => ({ ...right, bytes: Number(right.bytes) + 1 }))), noTrailer);
  assert.equal(read(fileOf(HEADER, (right) => ({ ...right, crc32: Number(right.crc32) ^ 1 }))), 'it does not match its checksum');
  for (const other of [null, [], 7, 'x']) assert.equal(read(fileOf(HEADER, () => other)), noTrailer);
  assert.equal(read(fileOf(HEADER).slice(0, -1)), 'it does not end with a trailer');
  assert.equal(read(''), 'it does not end with a trailer');
  assert.equal(read(`${fileOf(HEADER)}\n`), noTrailer);
});

test('LG11 a whole file with another header is no snapshot, one of another version is told as such, damage always as damage', () => {
  for (const header of [{ ...HEADER, format: 'other' }, { ...HEADER, version: '2' }, { ...HEADER, version: undefined }, null, [], 'x'])
    assert.equal(read(fileOf(header)), 'it has no header', JSON.stringify(header));
  for (const header of [
    { ...HEADER, epoch: 7 },
    { ...HEADER, epoch: undefined },
    { ...HEADER, seq: '7' },
    { ...HEADER, seq: undefined },
  ])
    assert.equal(read(fileOf(header)), 'its header names no position', JSON.stringify(header));
  for (const version of [1, PACKED_VERSION + 1]) {
    const text = fileOf({ ...HEADER, version });
    assert.equal(read(text), `f has format version ${version}, this rosterd knows ${PACKED_VERSION}: start the version that wrote it`);
    assert.equal(read(text.replace('"a":1', '"a":2')), 'it does not match its checksum');
  }
});
