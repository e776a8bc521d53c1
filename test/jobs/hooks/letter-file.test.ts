/** The letters of a webhook on disk: WH10 and WH11. */
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LetterStatus } from '../../../daemon/jobs/hooks/letter.ts';
import { LetterFolders, openLetterFile } from '../../../daemon/jobs/hooks/letter-file.ts';
import { LETTER_LIMITS, type LetterLimits, type Letters } from '../../../daemon/jobs/hooks/letters.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import type { FileSystem } from '../../../store/file-system.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { START_MS, userRecord } from '../../support/hooks/hook-bench.ts';
import { Random } from '../../support/store/random.ts';
import { type Fault, SimDisk } from '../../support/store/sim-disk.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const at = START_MS * 1_000;

const parked: LetterStatus = { state: 'parked', attempts: 1, retries: 1, whenMs: 5, reason: 'answered 500', isReplay: false };

const dead: LetterStatus = { ...parked, state: 'dead' };

function eventAt(seq: number, padding = 0): HookEvent {
  const user = { ...userRecord(`u${seq}`), custom: { padding: 'x'.repeat(padding) } };
  return { seq, at: at + seq, type: 'user.updated', lane: user.id, fact: { t: 'user', event: 'updated', user } };
}

interface Opened {
  readonly letters: Letters;
  readonly damaged: () => number;
  /** Where the first line lies that is none. */
  readonly place: () => string | undefined;
}

async function open(directory: string, limits: Partial<LetterLimits> = {}, fileSystem: FileSystem = nodeFileSystem): Promise<Opened> {
  let damaged = 0;
  let place: string | undefined;
  const onDamage = (lines: number, file: string, offset: number): void => {
    damaged = lines;
    place = `${file}:${offset}`;
  };
  const letters = await openLetterFile(directory, { onDamage, limits: { ...LETTER_LIMITS, ...limits }, fileSystem });
  return { letters, damaged: () => damaged, place: () => place };
}

test('WH10 letters come back as they were, and what a crash cut short is gone', async () => {
  const directory = await temporaryDirectory();
  const first = (await open(directory)).letters;
  await Promise.all([1, 2, 3, 4].map((seq) => first.put(`id${seq}`, 'e', eventAt(seq), parked)));
  await first.move('id2', dead);
  await first.move('id3', { ...parked, attempts: 9 }, false);
  await first.drop(['id4']);
  await first.noteLost(5);
  const path = join(directory, 'letters.ndjson');
  const whole = await readFile(path);
  await appendFile(path, '{"op":"put","id":"half');
  const { letters, damaged } = await open(directory);
  assert.deepEqual([letters.parked, letters.dead, letters.lost, damaged()], [2, 1, 5, 0]);
  assert.deepEqual(await letters.read('id3'), eventAt(3));
  assert.equal(letters.get('id3')?.attempts, 9);
  assert.equal((await readFile(path)).length, whole.length);
  await Promise.all([first.close(), letters.close()]);
});

test('WH10 cut at every byte, every letter that was whole is there', async () => {
  const directory = await temporaryDirectory();
  const { letters } = await open(directory);
  for (const seq of [1, 2, 3]) await letters.put(`id${seq}`, 'e', eventAt(seq), parked);
  await letters.close();
  const path = join(directory, 'letters.ndjson');
  const bytes = await readFile(path);
  const ends = [...bytes.keys()].filter((index) => bytes[index] === 10);
  for (let length = bytes.length; length >= 0; length -= 37) {
    await truncate(path, length);
    const again = await open(directory);
    assert.equal(again.letters.parked, ends.filter((end) => end < length).length, `${length} bytes`);
    assert.equal(again.damaged(), 0);
    await again.letters.close();
  }
});

test('WH10 a line that is none is told, and the others are there', async () => {
  const directory = await temporaryDirectory();
  const { letters } = await open(directory);
  await letters.put('id1', 'e', eventAt(1), parked);
  await letters.close();
  const path = join(directory, 'letters.ndjson');
  const { length } = await readFile(path);
  await appendFile(path, 'nonsense\n{"op":"put","id":7}\n');
  const again = await open(directory);
  await again.letters.put('id2', 'e', eventAt(2), parked);
  assert.deepEqual([again.letters.parked, again.damaged(), again.place()], [2, 2, `${path}:${length}`]);
  assert.deepEqual(await again.letters.read('id2'), eventAt(2));
  await again.letters.close();
});

