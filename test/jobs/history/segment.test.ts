/** HY1–HY4: one segment of the history, while it is written and when it is sealed. */
import assert from 'node:assert/strict';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ActiveSegment, openSegment } from '../../../daemon/jobs/history/active-segment.ts';
import { HistoryFiles } from '../../../daemon/jobs/history/files.ts';
import { decodeHeadsHeader, encodeHeads } from '../../../daemon/jobs/history/format.ts';
import { decodeLine, type HistoryChange } from '../../../daemon/jobs/history/record.ts';
import { readSegmentHeader, SealedSegment, type SegmentPlace } from '../../../daemon/jobs/history/segment.ts';
import type { CrashPoint, FileSystem, OpenFile } from '../../../store/file-system.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const HEADER = { epoch: 'e', after: 0, time: 5, salt: 7, slots: 8 };

const change = (seq: number, fields: readonly string[] = ['name']): HistoryChange => ({
  ...{ id: `u${seq % 5}`, seq, at: seq * 10, event: 'updated', from: undefined, fields },
});

/** A change whose record has about this many bytes. */
const large = (seq: number, bytes: number): HistoryChange => change(seq, ['x'.repeat(Math.min(bytes, 65_000))]);

/** Knows how many files are open. */
function countingFiles(): { fs: FileSystem; open: () => number } {
  let open = 0;
  const counted = async (opening: Promise<OpenFile>): Promise<OpenFile> => {
    const file = await opening;
    open++;
    const close = file.close.bind(file);
    file.close = () => {
      open--;
      return close();
    };
    return file;
  };
  const fs = Object.assign(Object.create(nodeFileSystem), {
    openRead: (path: string) => counted(nodeFileSystem.openRead(path)),
    openWrite: (path: string) => counted(nodeFileSystem.openWrite(path)),
    create: (...args: Parameters<FileSystem['create']>) => counted(nodeFileSystem.create(...args)),
  });
  return { fs, open: () => open };
}

async function placed(fs: FileSystem = nodeFileSystem): Promise<SegmentPlace> {
  return { fs, folder: await temporaryDirectory(), number: 7 };
}

const blocks = ({ folder }: SegmentPlace): string => join(folder, '00000007.ndjson');
const heads = ({ folder }: SegmentPlace): string => join(folder, '00000007.heads');
const noDamage = (error: Error): never => {
  throw error;
};

test('HY1 a segment takes each change once, in order, and knows its place and time', async () => {
  const segment = await ActiveSegment.create(await placed(), HEADER);
  assert.deepEqual(
    [segment.seq, segment.time, segment.bytes, segment.isEmpty, segment.hasRecords, segment.isFull],
    [0, 5, 256, true, false, false],
  );
  segment.append(change(3));
  segment.append(change(2));
  segment.append(change(3));
  assert.deepEqual([segment.seq, segment.time, segment.isEmpty, segment.hasRecords], [3, 30, false, true]);
  segment.advance(3, 99);
  segment.advance(2, 99);
  assert.equal(segment.time, 30);
  segment.advance(4, 41);
  assert.deepEqual([segment.seq, segment.time], [4, 41]);
  await segment.flush();
  const content = Buffer.alloc(1_000);
  assert.equal(content.toString('latin1', 0, await segment.read(content, 0)).split('"link"').length, 2, 'one record');
  const { bytes } = segment;
  assert.deepEqual([segment.hasRecords, segment.isEmpty, bytes > 256 + 128], [false, false, true]);
  await segment.flush();
  assert.equal(segment.bytes, bytes, 'nothing is written for nothing');
  segment.advance(5, 50);
  await segment.flush();
  assert.equal(segment.bytes, bytes + 128, 'a position is a block without records');
  await segment.close();
});

test('HY1 a block is full at half a MiB, takes no more than a MiB, and nothing while it is written', async () => {
  const segment = await ActiveSegment.create(await placed(), HEADER);
  let seq = 0;
  while (!segment.isFull) segment.append(large(++seq, 64_000));
  assert.equal(seq, 9);
  assert.throws(() => {
    for (;;) segment.append(large(++seq, 64_000));
  }, /the block is full/);
  assert.equal(seq, 14, 'room for the largest record stays');
  const flushing = segment.flush();
  assert.throws(() => segment.append(change(seq + 1)), /a change came while the block was written/);
  await flushing;
  segment.append(change(seq + 1));
  await segment.close();
});

