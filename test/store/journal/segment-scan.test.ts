/** LG9: a segment is read record by record, wherever a record lies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../store/journal/journal.ts';
import { appendOne, draft, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

/** How much of a file is read at once. */
const WINDOW_BYTES = 1024 * 1024;

test('LG9 records whose header or content lies across two reads of the file are found, and so is everything behind them', async () => {
  for (const before of [0, 1, 20, 47, 60, 500]) {
    const disk = new SimDisk(new Random(before));
    const open = (): Promise<Journal> => Journal.open({ directory: '/j', fileSystem: disk });
    const size = (): number => [...disk.files()].find(([path]) => path.endsWith('.journal'))?.[1].length ?? 0;
    const log = await open();
    const start = size();
    await appendOne(log, draft('empty', { bytes: 0 }));
    const least = size() - start;
    const append = (id: string, bytes: number): Promise<unknown> => appendOne(log, draft(id, { bytes: bytes - least }));
    // The ids are as long as the first one.
    for (let n = 1; n <= 9; n++) await append(`fill${n}`, 100_000);
    await append('befor', start + WINDOW_BYTES - before - size());
    assert.equal(size(), start + WINDOW_BYTES - before);
    for (let n = 1; n <= 3; n++) await append(`after`, 300);
    const entries = await readToHead(log, 0);
    await log.close();
    const again = await open();
    assert.deepEqual([again.head.seq, await readToHead(again, 0)], [14, entries], `${before} bytes before the end`);
    await again.close();
  }
});
