/** One suite for every adapter of the `Blobs` contract (BL1–BL6), and what the files of a data directory promise beyond it. */
import assert from 'node:assert/strict';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BlobFiles } from '../../store/blob-files.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { FileSystem, OpenFile } from '../../store/file-system.ts';
import { MemoryBlobs } from '../../store/memory/blobs.ts';
import { nodeFileSystem } from '../../store/node-file-system.ts';
import { eventually } from '../support/eventually.ts';
import { Arriving, type BlobsAdapter, blobsContract, inParts } from '../support/store/blobs-contract.ts';
import { untilDeath } from '../support/store/death.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const places = new WeakMap<Blobs, string>();

const adapter: BlobsAdapter = {
  async open() {
    const directory = await temporaryDirectory();
    const blobs = await BlobFiles.open(directory);
    places.set(blobs, directory);
    return blobs;
  },
  async age(blobs, folder, name, storedMs) {
    const at = new Date(storedMs);
    await utimes(join(places.get(blobs) ?? assert.fail(), folder, name), at, at);
  },
};

describe('files of a data directory', () => blobsContract(adapter));

const inMemory: BlobsAdapter = {
  open: async () => new MemoryBlobs(),
  age: async (blobs, folder, name, storedMs) => {
    assert.ok(blobs instanceof MemoryBlobs && (folder === 'exports' || folder === 'uploads'));
    blobs.age(folder, name, storedMs);
  },
};

describe('files in memory', () => blobsContract(inMemory));

test('BL1 files in memory are bounded together, and what does not fit leaves nothing', async () => {
  const blobs = new MemoryBlobs({ bytesMax: 100 });
  await blobs.put('uploads', 'a', inParts(Buffer.alloc(60), 10));
  await assert.rejects(blobs.put('uploads', 'b', inParts(Buffer.alloc(60), 10)), { code: 'ENOSPC' });
  assert.deepEqual([await blobs.has('uploads', 'b'), blobs.bytes], [false, 60]);
  const copy = blobs.copy();
  assert.equal(await blobs.removeOld('uploads', Date.now() + 1_000, new Set()), 1);
  assert.deepEqual([blobs.bytes, copy.bytes, await copy.has('uploads', 'a')], [0, 60, true]);
});

test('BL1 BL2 whenever the power goes, a file is whole or not there, and there for good once it is stored', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const disk = new SimDisk(new Random(seed));
    const blobs = await BlobFiles.open('/d', disk);
    let left = seed % 8;
    disk.plan = () => (left-- === 0 ? { type: 'crash' } : undefined);
    const isDone = await untilDeath(disk, blobs.put('exports', 'a', inParts(Buffer.from('text'), 2), { replaces: true }));
    const after = disk.lostPower();
    const found = after.files().get('/d/exports/a')?.toString();
    assert.ok(found === 'text' || (!isDone && found === undefined), `seed ${seed}: ${found}`);
    await BlobFiles.open('/d', after);
    assert.deepEqual([...after.files().keys()], found === undefined ? [] : ['/d/exports/a'], `seed ${seed}: remains`);
  }
});

test('BL5 while the disk takes nothing, no further chunk is taken', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const create: FileSystem['create'] = async (point, path) => {
    const file = await nodeFileSystem.create(point, path);
    const write: OpenFile['write'] = async (...args) => {
      await released;
      return await file.write(...args);
    };
    return { ...wrapped(file), write };
  };
  const blobs = await BlobFiles.open(await temporaryDirectory(), { ...nodeFileSystem, create });
  const chunks = new Arriving();
  const putting = blobs.put('uploads', 'a', chunks);
  for (const text of ['a', 'b', 'c']) chunks.send(Buffer.from(text));
  chunks.end();
  await eventually(() => chunks.taken > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(chunks.taken, 1);
  release();
  assert.equal(await putting, 3);
});

function wrapped(file: OpenFile): Omit<OpenFile, 'write'> {
  return {
    read: (...args) => file.read(...args),
    truncate: (...args) => file.truncate(...args),
    datasync: (point) => file.datasync(point),
    size: () => file.size(),
    close: () => file.close(),
  };
}

test('BL6 what an ended process left unfinished goes at the next start', async () => {
  const directory = await temporaryDirectory();
  const first = await BlobFiles.open(directory);
  await first.put('uploads', 'whole', inParts(Buffer.from('x'), 1));
  void first.put('uploads', 'half', new Arriving());
  while ((await readdir(join(directory, 'uploads'))).length < 2) await new Promise((resolve) => setImmediate(resolve));
  await writeFile(join(directory, 'exports', 'old.11111111-2222-3333-4444-555555555555.part'), 'of an earlier version');
  await BlobFiles.open(directory);
  assert.deepEqual([await readdir(join(directory, 'uploads')), await readdir(join(directory, 'exports'))], [['whole'], []]);
});
