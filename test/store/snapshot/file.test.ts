/** LG11: which snapshots are kept, which one is loaded, and how a damaged one is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEvent } from '../../../store/events.ts';
import { checkSnapshot, isSnapshotName, SnapshotFiles, snapshotLines, snapshotName } from '../../../store/snapshot/file.ts';
import { SnapshotDamaged, type SnapshotLine, type SnapshotSource } from '../../../store/snapshot.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const sourceOf = (seq: number, lines: readonly SnapshotLine[] = [{ seq }]): SnapshotSource => ({
  position: { epoch: 'e', seq },
  lines: () => lines,
});
const pathOf = (generation: number, seq: number): string => `/s/${snapshotName(generation, seq)}`;

async function opened(disk: SimDisk, events: StoreEvent[] = []): Promise<SnapshotFiles> {
  return await SnapshotFiles.open({ directory: '/s', fileSystem: disk, onEvent: (event) => void events.push(event) });
}

test('LG11 the name of a snapshot holds its generation and its seq, so that names sort as generations do', () => {
  assert.equal(snapshotName(7, 500), '000000000007-0000000000000500.ndjson');
  assert.deepEqual([snapshotName(1, 2), 'x', `${snapshotName(1, 2)}.tmp`, `x${snapshotName(1, 2)}`, '1-2.ndjson'].map(isSnapshotName), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('LG11 each snapshot is of the generation after the newest, whatever their positions are and whatever else lies there', async () => {
  const disk = SimDisk.holding(new Map([['/s/notes.txt', Buffer.from('x')]]), new Random(1));
  const store = await opened(disk);
  for (const seq of [9, 3, 7]) await store.save(sourceOf(seq));
  assert.deepEqual([...disk.files().keys()].sort(), [pathOf(2, 3), pathOf(3, 7), '/s/notes.txt']);
  assert.equal(disk.passed.get('snapshot-remove'), 1);
  assert.deepEqual((await store.load())?.position, { epoch: 'e', seq: 7 });
  const { bytes, lines } = await store.save(sourceOf(8, [{ a: 1 }, { b: 2 }]));
  assert.deepEqual([bytes, lines], [disk.files().get(pathOf(4, 8))?.length, 2]);
});

test('LG11 every damaged snapshot is reported, the newest of them is named when none is whole, and none counts among the newest two', async () => {
  const disk = new SimDisk(new Random(1));
  const events: StoreEvent[] = [];
  const store = await opened(disk, events);
  for (const seq of [1, 2]) await store.save(sourceOf(seq));
  for (const path of [pathOf(1, 1), pathOf(2, 2)]) disk.flip(path, 70, 1);
  await assert.rejects(store.load(), (error) => {
    assert.ok(error instanceof SnapshotDamaged);
    assert.deepEqual([error.file, error.reason], [pathOf(2, 2), 'it does not match its checksum; no other snapshot in /s is whole']);
    return true;
  });
  assert.deepEqual(
    events.map((event) => event.type === 'snapshot-damaged' && [event.file, event.reason]),
    [pathOf(2, 2), pathOf(1, 1)].map((file) => [file, 'it does not match its checksum']),
  );
  for (const seq of [3, 4, 5]) {
    await store.save(sourceOf(seq));
    assert.equal(disk.files().has(pathOf(1, 1)) || disk.files().has(pathOf(2, 2)), false);
  }
  assert.deepEqual([...disk.files().keys()], [pathOf(4, 4), pathOf(5, 5)]);
});

test('LG11 an error that is no damage is not taken for it', async () => {
  const disk = new SimDisk(new Random(1));
  const events: StoreEvent[] = [];
  const store = await opened(disk, events);
  for (const seq of [1, 2]) await store.save(sourceOf(seq));
  disk.openRead = () => Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
  await assert.rejects(store.load(), { code: 'EACCES' });
  assert.deepEqual(events, []);
});

test('LG11 one snapshot is saved at a time, a failed save takes its file away and lets the next one begin', async () => {
  const disk = new SimDisk(new Random(1));
  const store = await opened(disk);
  await store.save(sourceOf(1));
  const saving = store.save(sourceOf(2));
  await assert.rejects(store.save(sourceOf(3)), /already/);
  await saving;
  disk.plan = (point) => (point === 'snapshot-directory-sync' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(store.save(sourceOf(4)), { code: 'EIO' });
  disk.plan = () => undefined;
  assert.deepEqual([...disk.files().keys()], [pathOf(1, 1), pathOf(2, 2)]);
  assert.deepEqual((await store.load())?.position.seq, 2);
  await store.save(sourceOf(5));
  assert.deepEqual([...disk.files().keys()], [pathOf(2, 2), pathOf(3, 5)]);
});

async function allLines(disk: SimDisk, path: string): Promise<SnapshotLine[]> {
  const all: SnapshotLine[] = [];
  for await (const lines of snapshotLines(disk, path)) all.push(...lines);
  return all;
}

test('LG11 lines are read in chunks, in order, and a file that changed since it was checked is damaged', async () => {
  const disk = new SimDisk(new Random(1));
  const lines = Array.from({ length: 40 }, (_, n) => ({ n, text: 'x'.repeat(n * 700) }));
  await (await opened(disk)).save(sourceOf(1, lines));
  const path = pathOf(1, 1);
  assert.deepEqual(await checkSnapshot(disk, path), { position: { epoch: 'e', seq: 1 }, lines: 40 });
  assert.deepEqual(await allLines(disk, path), lines);
  await (await opened(disk)).save(sourceOf(2, []));
  assert.deepEqual(await allLines(disk, pathOf(2, 2)), []);
  const content = disk.files().get(path) ?? Buffer.alloc(0);
  const changed = (change: (text: string) => string): SimDisk =>
    SimDisk.holding(new Map([[path, Buffer.from(change(content.toString()))]]), new Random(1));
  const isDamage = (reason: RegExp) => (error: unknown) =>
    error instanceof SnapshotDamaged && error.file === path && reason.test(error.reason);
  await assert.rejects(
    allLines(
      changed((text) => text.replace('{"n":3', '{"n":')),
      path,
    ),
    isDamage(/^a line is not JSON$/),
  );
  await assert.rejects(
    allLines(
      changed((text) => text.replace('"lines":40', '"lines":41')),
      path,
    ),
    isDamage(/^it has 40 lines, its trailer says 41$/),
  );
  await assert.rejects(
    allLines(
      changed((text) => text.replace('{"n":3', '{"m":3')),
      path,
    ),
    isDamage(/checksum/),
  );
});

test('LG11 what is left of an interrupted save goes at the opening, and a directory without snapshots has none', async () => {
  const disk = SimDisk.holding(new Map([[`${pathOf(1, 1)}~.tmp`, Buffer.from('half')]]), new Random(1));
  const store = await opened(disk);
  assert.deepEqual([disk.files().size, await store.load()], [0, undefined]);
});