test('WH10 what is parked is bounded in number and bytes, also within one write', async () => {
  const many = (await open(await temporaryDirectory(), { parked: 3 })).letters;
  const taken = await Promise.all([1, 2, 3, 4, 5].map((seq) => many.put(`id${seq}`, 'e', eventAt(seq), parked)));
  assert.deepEqual(taken, [true, true, true, false, false]);
  assert.deepEqual([many.parked, many.room], [3, 0]);
  await many.drop(['id1']);
  assert.equal(await many.put('id6', 'e', eventAt(6), parked), true);
  await many.close();
  const big = (await open(await temporaryDirectory(), { parkedBytes: 5_000 })).letters;
  assert.deepEqual(await Promise.all([1, 2].map((seq) => big.put(`id${seq}`, 'e', eventAt(seq, 3_000), parked))), [true, false]);
  await big.close();
});

test('WH11 dead letters beyond the bound go, the oldest first, and are counted as lost; too old ones just go', async () => {
  const { letters } = await open(await temporaryDirectory(), { dead: 10 });
  for (let seq = 1; seq <= 12; seq++) await letters.put(`id${seq}`, 'e', eventAt(seq), { ...dead, whenMs: seq });
  // The drop and the count are written after what caused them.
  await letters.noteLost(0);
  await letters.noteLost(0);
  const seqs = letters.all('dead').map(({ seq }) => seq);
  assert.equal(seqs.length + letters.lost, 12);
  assert.ok(seqs.length <= 10 && seqs.at(-1) === 12, seqs.join());
  await letters.expire(12);
  assert.deepEqual(
    letters.all('dead').map(({ seq }) => seq),
    [12],
  );
  await letters.close();
});

test('WH10 the file is written anew when most of it is of no use, and nothing is missing', async () => {
  const directory = await temporaryDirectory();
  const { letters } = await open(directory);
  const keep = [1, 2, 3];
  for (const seq of keep) await letters.put(`keep${seq}`, 'e', eventAt(seq), parked);
  await letters.noteLost(4);
  for (let round = 0; round < 18; round++) {
    await letters.put('waste', 'e', eventAt(100, 1024 * 1024), dead);
    await letters.drop(['waste']);
  }
  const { length } = await readFile(join(directory, 'letters.ndjson'));
  assert.ok(length < 4 * 1024 * 1024, `${length} bytes`);
  await letters.put('later', 'e', eventAt(9), parked);
  for (const seq of keep) assert.deepEqual(await letters.read(`keep${seq}`), eventAt(seq));
  await letters.close();
  const again = await open(directory);
  assert.deepEqual([again.letters.parked, again.letters.dead, again.letters.lost, again.damaged()], [4, 0, 4, 0]);
  assert.deepEqual(await again.letters.read('later'), eventAt(9));
  await again.letters.close();
});

const NO_SPACE: Fault = { type: 'error', code: 'ENOSPC' };

const idsOf = (letters: Letters): readonly string[] => letters.all('parked').map(({ id }) => id);

test('WH10 a write that failed leaves no half line, also when it cannot be cut off either', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const disk = new SimDisk(new Random(seed));
    const { letters } = await open('/d', {}, disk);
    await letters.put('id1', 'e', eventAt(1), parked);
    disk.plan = (point) => (point === 'group-write' || (point === 'rollback-truncate' && seed % 2 === 0) ? NO_SPACE : undefined);
    await assert.rejects(letters.put('refused', 'e', eventAt(2), parked), /ENOSPC/);
    await assert.rejects(letters.move('id1', dead, false), /ENOSPC/);
    disk.plan = () => undefined;
    await letters.put('id3', 'e', eventAt(3), parked);
    assert.deepEqual(await letters.read('id3'), eventAt(3));
    const again = await open('/d', {}, disk.lostPower());
    assert.deepEqual([idsOf(again.letters), again.damaged()], [['id1', 'id3'], 0], `seed ${seed}`);
    assert.deepEqual(await again.letters.read('id3'), eventAt(3));
  }
});

