/** LG9: damage that shows while a reader catches up is named with its file and offset. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../store/journal/journal.ts';
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
