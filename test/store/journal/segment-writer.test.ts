/** LG5, LG1: a new segment that cannot be made: a full disk is waited for, a failing one is not trusted again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../store/journal/journal.ts';
import { LogUnavailable } from '../../../store/log.ts';
import { appendOne, draft, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const notWritten = (error: unknown): boolean => error instanceof LogUnavailable && error.outcome === 'not-written';

test('LG5 when a new segment finds no space, its entry is refused and the next one is taken; after an error of the disk none is', async () => {
  for (const code of ['ENOSPC', 'EIO']) {
    const disk = new SimDisk(new Random(1));
    const events: string[] = [];
    const options = {
      directory: '/j',
      fileSystem: disk,
      segmentBytes: 1_000,
      onEvent: ({ type }: { type: string }) => void events.push(type),
    };
    const log = await Journal.open(options);
    for (let n = 0; n < 3; n++) await appendOne(log, draft(`e${n}`, { bytes: 200 }));
    disk.plan = (point) => (point.startsWith('segment-') ? { type: 'error', code } : undefined);
    await assert.rejects(appendOne(log, draft('refused', { bytes: 800 })), notWritten);
    assert.equal(events.at(-1), code === 'EIO' ? 'journal-failed' : 'append-rolled-back');
    disk.plan = () => undefined;
    const again = appendOne(log, draft('again', { bytes: 800 }));
    if (code === 'EIO') await assert.rejects(again, (error) => notWritten(error) && /must be reopened by a restart/.test(String(error)));
    else await again;
    const ids = (await readToHead(log, 0)).map(({ id }) => id);
    assert.deepEqual(ids, ['e0', 'e1', 'e2', ...(code === 'EIO' ? [] : ['again'])]);
    await log.close();
    const reopened = await Journal.open({ ...options, fileSystem: disk.lostPower() });
    assert.deepEqual(
      (await readToHead(reopened, 0)).map(({ id }) => id),
      ids,
    );
    await reopened.close();
  }
});
