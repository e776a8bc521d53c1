/** One suite for every adapter of the `SnapshotStore` contract (LG11), and what the files promise beyond it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StoreEvent } from '../../store/events.ts';
import { SnapshotFiles } from '../../store/snapshot/file.ts';
import { MemorySnapshots } from '../../store/snapshot/memory.ts';
import { SnapshotDamaged, type SnapshotStore } from '../../store/snapshot.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { allLines, snapshotAt, snapshotContract, someBlocks, someLines } from '../support/store/snapshot-contract.ts';
import { temporaryDirectory } from '../support/store/temp.ts';
import { TurnCount } from '../support/turn-count.ts';

const place = '/s';

function openFiles(disk: SimDisk, events: StoreEvent[] = []): Promise<SnapshotFiles> {
  return SnapshotFiles.open({ directory: place, fileSystem: disk, onEvent: (event) => events.push(event) });
}

const adapters: [string, () => Promise<SnapshotStore>][] = [
  ['memory', async () => new MemorySnapshots()],
  ['files on a simulated disk', () => openFiles(new SimDisk(new Random(1)))],
  ['files on the real disk', async () => SnapshotFiles.open({ directory: await temporaryDirectory() })],
];

for (const [name, open] of adapters) describe(name, () => snapshotContract(open));

describe('files', () => {
  test('LG11 lines of any length survive', async () => {
    const store = await openFiles(new SimDisk(new Random(1)));
    const long = [1, 300_000, 10, 262_143, 1_000_000, 2].map((length) => ({ text: 'ü'.repeat(length) }));
    await store.save({ position: snapshotAt(1), lines: () => long });
    assert.deepEqual(await allLines(await store.load()), long);
  });

  test('LG11 the newest two are kept', async () => {
    const disk = new SimDisk(new Random(1));
    const store = await openFiles(disk);
    for (let seq = 1; seq <= 5; seq++) await store.save({ position: snapshotAt(seq), lines: someLines(3) });
    assert.deepEqual([...disk.files().keys()].sort(), [
      `${place}/000000000004-0000000000000004.ndjson`,
      `${place}/000000000005-0000000000000005.ndjson`,
    ]);
  });

  test('LG11 leftovers of an interrupted save are removed at open', async () => {
    const disk = SimDisk.holding(new Map([[`${place}/000000000001-0000000000000001.ndjson.tmp`, Buffer.from('{')]]), new Random(1));
    assert.equal(await (await openFiles(disk)).load(), undefined);
    assert.equal(disk.files().size, 0);
  });

  test('LG11 any flipped bit is found: the older snapshot is used and the damage reported', async () => {
    const disk = new SimDisk(new Random(1));
    const store = await openFiles(disk);
    await store.save({ position: snapshotAt(1), lines: someLines(3, 'old') });
    await store.save({ position: snapshotAt(2), lines: someLines(4, 'new') });
    const newest = `${place}/000000000002-0000000000000002.ndjson`;
    const size = disk.files().get(newest)?.length ?? 0;
    for (let offset = 0; offset < size; offset++) {
      disk.flip(newest, offset, 1 << (offset % 8));
      const events: StoreEvent[] = [];
      const loaded = await (await openFiles(disk, events)).load();
      assert.deepEqual(loaded?.position, snapshotAt(1), `flip at ${offset}`);
      assert.deepEqual(await allLines(loaded), [...someLines(3, 'old')()]);
      assert.deepEqual(
        events.map((event) => event.type === 'snapshot-damaged' && event.file),
        [newest],
      );
      disk.flip(newest, offset, 1 << (offset % 8));
    }
  });

  test('LG11 a snapshot cut off anywhere is not loaded', async () => {
    const disk = new SimDisk(new Random(1));
    await (await openFiles(disk)).save({ position: snapshotAt(1), lines: someLines(3) });
    const [path, content] = [...disk.files()][0] ?? assert.fail();
    for (let length = 0; length < content.length; length++) {
      const cut = SimDisk.holding(new Map([[path, content.subarray(0, length)]]), new Random(1));
      await assert.rejects((await openFiles(cut)).load(), SnapshotDamaged);
    }
  });

  test('LG11 any flipped bit in a snapshot of blocks is found, and it is not loaded when it is cut off anywhere', async () => {
    const disk = new SimDisk(new Random(1));
    await (await openFiles(disk)).save({ position: snapshotAt(1), lines: someLines(3, 'old') });
    await (await openFiles(disk)).save(someBlocks(2, 5, 9));
    const newest = `${place}/000000000002-0000000000000002.ndjson`;
    const content = disk.files().get(newest) ?? assert.fail();
    const isOlder = async (bytes: Buffer, what: string): Promise<void> => {
      const events: StoreEvent[] = [];
      const damaged = SimDisk.holding(new Map([...disk.files(), [newest, bytes]]), new Random(1));
      assert.deepEqual((await (await openFiles(damaged, events)).load())?.position, snapshotAt(1), what);
      assert.deepEqual(
        events.map((event) => event.type === 'snapshot-damaged' && event.file),
        [newest],
      );
    };
    for (let at = 0; at < content.length; at++) {
      const flipped = Buffer.from(content);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await isOlder(flipped, `flip at ${at}`);
      await isOlder(content.subarray(0, at), `cut at ${at}`);
    }
  });

  test('LG11 a snapshot that cannot be loaded is damaged: the older one is used, and the damage reported', async () => {
    const disk = new SimDisk(new Random(1));
    const events: StoreEvent[] = [];
    const store = await openFiles(disk, events);
    for (const seq of [1, 2]) await store.save({ position: snapshotAt(seq), lines: someLines(seq) });
    const newest = await store.load();
    const older = await newest?.instead?.('it is odd');
    assert.deepEqual([older?.position, await allLines(older)], [snapshotAt(1), [...someLines(1)()]]);
    const file = `${place}/000000000002-0000000000000002.ndjson`;
    assert.deepEqual(events, [{ type: 'snapshot-damaged', file, reason: 'it is odd' }]);
    await assert.rejects(
      async () => await older?.instead?.('so is it'),
      (error) => error instanceof SnapshotDamaged && error.message === `${file} is damaged: it is odd; no other snapshot in /s is whole`,
    );
    await store.save({ position: snapshotAt(3), lines: someLines(3) });
    assert.deepEqual([...disk.files().keys()], [`${place}/000000000003-0000000000000003.ndjson`], 'neither counts among the newest two');
  });

  test('LG11 when no snapshot is whole, loading refuses and does not start empty', async () => {
    const disk = new SimDisk(new Random(1));
    const store = await openFiles(disk);
    for (const seq of [1, 2]) await store.save({ position: snapshotAt(seq), lines: someLines(3) });
    for (const [path, content] of disk.files()) disk.flip(path, content.length >> 1, 1);
    await assert.rejects(
      store.load(),
      (error) => error instanceof SnapshotDamaged && error.file.endsWith('000000000002-0000000000000002.ndjson'),
    );
  });

  test('LG11 a damaged file does not push out the whole one', async () => {
    const disk = new SimDisk(new Random(1));
    const store = await openFiles(disk);
    for (const seq of [1, 2]) await store.save({ position: snapshotAt(seq), lines: someLines(3) });
    const newest = `${place}/000000000002-0000000000000002.ndjson`;
    disk.flip(newest, 60, 1);
    assert.deepEqual((await store.load())?.position, snapshotAt(1));
    await store.save({ position: snapshotAt(3), lines: someLines(3) });
    const left = [...disk.files().keys()];
    assert.equal(left.length, 2);
    assert(!left.includes(newest), 'the damaged file is still there');
  });

  test('LG11 a full disk fails the save and leaves the earlier snapshot', async () => {
    const disk = new SimDisk(new Random(1));
    const store = await openFiles(disk);
    await store.save({ position: snapshotAt(1), lines: someLines(3) });
    for (const point of ['snapshot-create', 'snapshot-write', 'snapshot-sync', 'snapshot-rename', 'snapshot-directory-sync'] as const) {
      disk.plan = (passed) => (passed === point ? { type: 'error', code: 'ENOSPC' } : undefined);
      await assert.rejects(store.save({ position: snapshotAt(2), lines: someLines(3) }), /ENOSPC/);
      disk.plan = () => undefined;
      assert.deepEqual((await store.load())?.position, snapshotAt(1));
      assert.equal(disk.files().size, 1);
    }
  });

  test('LG11 one save at a time', async () => {
    const store = await openFiles(new SimDisk(new Random(1)));
    const first = store.save({ position: snapshotAt(1), lines: someLines(3) });
    await assert.rejects(store.save({ position: snapshotAt(2), lines: someLines(3) }), /already/);
    await first;
    assert.deepEqual((await store.load())?.position, snapshotAt(1));
  });

  test('LG11 saving lets the event loop turn', async () => {
    const store = await SnapshotFiles.open({ directory: await temporaryDirectory() });
    const loop = new TurnCount();
    await store.save({ position: snapshotAt(1), lines: someLines(50_000) });
    loop.stop();
    assert(loop.turns > 8, `${loop.turns} turns`);
  });
});
