/** LG6, LG9: which block is read for a position, which are kept, and how damage is told that shows while a reader catches up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockReader } from '../../../store/journal/block-reader.ts';
import { Journal } from '../../../store/journal/journal.ts';
import type { Segment } from '../../../store/journal/segment.ts';
import { scanSegment } from '../../../store/journal/segment-scan.ts';
import { LogDamaged } from '../../../store/log.ts';
import { appendOne, draft } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

test('LG9 a record that is damaged on the disk is not handed out; those before it are, and the error says where it lies', async () => {
  for (const damaged of [0, 3, 11]) {
    const disk = new SimDisk(new Random(damaged));
    // So little memory that every entry is read from the file, in blocks of several records.
    const log = await Journal.open({ directory: '/j', fileSystem: disk, recentBytes: 0, cacheBytes: 0, blockBytes: 700 });
    const file = (): [string, Buffer] => [...disk.files()].find(([path]) => path.endsWith('.journal')) ?? assert.fail('no segment');
    const starts: number[] = [];
    for (let n = 0; n < 12; n++) {
      starts.push(file()[1].length);
      await appendOne(log, draft(`e${n}`, { bytes: 100 }));
    }
    const [path] = file();
    const offset = starts[damaged] ?? 0;
    disk.flip(path, offset + 80, 1);
    const read: string[] = [];
    await assert.rejects(
      async () => {
        for await (const { id } of log.read(0, new AbortController().signal)) read.push(id);
      },
      (error) => {
        assert.ok(error instanceof LogDamaged, String(error));
        assert.deepEqual([error.file, error.offset], [path, offset]);
        return true;
      },
    );
    assert.ok(read.length <= damaged, `${read}`);
    assert.deepEqual(
      read,
      Array.from({ length: read.length }, (_, n) => `e${n}`),
    );
    await log.close();
  }
});

/** A segment of 24 entries of two facts, in blocks of three entries, and a reader that keeps so many blocks. */
async function blocks(kept: number) {
  const disk = new SimDisk(new Random(1));
  const log = await Journal.open({ directory: '/j', fileSystem: disk });
  const sizeOf = (): number => [...disk.files().values()][0]?.length ?? 0;
  const start = sizeOf();
  for (let n = 0; n < 24; n++) await appendOne(log, draft(`e${String(n).padStart(2, '0')}`, { facts: 2, bytes: 100 }));
  const record = (sizeOf() - start) / 24;
  const [path = ''] = [...disk.files().keys()];
  const { segment } = await scanSegment(await disk.openRead(path), path, 3 * record);
  assert.equal(segment.marks.length, 8);
  const opened: number[] = [];
  const { openRead } = disk;
  disk.openRead = async (name) => {
    const file = await openRead.call(disk, name);
    return {
      ...file,
      read: (buffer, offset, length, position) => {
        opened.push((position - start) / record);
        return file.read(buffer, offset, length, position);
      },
    };
  };
  const reader = new BlockReader(disk, kept * 3 * record);
  const read = async (after: number, of: Segment = segment): Promise<string> => (await reader.block(of, after)).map(({ id }) => id).join();
  /** The blocks, by their first entry, that were read from the file for these. */
  const readFor = async (...firsts: readonly number[]): Promise<number[]> => {
    opened.length = 0;
    for (const first of firsts) await read(2 * first);
    return opened.splice(0);
  };
  return { disk, path, segment, reader, read, readFor, opened, start, record };
}

const ids = (from: number): string => [0, 1, 2].map((n) => `e${String(from + n).padStart(2, '0')}`).join();

test('LG6 each position is answered with the whole block that holds the next fact', async () => {
  const { read } = await blocks(0);
  for (let after = 0; after < 48; after++) assert.equal(await read(after), ids(3 * Math.floor(after / 6)), `after ${after}`);
});

test('LG6 the blocks that were used last are kept, up to the bound, and each is read once for all that want it', async () => {
  const { readFor, read, opened } = await blocks(2);
  assert.deepEqual(await readFor(0, 3, 0, 3), [0, 3]);
  assert.deepEqual(await readFor(0, 6, 0), [6], 'the second one gave way, as the first was used after it');
  assert.deepEqual(await readFor(3, 0, 3), [3]);
  assert.deepEqual(await readFor(6), [6]);
  assert.deepEqual(await readFor(6, 3), []);
  await Promise.all(Array.from({ length: 9 }, () => read(30)));
  assert.deepEqual(opened, [15]);
  const none = await blocks(0);
  assert.deepEqual(await none.readFor(0, 0, 3, 0), [0, 0, 3, 0]);
  const all = await blocks(8);
  assert.deepEqual(await all.readFor(...[0, 3, 6, 9, 12, 15, 18, 21, 0, 3, 6, 9, 12, 15, 18, 21]), [0, 3, 6, 9, 12, 15, 18, 21]);
  const less = await blocks(0.99);
  assert.deepEqual(await less.readFor(0, 0), [0, 0], 'a block that is longer than the bound is not kept');
});

test('LG6 a block that could not be read is read again for the next one, and takes no room', async () => {
  const { disk, readFor, read } = await blocks(2);
  const { openRead } = disk;
  for (let round = 0; round < 5; round++) {
    disk.openRead = () => Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    await assert.rejects(read(12), { code: 'EMFILE' });
    disk.openRead = openRead;
  }
  assert.deepEqual(await readFor(0, 6, 0, 6), [0, 6]);
});

test('LG9 a file that became shorter, or whose header or payload changed, is damaged where the record begins', async () => {
  for (const [from, mask, reason] of [
    [0, 1, 'no whole record where one was written'],
    [9, 1, 'no whole record where one was written'],
    [60, 1, 'the payload does not match its checksum'],
  ] as const) {
    const { disk, path, read, start, record } = await blocks(0);
    disk.flip(path, start + 4 * record + from, mask);
    assert.equal(await read(0), ids(0));
    await assert.rejects(read(6), (error) => {
      assert.ok(error instanceof LogDamaged);
      assert.deepEqual([error.file, error.offset, error.reason], [path, start + 4 * record, reason]);
      return true;
    });
  }
  const { disk, path, read, start, record } = await blocks(0);
  await (await disk.openWrite(path)).truncate('recovery-truncate', start + 5 * record - 1);
  await assert.rejects(read(6), (error) => error instanceof LogDamaged && error.offset === start + 4 * record);
});
