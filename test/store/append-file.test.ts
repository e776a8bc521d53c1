/** AF1–AF5: the parts of a file of records, where a record lies across two reads, and where a step of the disk fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AppendFile,
  FileDamaged,
  FileWindow,
  findProofOfSync,
  type RecordStep,
  type SyncProof,
  scanRecords,
} from '../../store/append-file.ts';
import type { OpenFile } from '../../store/file-system.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';

/** How much of a file is read at once. */
const WINDOW = 1024 * 1024;
const PATH = '/d/f';

const diskOf = (content: Buffer): SimDisk => SimDisk.holding(new Map([[PATH, content]]), new Random(1));

/** A file of these bytes, and the places that were read. */
function watched(content: Buffer): { file: OpenFile; reads: number[] } {
  const reads: number[] = [];
  const file = {
    read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
      if (position < content.length) reads.push(position);
      return content.copy(buffer, offset, position, Math.min(position + length, content.length));
    },
    size: async () => content.length,
  } as unknown as OpenFile;
  return { file, reads };
}

test('AF3 a window shows the bytes from any place on, and reads again only for bytes that it does not have', async () => {
  const content = Buffer.from(Array.from({ length: 2 * WINDOW + 100 }, (_, n) => (n * 31 + (n >> 12)) & 255));
  const { file, reads } = watched(content);
  const window = new FileWindow(file);
  const look = async (offset: number, bytes: number): Promise<void> => {
    const view = await window.at(offset, bytes);
    assert.ok(view.length >= Math.min(bytes, content.length - offset), `${view.length} at ${offset}`);
    assert.ok(view.equals(content.subarray(offset, offset + view.length)), `at ${offset}`);
  };
  await look(0, 1);
  await look(10, WINDOW - 10);
  await look(WINDOW - 1, 1);
  assert.deepEqual(reads, [0]);
  await look(10, WINDOW - 9);
  assert.deepEqual(reads, [0, 10]);
  await look(9, 1);
  assert.deepEqual(reads, [0, 10, 9]);
  await look(WINDOW + 8, 1);
  assert.deepEqual(reads.length, 3);
  await look(WINDOW + 9, 1);
  assert.deepEqual(reads.slice(3), [WINDOW + 9]);
  await look(5, WINDOW + 50);
  assert.deepEqual(reads.slice(4), [5], 'a longer view gets a longer buffer');
  await look(content.length - 1, 20);
  assert.equal((await window.at(content.length, 5)).length, 0);
});

/** Records of a length in four digits, and as many letters; `!` instead of the first letter is a bad one. */
function readSized(view: Buffer): RecordStep {
  if (view.length < 4) return { kind: 'more', bytes: 4, reason: 'no length' };
  const bytes = 4 + Number(view.toString('utf8', 0, 4));
  if (view.length < bytes) return { kind: 'more', bytes, reason: 'cut off' };
  return view[4] === 0x21 ? { kind: 'bad', reason: 'wrong' } : { kind: 'whole', bytes };
}

const record = (length: number, first = 'x'): string => String(length).padStart(4, '0') + (length === 0 ? '' : first.padEnd(length, 'x'));

test('AF3 records are read from their start to the first bad one, wherever they lie; the rest is not looked at', async () => {
  const scan = (text: string, start = 0, at: number[] = []) =>
    scanRecords(watched(Buffer.from(text)).file, start, (view, offset) => {
      at.push(offset);
      return readSized(view);
    });
  assert.deepEqual(await scan(''), { end: 0, size: 0, bad: undefined });
  assert.deepEqual(await scan('head', 4), { end: 4, size: 4, bad: undefined });
  const two = record(5) + record(0);
  assert.deepEqual(await scan(two), { end: 13, size: 13, bad: undefined });
  assert.deepEqual(await scan(`head${two}`, 4), { end: 17, size: 17, bad: undefined });
  assert.deepEqual(await scan(two + record(3, '!') + record(2)), { end: 13, size: 26, bad: { offset: 13, reason: 'wrong' } });
  assert.deepEqual(await scan(two.slice(0, -1)), { end: 9, size: 12, bad: { offset: 9, reason: 'no length' } });
  assert.deepEqual(await scan(record(5).slice(0, -1)), { end: 0, size: 8, bad: { offset: 0, reason: 'cut off' } });
  const many = record(9_000).repeat(300);
  const places: number[] = [];
  assert.deepEqual(await scan(many, 0, places), { end: many.length, size: many.length, bad: undefined });
  assert.deepEqual(
    [...new Set(places)],
    Array.from({ length: 300 }, (_, n) => n * 9_004),
  );
});