test('HY1 what is in memory and what is written is read as one', async () => {
  const segment = await ActiveSegment.create(await placed(), HEADER);
  segment.append(change(1));
  await segment.flush();
  segment.append(change(2));
  const end = segment.bytes + 400;
  const whole = Buffer.alloc(end);
  const length = await segment.read(whole, 0);
  const text = whole.toString('latin1', 0, length);
  assert.equal(text.match(/"seq":[12],"at"/g)?.length, 2);
  for (const [position, size] of [
    [0, 100],
    [250, 300],
    [segment.bytes - 10, 20],
    [segment.bytes, 50],
    [segment.bytes + 140, 50],
    [length - 5, 50],
    [length, 10],
    [length + 50, 10],
  ] as const) {
    const part = Buffer.alloc(size);
    const read = await segment.read(part, position);
    const expected = whole.subarray(Math.min(position, length), Math.min(position + size, length));
    assert.equal(read, expected.length, `${position} ${size}`);
    // The header of a block in memory is not made yet.
    const from = Math.max(0, segment.bytes + 128 - position);
    assert.ok(part.subarray(from, read).equals(expected.subarray(from)), `${position} ${size}`);
  }
  await segment.close();
});

test('HY2 no more than 4 MiB of blocks are unsynced', async () => {
  const disk = new SimDisk(new Random(1));
  let syncs = 0;
  const segment = await ActiveSegment.create({ fs: disk, folder: '/h', number: 7 }, HEADER);
  disk.plan = (point) => {
    if (point.endsWith('-sync')) syncs++;
    return undefined;
  };
  let seq = 0;
  const at: number[] = [];
  for (let block = 0; block < 9; block++) {
    const before = syncs;
    while (!segment.isFull) segment.append(large(++seq, 64_000));
    await segment.flush();
    if (syncs > before) at.push(block);
  }
  // A block has 9 × 65 kB: seven of them are in 4 MiB.
  assert.deepEqual(at, [7]);
  await segment.close();
});

test('HY1 HY3 a sealed segment is found again by its table; without a whole table it is read and can be continued', async () => {
  const place = await placed();
  const segment = await ActiveSegment.create(place, HEADER);
  for (let seq = 1; seq <= 20; seq++) segment.append(change(seq));
  await segment.flush();
  const table = await Promise.all(Array.from({ length: 8 }, (_, slot) => segment.head(slot)));
  const sealed = await segment.seal();
  assert.deepEqual([sealed.seq, sealed.time, sealed.bytes], [20, 200, (await stat(blocks(place))).size + (await stat(heads(place))).size]);
  assert.deepEqual(await Promise.all(table.map((_, slot) => sealed.head(slot))), table);
  await sealed.close();
  const again = await openSegment(place, noDamage);
  assert.ok(again instanceof SealedSegment);
  assert.deepEqual([again.seq, again.time, again.bytes], [sealed.seq, sealed.time, sealed.bytes]);
  const line = Buffer.alloc(300);
  const read = await again.read(line, Math.max(...table));
  assert.equal(decodeLine(line.toString('utf8', 0, Math.min(read, line.indexOf(10))))?.item.seq, 20);
  await again.close();
  await truncate(heads(place), 100);
  const active = await openSegment(place, noDamage);
  assert.ok(active instanceof ActiveSegment);
  assert.deepEqual([active.seq, active.time, await Promise.all(table.map((_, slot) => active.head(slot)))], [20, 200, table]);
  await active.close();
});

test('HY1 no file is left open, whatever a segment is found to be', async () => {
  const { fs, open } = countingFiles();
  const place = await placed(fs);
  const segment = await ActiveSegment.create(place, HEADER);
  segment.append(change(1));
  await segment.flush();
  const sealed = await segment.seal();
  assert.equal(open(), 2);
  await sealed.close();
  assert.equal(open(), 0);
  assert.deepEqual(await readSegmentHeader(place), HEADER);
  assert.equal(open(), 0);
  await writeFile(heads(place), 'x');
  assert.equal(await SealedSegment.open(place, HEADER), undefined);
  assert.equal(open(), 0);
  const again = await openSegment(place, noDamage);
  assert.equal(open(), 1);
  await again.close();
  await writeFile(blocks(place), 'x'.repeat(300));
  await assert.rejects(readSegmentHeader(place), {
    name: 'HistoryDamaged',
    message: `${blocks(place)} is damaged: its first line is not that of a history`,
  });
  await assert.rejects(SealedSegment.open({ ...place, folder: heads(place) }, HEADER), /ENOTDIR/);
  assert.equal(open(), 0);
});

test('HY4 a segment that is removed leaves no file, and none open', async () => {
  const { fs, open } = countingFiles();
  const place = await placed(fs);
  const segment = await ActiveSegment.create(place, HEADER);
  segment.append(change(1));
  await segment.flush();
  await (await segment.seal()).remove();
  assert.equal(open(), 0);
  for (const path of [blocks(place), heads(place)]) await assert.rejects(stat(path), /ENOENT/);
});

