/** AF6, LG9, LG11, BK3: files that version 0.1.0 wrote (test/golden/disk) are read, are written on, and are still written byte for byte. */
import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HistoryFiles } from '../../daemon/jobs/history/files.ts';
import { openLetterFile } from '../../daemon/jobs/hooks/letter-file.ts';
import { checkBackup } from '../../store/backup/file.ts';
import { openDataDirectory } from '../../store/data-dir.ts';
import { fileChunks } from '../../store/file-system.ts';
import { nodeFileSystem } from '../../store/node-file-system.ts';
import { SnapshotFiles } from '../../store/snapshot/file.ts';
import type { SnapshotLine } from '../../store/snapshot.ts';
import { backupOf, someLines, sourceOf } from '../support/store/backup-kit.ts';
import { readToHead } from '../support/store/entries.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const GOLDEN = join(import.meta.dirname, '../golden/disk');
const SNAPSHOT = '000000000001-0000000000000002.ndjson';
const START = 1_763_729_000_000_000;

/** A copy that may be written on. */
async function copied(): Promise<string> {
  const data = await temporaryDirectory();
  await cp(GOLDEN, data, { recursive: true });
  return data;
}

function nobody(): never {
  throw new Error('nothing is damaged');
}

test('LG9 LG11 a data directory of version 0.1.0 opens, with its snapshot and the entries after it', async () => {
  const { log, loaded, close } = await openDataDirectory(await copied());
  const lines: SnapshotLine[] = [];
  for await (const chunk of loaded?.chunks() ?? []) lines.push(...chunk);
  assert.deepEqual(lines, someLines(2));
  assert.deepEqual([loaded?.position.seq, log.head.seq, loaded?.position.epoch], [2, 3, log.head.epoch]);
  assert.deepEqual(
    (await readToHead(log)).map(({ id, time }) => [id, time]),
    [1, 2, 3].map((n) => [`entry-${n}`, START + n]),
  );
  await close();
});

test('LG11 a snapshot is still written as it was, byte for byte', async () => {
  const directory = await temporaryDirectory();
  const golden = await readFile(join(GOLDEN, 'snapshot', SNAPSHOT));
  const { epoch } = JSON.parse(golden.toString().split('\n')[0] ?? '');
  const snapshots = await SnapshotFiles.open({ directory });
  await snapshots.save({ ...sourceOf(someLines(2)), position: { epoch, seq: 2 } });
  assert.equal((await readFile(join(directory, SNAPSHOT))).toString(), golden.toString());
});

test('BK3 a backup of version 0.1.0 is whole, and is still written as it was, byte for byte', async () => {
  const path = join(GOLDEN, 'backup.ndjson');
  const { users, deleted, documents, lines, position } = await checkBackup(fileChunks(path, nodeFileSystem), path);
  assert.deepEqual([users, deleted, documents, lines, position], [2, 2, 1, 7, { epoch: 'epoch-a', seq: 100 }]);
  assert.equal((await backupOf(someLines(2))).toString(), (await readFile(path)).toString());
});

test('AF6 letters of version 0.1.0 are read, and written on', async () => {
  const folder = join(await copied(), 'webhooks', 'hook');
  const letters = await openLetterFile(folder, { onDamage: nobody });
  assert.deepEqual([letters.parked, letters.dead, letters.lost, letters.has('id3')], [1, 1, 4, false]);
  const event = await letters.read('id2');
  assert.deepEqual([event.seq, event.lane], [2, 'u2']);
  const status = { state: 'parked', attempts: 1, retries: 1, whenMs: 5, reason: 'answered 500', isReplay: false } as const;
  await letters.put('id3', 'e', { ...event, seq: 3, at: START + 3, lane: 'u3' }, status);
  await letters.close();
  const written = (await readFile(join(folder, 'letters.ndjson'))).toString().split('\n');
  const golden = (await readFile(join(GOLDEN, 'webhooks', 'hook', 'letters.ndjson'))).toString().split('\n');
  assert.deepEqual(written.slice(0, golden.length - 1), golden.slice(0, -1));
  assert.match(written.at(-2) ?? '', /^\{"op":"put","id":"id3","epoch":"e","status":\{"state":"parked",/);
  const again = await openLetterFile(folder, { onDamage: nobody });
  assert.equal(again.parked, 2);
  await again.close();
});

test('AF6 a history of version 0.1.0 is read, and written on in its own segment', async () => {
  const folder = join(await copied(), 'history');
  const open = (): Promise<HistoryFiles> => HistoryFiles.open({ folder, bytesMax: 8 * 1024 * 1024, onDamaged: nobody });
  const files = await open();
  assert.deepEqual(files.position, { epoch: 'one', seq: 4 });
  files.append({ id: 'ann', seq: 5, at: START + 5, event: 'updated', from: { source: 'server' }, fields: ['name'] });
  await files.close();
  const unwritten = await open();
  assert.equal(unwritten.position?.seq, 4, 'it was not flushed');
  unwritten.append({ id: 'ann', seq: 5, at: START + 5, event: 'updated', from: { source: 'server' }, fields: ['name'] });
  await unwritten.flush();
  await unwritten.close();
  const again = await open();
  const { items } = await again.page({ id: 'ann', limit: 10 }, 0);
  assert.deepEqual(
    items,
    [5, 3, 1].map((seq) => ({ seq, at: START + seq, event: 'updated', source: 'server', fields: ['name'] })),
  );
  await again.close();
  const written = await readFile(join(folder, '00000001.ndjson'));
  const golden = await readFile(join(GOLDEN, 'history', '00000001.ndjson'));
  assert.equal(written.subarray(0, golden.length).compare(golden), 0);
  assert.match(written.subarray(golden.length).toString(), /^\{"block":121,"seq":5,"time":1763729000000005,"crc":\d+\} +\n\{"id":"ann",/);
});