test('AF3 a file that becomes shorter while it is read is an error, and no torn tail', async () => {
  const { file } = watched(Buffer.from(record(50)));
  const shorter = { ...file, size: async () => 5_000 } as unknown as OpenFile;
  await assert.rejects(
    scanRecords(shorter, 0, (view) =>
      view.length < 100 ? { kind: 'more', bytes: 100, reason: 'cut off' } : { kind: 'whole', bytes: 100 },
    ),
    /became shorter/,
  );
});

const MAGIC = Buffer.from([0xff, 0x01]);

/** A header is the magic, and in four bytes the place up to which all was durable. */
const proof: SyncProof = {
  magic: MAGIC,
  headerBytes: 6,
  durableBefore: (view, index) => (view.length >= index + 6 ? view.readUInt32LE(index + 2) : undefined),
};

function header(durable: number): Buffer {
  const bytes = Buffer.concat([MAGIC, Buffer.alloc(4)]);
  bytes.writeUInt32LE(durable, 2);
  return bytes;
}

test('AF4 a later header proves that a bad record was durable, wherever it lies, and only if it says so', async () => {
  const found = async (size: number, at: number, durable: number, bad = 10): Promise<number | undefined> => {
    const content = Buffer.alloc(size, 0x61);
    header(durable).copy(content, at);
    return await findProofOfSync(watched(content).file, size, bad, proof);
  };
  assert.equal(await found(100, 50, 11), 50);
  assert.equal(await found(100, 50, 50), 50);
  assert.equal(await found(100, 50, 10), undefined, 'only what lies before it was durable');
  assert.equal(await found(100, 50, 51), undefined, 'it cannot know of what lies after it');
  assert.equal(await found(100, 11, 11), 11);
  assert.equal(await found(100, 10, 10), undefined, 'the bad record itself proves nothing');
  assert.equal(await found(100, 94, 20), 94);
  assert.equal(await found(100, 95, 20), undefined, 'the header is cut off');
  assert.equal(await found(16, 10, 10, 9), 10);
  for (const at of [-7, -6, -5, -2, -1, 0, 1].map((place) => WINDOW + 11 + place)) assert.equal(await found(3 * WINDOW, at, 20), at);
  for (const at of [3 * WINDOW - 6, 2 * WINDOW + 12]) assert.equal(await found(3 * WINDOW, at, 20), at);
  assert.equal(await findProofOfSync(watched(Buffer.alloc(5_000, 0xff)).file, 5_000, 3, proof), undefined);
  // A header that proves nothing does not hide the one after it.
  const two = Buffer.concat([Buffer.alloc(20, 0x61), header(5), header(21), Buffer.alloc(9, 0x61)]);
  assert.equal(await findProofOfSync(watched(two).file, two.length, 10, proof), 26);
  const close = Buffer.concat([Buffer.alloc(20, 0x61), MAGIC, header(15), Buffer.alloc(9, 0x61)]);
  assert.equal(await findProofOfSync(watched(close).file, close.length, 10, proof), 22);
});

const format = { start: 0, read: readSized };

test('AF3 AF4 a bad record without a proof is cut off; with one, file, place and both reasons are named', async () => {
  const content = Buffer.concat([Buffer.from(record(5) + record(5, '!')), header(12)]);
  const disk = diskOf(content);
  const file = await AppendFile.open(disk, PATH, format);
  assert.deepEqual([file.end, file.unsynced, file.path, file.isFrayed], [9, 0, PATH, false]);
  assert.equal(disk.lostPower().files().get(PATH)?.length, 9);
  const damaged = diskOf(content);
  await assert.rejects(AppendFile.open(damaged, PATH, { ...format, proof }), (error) => {
    assert.ok(error instanceof FileDamaged);
    assert.deepEqual([error.file, error.offset, error.reason], [PATH, 9, 'wrong; the record at 18 proves that it was durable']);
    assert.equal(error.message, `${PATH} is damaged at offset 9: ${error.reason}`);
    return true;
  });
  assert.deepEqual(damaged.files().get(PATH), content);
});

test('AF3 a tail that is to stay is there until it is cut off, or until the next write', async () => {
  for (const isMended of [true, false]) {
    const disk = diskOf(Buffer.from(`${record(5)}torn`));
    const file = await AppendFile.resume(disk, PATH, 9, undefined, true);
    assert.deepEqual([file.isFrayed, file.end, disk.files().get(PATH)?.length], [true, 9, 13]);
    if (isMended) await file.mend();
    else await file.append(Buffer.from(record(0)));
    const expected = isMended ? record(5) : record(5) + record(0);
    assert.deepEqual([file.isFrayed, disk.files().get(PATH)?.toString()], [false, expected]);
    const { passed } = disk;
    await file.mend();
    assert.equal(passed.get('rollback-truncate'), 1, 'there is nothing to mend any more');
  }
});