test('HY4 of a segment that is removed, the table is gone for good before the blocks go', async () => {
  const steps: string[] = [];
  const slowly = async (step: string, act: () => Promise<void>): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    await act();
    steps.push(step);
  };
  const fs: FileSystem = Object.assign(Object.create(nodeFileSystem), {
    remove: (point: CrashPoint, path: string) => slowly(path.slice(-5), () => nodeFileSystem.remove(point, path)),
    syncDirectory: (point: CrashPoint, path: string) => slowly('synced', () => nodeFileSystem.syncDirectory(point, path)),
  });
  const segment = await ActiveSegment.create(await placed(fs), HEADER);
  const sealed = await segment.seal();
  steps.length = 0;
  await sealed.remove();
  assert.deepEqual(steps, ['heads', 'synced', 'djson', 'synced']);
});

test('HY3 a table of slots is whole or none', () => {
  const slots = Uint32Array.from([5, 0, 7, 2 ** 32 - 1]);
  const file = encodeHeads(slots, { bytes: 900, seq: 8, time: 9 });
  const header = decodeHeadsHeader(file, 4);
  assert.ok(header !== undefined);
  assert.deepEqual([header.bytes, header.seq, header.time, file.length], [900, 8, 9, 256 + 16]);
  assert.deepEqual(
    [0, 1, 2, 3].map((slot) => file.readUInt32LE(256 + slot * 4)),
    [...slots],
  );
  assert.equal(decodeHeadsHeader(file, 5), undefined);
  assert.equal(decodeHeadsHeader(file.subarray(0, -1), 4), undefined);
  const text = file.toString('latin1');
  for (const name of ['bytes', 'seq', 'time', 'crc'])
    assert.equal(decodeHeadsHeader(Buffer.from(text.replace(`"${name}"`, `"${'x'.repeat(name.length)}"`), 'latin1'), 4), undefined, name);
  file.writeUInt8(1, 256 + 4);
  assert.equal(decodeHeadsHeader(file, 4), undefined);
});

test('HY1 a history that has not begun can be closed, and takes nothing', async () => {
  const files = await HistoryFiles.open({ folder: await temporaryDirectory(), bytesMax: 1 << 20, onDamaged: noDamage });
  assert.deepEqual([files.position, files.hasRecords, files.isFull], [undefined, false, true]);
  assert.throws(() => files.append(change(1)), /the history has not begun/);
  files.advance(1, 1);
  await files.flush();
  await files.tidy(1, 1);
  assert.equal(files.position, undefined);
  await files.close();
});

test('HY2 what a sealed segment holds is on the disk before its table says so', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const disk = new SimDisk(new Random(seed));
    const segment = await ActiveSegment.create({ fs: disk, folder: '/h', number: 7 }, HEADER);
    for (let seq = 1; seq <= 50; seq++) segment.append(change(seq));
    await segment.flush();
    await segment.seal();
    const found = await openSegment({ fs: disk.lostPower(), folder: '/h', number: 7 }, noDamage);
    assert.ok(found instanceof SealedSegment, `seed ${seed}`);
    assert.equal(found.seq, 50);
  }
});

test('HY4 a segment is a power of two, a thirty-second of the limit at most, from 256 KiB to 256 MiB, with a slot for 128 bytes', async () => {
  for (const [bytesMax, slots] of [
    [2 ** 20, 2 ** 11],
    [2 ** 23 - 1, 2 ** 11],
    [2 ** 24, 2 ** 12],
    [2 ** 25 - 1, 2 ** 12],
    [2 ** 40, 2 ** 21],
  ] as const) {
    const folder = await temporaryDirectory();
    const files = await HistoryFiles.open({ folder, bytesMax, onDamaged: noDamage });
    await files.begin({ epoch: 'e', after: 0, time: 1 });
    await files.close();
    assert.equal((await readSegmentHeader({ fs: nodeFileSystem, folder, number: 1 })).slots, slots, `${bytesMax}`);
  }
});

test('HY1 HY3 a history that begins anew has written what it took before', async () => {
  const disk = new SimDisk(new Random(1));
  const open = () => HistoryFiles.open({ folder: '/h', bytesMax: 1 << 20, fileSystem: disk, onDamaged: noDamage });
  const files = await open();
  await files.begin({ epoch: 'e', after: 0, time: 1 });
  files.append(change(5));
  assert.equal(files.hasRecords, true);
  await files.begin({ epoch: 'f', after: 9, time: 90 });
  assert.deepEqual([files.hasRecords, files.position], [false, { epoch: 'f', seq: 9 }]);
  await files.close();
  const again = await open();
  assert.deepEqual(
    (await again.page({ id: 'u0', limit: 9 }, 0)).items.map(({ seq }) => seq),
    [9, 5],
    'and tells the gap',
  );
  await again.close();
});
