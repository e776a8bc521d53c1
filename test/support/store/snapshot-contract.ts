/** The suite of the `SnapshotStore` contract (LG11), for every adapter. Positions are at most 10, in the epoch `e`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '../../../protocol/base/position.ts';
import type { LoadedSnapshot, SnapshotLine, SnapshotSource, SnapshotStore } from '../../../store/snapshot.ts';

export function snapshotAt(seq: number): Position {
  return { epoch: 'e', seq };
}

export function someLines(count: number, mark = 'x'): () => Generator<SnapshotLine> {
  return function* () {
    for (let i = 0; i < count; i++) yield { i, mark, text: 'ä\n"\\\u2028😀'.repeat(i % 5) };
  };
}

/** A snapshot of blocks, which a source may lend in one buffer for all of them, between lines without one. */
export function someBlocks(seq: number, count: number, mark = 0): SnapshotSource {
  return {
    position: snapshotAt(seq),
    isPacked: true,
    *lines() {
      const lent = Buffer.alloc(70 * count);
      for (let i = 0; i < count; i++) {
        if (i % 3 === 0) yield { i, mark };
        yield { i, bytes: lent.fill(i + mark).subarray(0, 70 * i) };
      }
    },
  };
}

/** Lines of a snapshot as they come back from a store, with bytes of their own. */
export function keptLines<Line extends object>(lines: Iterable<Line>): Line[] {
  return Array.from(lines, keptLine);
}

function keptLine<Line extends object>(line: Line): Line {
  const bytes: unknown = 'bytes' in line ? line.bytes : undefined;
  const kept: Line = JSON.parse(JSON.stringify({ ...line, bytes: undefined }));
  return bytes instanceof Uint8Array ? { ...kept, bytes: Buffer.from(bytes) } : kept;
}

export async function allLines(snapshot: LoadedSnapshot | undefined): Promise<SnapshotLine[]> {
  const all: SnapshotLine[] = [];
  for await (const chunk of snapshot?.chunks() ?? []) all.push(...keptLines(chunk));
  return all;
}

export function snapshotContract(open: () => Promise<SnapshotStore>): void {
  test('LG11 without a snapshot there is none', async () => {
    assert.equal(await (await open()).load(), undefined);
  });

  test('LG11 between slices of the lines, the saver rests as it is told to', async () => {
    const store = await open();
    let rests = 0;
    const rest = async (): Promise<void> => void rests++;
    function* lines(): Generator<SnapshotLine> {
      for (let n = 0; n < 100; n++) {
        for (const endMs = performance.now() + 0.5; performance.now() < endMs; );
        yield { n };
      }
    }
    await store.save({ position: snapshotAt(5), lines }, rest);
    assert.ok(rests >= 5, `${rests} rests in 50 ms`);
  });

  test('LG11 what was saved is loaded, line by line and in order', async () => {
    const store = await open();
    const saved = await store.save({ position: snapshotAt(5), lines: someLines(5_000) });
    assert.equal(saved.lines, 5_000);
    assert(saved.bytes > 100_000, `${saved.bytes} bytes`);
    const loaded = await store.load();
    assert.deepEqual(loaded?.position, snapshotAt(5));
    assert.deepEqual(await allLines(loaded), [...someLines(5_000)()]);
  });

  test('LG11 the bytes of lines come back as they were', async () => {
    const store = await open();
    const source = someBlocks(6, 200);
    const saved = await store.save(source);
    assert.deepEqual([saved.lines, saved.bytes > 70 * 199 * 100], [267, true]);
    const loaded = await store.load();
    assert.deepEqual(loaded?.position, snapshotAt(6));
    assert.deepEqual(await allLines(loaded), keptLines(source.lines()));
  });

  test('LG11 an empty snapshot is a snapshot', async () => {
    const store = await open();
    await store.save({ position: snapshotAt(0), lines: someLines(0) });
    const loaded = await store.load();
    assert.deepEqual(loaded?.position, snapshotAt(0));
    assert.deepEqual(await allLines(loaded), []);
  });

  test('LG11 the newest counts, also at the same position', async () => {
    const store = await open();
    for (const [seq, mark] of [
      [1, 'a'],
      [7, 'b'],
      [7, 'c'],
    ] as const)
      await store.save({ position: snapshotAt(seq), lines: someLines(3, mark) });
    assert.deepEqual(await allLines(await store.load()), [...someLines(3, 'c')()]);
  });

  test('LG11 a save whose source fails changes nothing', async () => {
    const store = await open();
    await store.save({ position: snapshotAt(1), lines: someLines(3) });
    const failing = function* (): Generator<SnapshotLine> {
      yield { a: 1 };
      throw new Error('the source failed');
    };
    await assert.rejects(store.save({ position: snapshotAt(2), lines: failing }), /the source failed/);
    assert.deepEqual((await store.load())?.position, snapshotAt(1));
    await store.save({ position: snapshotAt(3), lines: someLines(3) });
    assert.deepEqual((await store.load())?.position, snapshotAt(3));
  });
}