test('AF3 a file that ends where it should is not cut, and what fails on the way closes it', async () => {
  const disk = diskOf(Buffer.from(record(5)));
  await (await AppendFile.resume(disk, PATH, 9)).close();
  assert.deepEqual(
    ['recovery-truncate', 'recovery-sync', 'recovery-directory-sync'].map((point) => disk.passed.get(point as never)),
    [undefined, 1, 1],
  );
  for (const point of ['recovery-truncate', 'recovery-sync', 'recovery-directory-sync'] as const) {
    const failing = diskOf(Buffer.from(`${record(5)}torn`));
    let closed = 0;
    const { openWrite } = failing;
    failing.openWrite = async (path) => ({ ...(await openWrite.call(failing, path)), close: async () => void closed++ });
    failing.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(AppendFile.resume(failing, PATH, 9), { code: 'EIO' });
    assert.equal(closed, 1, point);
  }
});

test('AF1 AF2 the end counts what was appended, and unsynced what a loss of power may take', async () => {
  const disk = new SimDisk(new Random(1));
  const file = await AppendFile.create(disk, '/d', 'f', Buffer.from('head'));
  const state = (): unknown => [file.end, file.unsynced, disk.files().get(PATH)?.toString()];
  assert.deepEqual(state(), [4, 0, 'head']);
  await file.append(Buffer.from('abc'));
  await file.append(Buffer.from('defg'), 2);
  assert.deepEqual(state(), [9, 5, 'headabcde']);
  await file.sync();
  assert.deepEqual(state(), [9, 0, 'headabcde']);
  await file.append(Buffer.from('x'));
  const buffer = Buffer.alloc(20, '.');
  assert.deepEqual([await file.read(buffer, 7), buffer.toString('utf8', 0, 4)], [3, 'dex.']);
  // An append that cannot be synced takes back only itself.
  disk.plan = (point) => (point === 'group-sync' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(file.appendDurably(Buffer.from('yz')), { code: 'EIO' });
  disk.plan = () => undefined;
  assert.deepEqual(state(), [10, 0, 'headabcdex']);
  await file.appendDurably(Buffer.from('yz'));
  assert.deepEqual(state(), [12, 0, 'headabcdexyz']);
});

test('AF5 a file that was replaced has only its new content, and one that was not is as it was', async () => {
  const disk = new SimDisk(new Random(1));
  const file = await AppendFile.create(disk, '/d', 'f', Buffer.from('head'));
  await file.append(Buffer.from('old'));
  const write = (text: string) => async (to: OpenFile) => await to.write('segment-write', Buffer.from(text), 0, text.length, 0);
  await assert.rejects(
    file.replace(async (to) => {
      await write('half')(to);
      throw new Error('the owner failed');
    }),
    /the owner failed/,
  );
  assert.deepEqual([file.end, file.unsynced, [...disk.files().values()].map(String)], [7, 3, ['headold']]);
  disk.plan = (point) => (point === 'rollback-truncate' || point === 'group-write' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(file.append(Buffer.from('refused')), { code: 'EIO' });
  disk.plan = () => undefined;
  assert.equal(file.isFrayed, true);
  await file.replace(write('new'));
  assert.deepEqual([file.end, file.unsynced, file.isFrayed, [...disk.lostPower().files().values()].map(String)], [3, 0, false, ['new']]);
  const synced = disk.passed.get('segment-directory-sync');
  await file.appendDurably(Buffer.from('er'));
  assert.equal(disk.passed.get('segment-directory-sync'), synced, 'the name was durable already');
  assert.deepEqual([...disk.files().values()].map(String), ['newer']);
});

test('AF1 an append that could be neither synced nor cut off is cut off before anything else is written', async () => {
  const disk = new SimDisk(new Random(1));
  const file = await AppendFile.create(disk, '/d', 'f', Buffer.from('head'));
  disk.plan = (point) => (point === 'group-sync' || point === 'rollback-truncate' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(file.appendDurably(Buffer.from('refused')), { code: 'EIO' });
  assert.deepEqual([file.isFrayed, file.end, disk.files().get(PATH)?.toString()], [true, 4, 'headrefused']);
  disk.plan = () => undefined;
  await file.append(Buffer.from('x'));
  assert.deepEqual([file.isFrayed, file.end, disk.files().get(PATH)?.toString()], [false, 5, 'headx']);
});
