/** BK13: every file of a data directory is looked at to its end, and every damaged one is named with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import { inspectFiles } from '../../../store/backup/inspect.ts';
import { openLocked } from '../../../store/data-dir.ts';
import { readRecordHeader, segmentSeed, writeRecordHeader } from '../../../store/journal/record.ts';
import { appendOne, draft } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

/** The files of a directory with two snapshots and several segments, by the end of their paths. */
async function files(): Promise<ReadonlyMap<string, Buffer>> {
  const disk = new SimDisk(new Random(1));
  const journal = { segmentBytes: 1_500 };
  const { log, snapshots } = await openLocked('/d', { fileSystem: disk, journal });
  for (let n = 0; n < 20; n++) {
    await appendOne(log, draft(`e${n}`, { bytes: 100 }));
    if (n === 8 || n === 15) await snapshots.save({ position: log.head, lines: () => [{ n }, { text: 'x' }] });
  }
  return disk.files();
}

const pathsOf = (all: ReadonlyMap<string, Buffer>, folder: string): string[] =>
  [...all.keys()].filter((path) => path.startsWith(`/d/${folder}/`)).sort();

test('BK13 a sound directory has no damage; its files are counted, and their bytes', async () => {
  const all = await files();
  const [segments, snapshots] = [pathsOf(all, 'journal'), pathsOf(all, 'snapshot')];
  assert.ok(segments.length > 2 && snapshots.length === 2);
  const bytes = [...all.values()].reduce((sum, { length }) => sum + length, 0);
  const expected = { segments: segments.length, snapshots: 2, bytes, damaged: [] };
  assert.deepEqual(await inspectFiles('/d', SimDisk.holding(all, new Random(1))), expected);
  const others = new Map(all);
  for (const name of ['journal/clean', 'journal/0000000000000001.journal.torn', 'journal/x~.tmp', 'snapshot/notes.txt', 'snapshot/y~.tmp'])
    others.set(`/d/${name}`, Buffer.from('something else'));
  const disk = SimDisk.holding(others, new Random(1));
  assert.deepEqual(await inspectFiles('/d', disk), expected, 'files of other kinds are none of them');
  assert.equal(disk.files().size, others.size, 'and stay');
  assert.deepEqual(await inspectFiles('/nothing', disk), { segments: 0, snapshots: 0, bytes: 0, damaged: [] });
});

test('BK13 every damaged file is named, also several at once: a record with its place, a whole file with its reason', async () => {
  const all = await files();
  const [first = '', second = '', third = ''] = pathsOf(all, 'journal');
  const [older = '', newer = ''] = pathsOf(all, 'snapshot');
  const disk = SimDisk.holding(all, new Random(1));
  const record = all.get(second)?.indexOf('"id":"e') ?? 0;
  disk.flip(first, 20, 1);
  disk.flip(second, record + 20, 1);
  disk.flip(older, 70, 1);
  const { damaged } = await inspectFiles('/d', disk);
  assert.deepEqual(
    damaged.map(({ file }) => file),
    [first, second, older],
  );
  assert.deepEqual(damaged[0], { file: first, offset: 0, reason: 'the segment header is not whole' });
  assert.equal(damaged[1]?.reason, 'the payload does not match its checksum');
  assert.ok((damaged[1]?.offset ?? record) < record);
  assert.deepEqual([damaged[2]?.offset, damaged[2]?.reason], [undefined, 'it does not match its checksum']);

  // A record of another version is no damage to the file, but no daemon of this version starts with it.
  const foreign = Buffer.from(all.get(third) ?? '');
  const seed = segmentSeed(Number(third.slice('/d/journal/'.length, -'.journal'.length)));
  const at = foreign.lastIndexOf(Buffer.from([0xff, 0x52, 0x53, 0x54]));
  const header = readRecordHeader(foreign, at, seed) ?? assert.fail();
  writeRecordHeader(foreign, at, { ...header, version: ENTRY_VERSION + 1 }, seed);
  const snapshot = (all.get(newer) ?? Buffer.alloc(0)).subarray(0, -1);
  const changed = SimDisk.holding(new Map([...all, [third, foreign], [newer, snapshot]]), new Random(1));
  const [version, cut, ...rest] = (await inspectFiles('/d', changed)).damaged;
  assert.deepEqual([version?.file, version?.offset, rest], [third, undefined, []]);
  assert.match(version?.reason ?? '', /has format version/);
  assert.deepEqual(cut, { file: newer, offset: undefined, reason: 'it does not end with a trailer' });
});

test('BK13 a file that cannot be read at all is an error, not damage', async () => {
  const disk = SimDisk.holding(await files(), new Random(1));
  const { openRead } = disk;
  disk.openRead = async (path) => {
    const file = await openRead.call(disk, path);
    return { ...file, read: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) };
  };
  await assert.rejects(inspectFiles('/d', disk), { code: 'EIO' });
});

test('BK13 a snapshot is judged as a whole before its lines are looked at', async () => {
  const all = await files();
  const [path = ''] = pathsOf(all, 'snapshot');
  const content = all.get(path) ?? Buffer.alloc(0);
  const disk = SimDisk.holding(all, new Random(1));
  // The beginning of a line: it is no JSON any more.
  disk.flip(path, content.indexOf('\n{') + 1, 1);
  assert.deepEqual((await inspectFiles('/d', disk)).damaged, [{ file: path, offset: undefined, reason: 'it does not match its checksum' }]);
  // Lines of another version may be anything, as long as they are all there.
  const body = Buffer.from('{"format":"rosterd-snapshot","version":9,"epoch":"e","seq":1}\nno JSON\n');
  const trailer = `${JSON.stringify({ lines: 1, bytes: body.length, crc32: crc32(body) })}\n`;
  const later = SimDisk.holding(new Map([...all, [path, Buffer.concat([body, Buffer.from(trailer)])]]), new Random(1));
  const { damaged } = await inspectFiles('/d', later);
  assert.match(damaged[0]?.reason ?? '', /^.* has format version 9, this rosterd knows 3/);
});
