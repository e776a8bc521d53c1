/** Snapshot and journal together, as a daemon opens them, and the bytes on the disk. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENTRY_VERSION } from '../../protocol/log/entry.ts';
import { openDataDirectory, openLocked } from '../../store/data-dir.ts';
import type { StoreEvent } from '../../store/events.ts';
import { Journal } from '../../store/journal/journal.ts';
import {
  encodeRecord,
  KIND_SEGMENT,
  RECORD_HEADER_BYTES,
  readRecordHeader,
  SEGMENT_VERSION,
  StoreVersionMismatch,
  segmentSeed,
  writeRecordHeader,
} from '../../store/journal/record.ts';
import type { Store } from '../../store/store.ts';
import { appendOne, draft, readToHead } from '../support/store/entries.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const journal = { segmentBytes: 2_000, retention: { bytes: 0 } };

async function snapshotAtHead({ log, snapshots }: Pick<Store, 'log' | 'snapshots'>): Promise<void> {
  const position = log.head;
  await snapshots.save({ position, lines: () => [{ seq: position.seq }] });
  await log.snapshotSaved(position.seq);
}

test('LG11 the snapshot and the entries after it are the whole history, after any number of restarts', async () => {
  const directory = await temporaryDirectory();
  for (let life = 0; life < 5; life++) {
    const data = await openDataDirectory(directory, { journal });
    const after = data.loaded?.position.seq ?? 0;
    const entries = await readToHead(data.log, after);
    assert.equal(after + entries.length, life * 30);
    for (let i = 0; i < 30; i++) {
      await appendOne(data.log, draft(`e${life}.${i}`, { bytes: 100 }));
      if (i % 12 === 5) await snapshotAtHead(data);
    }
    await data.close();
  }
});

test('LG11 a damaged newest snapshot is reported and the older one used: the journal has kept what follows it', async () => {
  const disk = new SimDisk(new Random(1));
  const first = await openLocked('/d', { fileSystem: disk, journal });
  for (let i = 0; i < 60; i++) {
    await appendOne(first.log, draft(`e${i}`, { bytes: 100 }));
    if (i % 10 === 9) await snapshotAtHead(first);
  }
  assert.ok(first.log.tail > 0, 'nothing was trimmed');
  const newest =
    [...disk.files().keys()]
      .filter((path) => path.endsWith('.ndjson'))
      .sort()
      .at(-1) ?? assert.fail();
  disk.flip(newest, 70, 1);
  const events: StoreEvent[] = [];
  const again = await openLocked('/d', { fileSystem: disk.lostPower(), journal, onEvent: (event) => events.push(event) });
  assert.equal(again.loaded?.position.seq, 50);
  assert.deepEqual(
    (await readToHead(again.log, 50)).map(({ id }) => id),
    Array.from({ length: 10 }, (_, i) => `e${50 + i}`),
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['snapshot-damaged'],
  );
});

test('LG8 a journal that was moved away makes a new epoch at the snapshot, which lasts', async () => {
  const directory = await temporaryDirectory();
  const first = await openDataDirectory(directory, { journal });
  for (let i = 0; i < 10; i++) await appendOne(first.log, draft(`e${i}`));
  await snapshotAtHead(first);
  await first.close();
  await rename(join(directory, 'journal'), join(directory, 'journal-before'));

  const second = await openDataDirectory(directory, { journal });
  const { head } = second.log;
  assert.equal(head.seq, 10);
  assert.notEqual(head.epoch, first.log.head.epoch);
  await appendOne(second.log, draft('after'));
  await second.close();
  const third = await openDataDirectory(directory, { journal });
  assert.deepEqual(third.log.head, { epoch: head.epoch, seq: 11 });
  await third.close();
});

test('LG9 the bytes of a record are those the README describes; a change needs a new version', async () => {
  const disk = new SimDisk(new Random(1));
  const log = await Journal.open({ directory: '/j', fileSystem: disk });
  await appendOne(log, { id: 'x', time: 1_700_000_000_000_001, facts: [{ t: 'app', app: { enforce_unique_usernames: 'no' } }] });
  const [content = assert.fail()] = disk.files().values();
  const at = content.readUInt32LE(8) + RECORD_HEADER_BYTES;
  const record = content.subarray(at);
  assert.deepEqual([SEGMENT_VERSION, ENTRY_VERSION], [1, 3]);
  assert.equal(
    record.subarray(0, RECORD_HEADER_BYTES).toString('hex'),
    [
      'ff525354', // magic
      '02030000', // kind, version
      '60000000', // payload length
      '01000000', // facts
      '0100000000000000', // first seq
      '6c00000000000000', // synced
      '01401e18240a0600', // time
      'df42b06d', // CRC-32 of the payload
      'bb32788b', // CRC-32 of the header
    ].join(''),
  );
  assert.equal(
    record.toString('utf8', RECORD_HEADER_BYTES),
    '{"id":"x","time":1700000000000001,"facts":[{"t":"app","app":{"enforce_unique_usernames":"no"}}]}',
  );
});

test('LG9 an entry of another version is refused as such, not as damaged', async () => {
  for (const version of [ENTRY_VERSION - 1, ENTRY_VERSION + 1]) {
    const disk = new SimDisk(new Random(1));
    await appendOne(await Journal.open({ directory: '/j', fileSystem: disk }), draft('e'));
    const [[name, content] = assert.fail()] = [...disk.files()];
    const at = content.readUInt32LE(8) + RECORD_HEADER_BYTES;
    const header = readRecordHeader(content, at, segmentSeed(1));
    assert.ok(header !== undefined);
    writeRecordHeader(content, at, { ...header, version }, segmentSeed(1));
    await assert.rejects(
      Journal.open({ directory: '/j', fileSystem: SimDisk.holding(new Map([[name, content]]), new Random(1)) }),
      (error) => error instanceof StoreVersionMismatch && error.message.includes(`has format version ${version}`),
    );
  }
});

test('LG9 a journal of a later version is refused as too new, not as damaged', async () => {
  const name = '/j/0000000000000001.journal';
  const future = encodeRecord(KIND_SEGMENT, SEGMENT_VERSION + 1, 1, '{}', segmentSeed(1));
  await assert.rejects(
    Journal.open({ directory: '/j', fileSystem: SimDisk.holding(new Map([[name, future]]), new Random(1)) }),
    StoreVersionMismatch,
  );
});