test('WH10 what could not be synced is refused, and is not there later', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const disk = new SimDisk(new Random(seed));
    const { letters } = await open('/d', {}, disk);
    disk.plan = (point) => (point === 'group-sync' ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(letters.put('refused', 'e', eventAt(1), parked), /EIO/);
    assert.equal(letters.has('refused'), false);
    disk.plan = () => undefined;
    const again = await open('/d', {}, seed % 2 === 0 ? disk.killed() : disk.lostPower());
    assert.deepEqual([idsOf(again.letters), again.damaged()], [[], 0], `seed ${seed}`);
  }
});

test('WH10 letters put after the file was written anew are there, although its name could not be made durable at once', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const disk = new SimDisk(new Random(seed));
    const { letters } = await open('/d', {}, disk);
    await letters.put('keep', 'e', eventAt(1), parked);
    let refused = 0;
    disk.plan = (point) => (point === 'segment-directory-sync' && refused++ === 0 ? { type: 'error', code: 'EIO' } : undefined);
    while (refused === 0) {
      await letters.put('waste', 'e', eventAt(100, 6 * 1024 * 1024), dead);
      await letters.drop(['waste']);
    }
    await letters.put('later', 'e', eventAt(2), parked);
    const again = await open('/d', {}, disk.lostPower());
    assert.deepEqual([idsOf(again.letters), again.damaged()], [['keep', 'later'], 0], `seed ${seed}`);
  }
});

test('WH11 as many dead letters are kept as may be, not one fewer', async () => {
  const directory = await temporaryDirectory();
  const { letters } = await open(directory, { dead: 5 });
  for (let seq = 1; seq <= 5; seq++) await letters.put(`id${seq}`, 'e', eventAt(seq), { ...dead, whenMs: seq });
  await letters.noteLost(0);
  assert.deepEqual([letters.dead, letters.lost], [5, 0]);
  const bytes = (await readFile(join(directory, 'letters.ndjson'))).length;
  await letters.expire(1);
  assert.equal(letters.dead, 5, 'given up before that time, not at it');
  assert.equal((await readFile(join(directory, 'letters.ndjson'))).length, bytes, 'and nothing is written for it');
  await letters.expire(2);
  assert.equal(letters.dead, 4);
  await letters.close();
});

test('WH10 WH11 by default, as many letters are parked and dead as the rules say', () => {
  assert.deepEqual(LETTER_LIMITS, { parked: 10_000, parkedBytes: 64 * 1024 ** 2, dead: 100_000, deadBytes: 512 * 1024 ** 2 });
});

test('WH10 letters that are closed take nothing more; closing ends what is under way, removing takes the folder too', async () => {
  const directory = await temporaryDirectory();
  const { letters } = await open(directory);
  const putting = letters.put('id1', 'e', eventAt(1), parked);
  const closing = letters.close();
  await assert.rejects(letters.put('id2', 'e', eventAt(2), parked), /the letters are closed/);
  await closing;
  assert.equal(await putting, true);
  const again = (await open(directory)).letters;
  assert.deepEqual([idsOf(again), again.room], [['id1'], 9_999]);
  await again.remove();
  await assert.rejects(again.drop(['id1']), /the letters are closed/);
  await assert.rejects(readFile(join(directory, 'letters.ndjson')), /ENOENT/);
});

test('WH10 there is room up to the number and the bytes that may be parked, and what is put again takes none', async () => {
  const { letters } = await open(await temporaryDirectory(), { parked: 2, parkedBytes: 2_000 });
  assert.equal(letters.room, 2);
  await letters.put('id1', 'e', eventAt(1, 1_000), parked);
  assert.equal(letters.room, 1);
  assert.equal(await letters.put('id1', 'e', eventAt(1, 1_000), parked), true);
  assert.equal(await letters.put('id2', 'e', eventAt(2, 1_000), parked), false);
  assert.deepEqual([letters.parked, letters.room], [1, 1]);
  assert.equal(await letters.put('id3', 'e', eventAt(3, 5_000), dead), true, 'a dead letter is not parked');
  assert.equal(await letters.put('id2', 'e', eventAt(2), parked), true);
  assert.deepEqual([letters.parked, letters.room], [2, 0]);
  await letters.close();
  const tiny = (await open(await temporaryDirectory(), { parkedBytes: 1 })).letters;
  assert.equal(await tiny.put('id1', 'e', eventAt(1), parked), false);
  await tiny.close();
  const measure = (await open(await temporaryDirectory())).letters;
  await measure.put('id1', 'e', eventAt(1), parked);
  const bytes = measure.get('id1')?.place.bytes ?? assert.fail();
  await measure.close();
  for (const [parkedBytes, fits] of [
    [2 * bytes, true],
    [2 * bytes - 1, false],
  ] as const) {
    const exact = (await open(await temporaryDirectory(), { parkedBytes })).letters;
    const both = await Promise.all([1, 2].map((seq) => exact.put(`id${seq}`, 'e', eventAt(seq), parked)));
    assert.deepEqual([both, exact.room > 0], [[true, fits], !fits], `${parkedBytes} bytes`);
    await exact.close();
  }
});

