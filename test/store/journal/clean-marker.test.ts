/** LG9, LG10: the marker of a clean close is trusted only as a whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { type CleanMarker, readCleanMarker, removeCleanMarker, writeCleanMarker } from '../../../store/journal/clean-marker.ts';
import { LogDamaged } from '../../../store/log.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const MARKER: CleanMarker = { epoch: 'e', seq: 70, segment: '0000000000000041.journal', bytes: 900 };
const PATH = '/j/clean';

const read = async (disk: SimDisk): Promise<CleanMarker | undefined> => readCleanMarker(disk, '/j', await disk.list('/j'));
const holding = (text: string): SimDisk => SimDisk.holding(new Map([[PATH, Buffer.from(text)]]), new Random(1));
const summed = (json: string): string => `${json}\n${crc32(json)}\n`;

test('LG10 the marker comes back as it was written, is durable when it is there, and durably gone when it was removed', async () => {
  const disk = new SimDisk(new Random(1));
  assert.equal(await read(disk), undefined);
  await writeCleanMarker(disk, '/j', MARKER);
  assert.deepEqual(await read(disk.lostPower()), MARKER);
  assert.equal(disk.files().get(PATH)?.toString(), summed(JSON.stringify(MARKER)), 'as the README describes it');
  await removeCleanMarker(disk, '/j');
  for (let seed = 0; seed < 8; seed++) assert.equal(await read(disk.lostPower()), undefined);
  await removeCleanMarker(disk, '/j');
});

test('LG9 a marker that is cut, longer, of another form or without a field is damage, in the file and at its beginning', async () => {
  const whole = summed(JSON.stringify(MARKER));
  const without = (key: keyof CleanMarker, value?: unknown): string => summed(JSON.stringify({ ...MARKER, [key]: value }));
  const wrong = [
    ...Array.from({ length: whole.length }, (_, length) => whole.slice(0, length)),
    `${whole}\n`,
    `${whole}x`,
    `\n${whole}`,
    ...['null', '7', '[]', '""'].map(summed),
    ...(['epoch', 'seq', 'segment', 'bytes'] as const).flatMap((key) => [
      without(key),
      without(key, null),
      without(key, key === 'seq' || key === 'bytes' ? '7' : 7),
    ]),
  ];
  for (const text of wrong) {
    await assert.rejects(read(holding(text)), (error) => {
      assert.ok(error instanceof LogDamaged, JSON.stringify(text));
      assert.deepEqual([error.file, error.offset, error.reason], [PATH, 0, 'the marker of the clean close does not match its checksum']);
      return true;
    });
  }
  assert.deepEqual(await read(holding(whole)), MARKER);
  assert.deepEqual(await read(holding(summed(JSON.stringify({ ...MARKER, later: 1 })))), MARKER, 'a later version may say more');
});