test('WH10 a letter that is not there cannot be read, and a leftover of a version before is removed', async () => {
  const directory = await temporaryDirectory();
  const part = join(directory, 'letters.ndjson.part');
  await appendFile(part, 'x');
  const { letters } = await open(directory);
  await assert.rejects(readFile(part), /ENOENT/);
  await assert.rejects(letters.read('none'), /there is no letter none/);
  await letters.close();
});

test('WH11 of too many bytes of dead letters a tenth goes, at least one', async () => {
  const { letters } = await open(await temporaryDirectory(), { deadBytes: 12_000 });
  for (let seq = 1; seq <= 11; seq++) await letters.put(`id${seq}`, 'e', eventAt(seq, 1_000), { ...dead, whenMs: seq });
  for (let turn = 0; turn < 3; turn++) await letters.noteLost(0);
  assert.equal(letters.dead + letters.lost, 11);
  assert.ok(letters.dead < 11 && letters.dead >= 8, `${letters.dead}`);
  assert.equal(letters.all('dead')[0]?.seq, letters.lost + 1, 'the oldest goes');
  await letters.close();
});

test('WH10 a file that cannot be written anew stays as it is, and its letters with it', async () => {
  const disk = new SimDisk(new Random(3));
  const { letters } = await open('/d', {}, disk);
  await letters.put('keep', 'e', eventAt(1), parked);
  let refused = 0;
  disk.plan = (point) => (point === 'segment-write' && ++refused > 0 ? NO_SPACE : undefined);
  while (refused === 0) {
    await letters.put('waste', 'e', eventAt(100, 6 * 1024 * 1024), dead);
    await letters.drop(['waste']);
  }
  assert.deepEqual([idsOf(letters), await letters.read('keep')], [['keep'], eventAt(1)]);
  disk.plan = () => undefined;
  await letters.put('later', 'e', eventAt(2), parked);
  assert.deepEqual(idsOf((await open('/d', {}, disk.lostPower())).letters), ['keep', 'later']);
});

test('WH10 the folder of a hook has the same name in every version, and those of hooks that are gone are removed', async () => {
  const directory = join(await temporaryDirectory(), 'webhooks');
  const folders = new LetterFolders(directory, { ...console, error: () => assert.fail('nothing is damaged') });
  await folders.begin();
  for (const id of ['main', 'gone']) await (await folders.open(id)).put('id1', 'e', eventAt(1), parked);
  await folders.removeOthers(['main']);
  assert.deepEqual(await readdir(directory), ['0d6e4079e36703ebd37c00722f5891d2']);
  assert.equal((await folders.open('main')).parked, 1);
});

test('WH10 lines that cannot be read are told by their hook, file and place', async () => {
  const directory = await temporaryDirectory();
  const told: [object, string][] = [];
  const logger = { info: () => assert.fail('that is an error'), error: (fields: object, text: string) => void told.push([fields, text]) };
  const folders = new LetterFolders(directory, logger);
  await folders.begin();
  const letters = await folders.open('h');
  await letters.put('id1', 'e', eventAt(1), parked);
  await letters.close();
  const [folder = ''] = await readdir(directory);
  const file = join(directory, folder, 'letters.ndjson');
  const { length } = await readFile(file);
  await appendFile(file, 'nonsense\nnonsense\n');
  await (await folders.open('h')).close();
  assert.deepEqual(told, [
    [{ hook: 'h', lines: 2, file, offset: length }, 'lines in the file of a webhook cannot be read; what they held is lost to it'],
  ]);
});
