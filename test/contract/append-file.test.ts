/**
 * AF1–AF5: the one file of records, on a disk that fails, fills up, loses power and dies at any of its operations. With two
 * formats: lines, and blocks that say up to where the file was durable when they were written.
 * Repeat a failure with ROSTERD_SEED=<seed>.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { AppendFile, FileDamaged, type RecordFormat, type RecordStep } from '../../store/append-file.ts';
import type { CrashPoint } from '../../store/file-system.ts';
import { untilDeath } from '../support/store/death.ts';
import { Random } from '../support/store/random.ts';
import { type Fault, SimDisk } from '../support/store/sim-disk.ts';

const DIRECTORY = '/d';
const NAME = 'records';
const PATH = `${DIRECTORY}/${NAME}`;
const baseSeed = Number(process.env.ROSTERD_SEED ?? 815);
const FULL: Fault = { type: 'error', code: 'ENOSPC' };

/** How a test writes and reads texts as records. */
interface Kit {
  readonly name: string;
  readonly header: Buffer;
  encode(text: string, synced: number): Buffer;
  /** Hands the texts of whole records to `found`. */
  format(found: (text: string) => void): RecordFormat;
}

const lines: Kit = {
  name: 'lines',
  header: Buffer.alloc(0),
  encode: (text) => Buffer.from(`${text} ${crc32(text)}\n`),
  format: (found) => ({
    start: 0,
    read: (view) => {
      const end = view.indexOf(10);
      if (end === -1) return { kind: 'more', bytes: view.length * 2, reason: 'no end' };
      const [text = '', crc] = view.toString('utf8', 0, end).split(' ');
      // Other than a block, a line says nothing of when it was durable: its owner judges it.
      if (crc === String(crc32(text))) found(text);
      return { kind: 'whole', bytes: end + 1 };
    },
  }),
};

const MAGIC = Buffer.from([0xff, 0x01, 0x02, 0x03]);
const HEADER_BYTES = 20;

interface BlockHeader {
  readonly bytes: number;
  readonly synced: number;
  readonly crc: number;
}

function blockHeader(view: Buffer, index: number): BlockHeader | undefined {
  if (view.length < index + HEADER_BYTES || view.indexOf(MAGIC, index) !== index) return undefined;
  if (view.readUInt32LE(index + 16) !== crc32(view.subarray(index, index + 16))) return undefined;
  return { bytes: view.readUInt32LE(index + 4), synced: view.readUInt32LE(index + 8), crc: view.readUInt32LE(index + 12) };
}

function readBlock(view: Buffer, found: (text: string) => void): RecordStep {
  if (view.length < HEADER_BYTES) return { kind: 'more', bytes: HEADER_BYTES, reason: 'the header is cut off' };
  const header = blockHeader(view, 0);
  if (header === undefined) return { kind: 'bad', reason: 'no header' };
  const bytes = HEADER_BYTES + header.bytes;
  if (view.length < bytes) return { kind: 'more', bytes, reason: 'the block is cut off' };
  const content = view.subarray(HEADER_BYTES, bytes);
  if (crc32(content) !== header.crc) return { kind: 'bad', reason: 'the checksum does not fit' };
  found(content.toString());
  return { kind: 'whole', bytes };
}

const blocks: Kit = {
  name: 'blocks',
  header: Buffer.from('a file of blocks\n'),
  encode: (text, synced) => {
    const content = Buffer.from(text);
    const block = Buffer.concat([MAGIC, Buffer.alloc(HEADER_BYTES - MAGIC.length), content]);
    block.writeUInt32LE(content.length, 4);
    block.writeUInt32LE(synced, 8);
    block.writeUInt32LE(crc32(content), 12);
    block.writeUInt32LE(crc32(block.subarray(0, 16)), 16);
    return block;
  },
  format: (found) => ({
    start: blocks.header.length,
    read: (view) => readBlock(view, found),
    proof: { magic: MAGIC, headerBytes: HEADER_BYTES, durableBefore: (view, index) => blockHeader(view, index)?.synced },
  }),
};

async function opened(kit: Kit, disk: SimDisk): Promise<{ file: AppendFile; texts: string[] }> {
  const texts: string[] = [];
  const exists = (await disk.list(DIRECTORY)).includes(NAME);
  const file = exists
    ? await AppendFile.open(
        disk,
        PATH,
        kit.format((text) => texts.push(text)),
      )
    : await AppendFile.create(disk, DIRECTORY, NAME, kit.header);
  return { file, texts };
}

/** What was promised to whoever wrote, over several lives of one file. */
class Writer {
  readonly #kit: Kit;
  readonly #random: Random;
  #count = 0;
  /** Texts that must be there, in order. */
  durable: string[] = [];
  /** Texts that were appended after those and may be there, in order. */
  appended: string[] = [];
  /** Texts that must never be there. */
  readonly refused = new Set<string>();
  /** What was tried when the disk died: it may be there. */
  trying: string | undefined;
  isCreated = false;

  constructor(kit: Kit, random: Random) {
    this.#kit = kit;
    this.#random = random;
  }

  /** Opens the file and holds what is there against what was promised. */
  async open(disk: SimDisk): Promise<AppendFile> {
    const hadFile = (await disk.list(DIRECTORY)).includes(NAME);
    assert.ok(hadFile || !this.isCreated, 'AF5: the file is gone');
    const { file, texts } = await opened(this.#kit, disk);
    const may = [...this.durable, ...this.appended, ...(this.trying === undefined ? [] : [this.trying])];
    for (const text of texts) assert.ok(!this.refused.has(text), `AF1: ${text} was refused`);
    if (this.#kit.name === 'blocks') assert.deepEqual(texts, may.slice(0, texts.length), 'AF1: in order, without a hole');
    assert.deepEqual(texts.slice(0, this.durable.length), this.durable, 'AF2: what was durable is there');
    // What was found was synced, so from here on it must stay.
    this.durable = texts;
    this.appended = [];
    this.trying = undefined;
    this.isCreated = true;
    return file;
  }

  async work(file: AppendFile, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const isDurable = this.#random.chance(0.5);
      const text = `text-${this.#count++}-${'x'.repeat(this.#random.below(2_000))}`;
      this.trying = text;
      const bytes = this.#kit.encode(text, file.end - file.unsynced);
      const isDone = await (isDurable ? file.appendDurably(bytes) : file.append(bytes)).then(
        () => true,
        () => false,
      );
      this.trying = undefined;
      if (!isDone) this.refused.add(text);
      else this.appended.push(text);
      if (isDone && isDurable) this.#keep();
      if (this.#random.chance(0.1)) await this.#rewrite(file);
    }
  }

  #keep(): void {
    this.durable.push(...this.appended);
    this.appended = [];
  }

  /** The same records in another file. */
  async #rewrite(file: AppendFile): Promise<void> {
    const texts = [...this.durable, ...this.appended];
    const isDone = await file
      .replace(async (to) => {
        let end = 0;
        for (const bytes of [this.#kit.header, ...texts.map((text) => this.#kit.encode(text, 0))]) {
          end += await to.write('segment-write', bytes, 0, bytes.length, end);
        }
        return end;
      })
      .then(
        () => true,
        () => false,
      );
    // The new file is synced before it has the name; the old one may come back, which had only what was durable for sure.
    if (isDone) assert.equal(file.unsynced, 0);
  }
}

const POINTS: readonly CrashPoint[] = [
  ...(['group-write', 'group-sync', 'rollback-truncate', 'rollback-sync'] as const),
  ...(['segment-create', 'segment-write', 'segment-sync', 'segment-rename', 'segment-directory-sync'] as const),
  ...(['recovery-truncate', 'recovery-sync', 'recovery-directory-sync'] as const),
];

/** Dies at the chosen pass of the point, and is full now and then. */
function plan(point: CrashPoint | undefined, pass: number, random: Random): (passed: CrashPoint) => Fault | undefined {
  let left = pass;
  return (passed) => {
    if (passed === point && left-- === 0) return { type: 'crash' };
    return passed === 'group-write' && random.chance(0.1) ? FULL : undefined;
  };
}

async function lives(kit: Kit, point: CrashPoint, seed: number): Promise<boolean> {
  const random = new Random(seed);
  let disk = new SimDisk(random);
  const writer = new Writer(kit, random);
  let hasCrashed = false;
  for (let life = 0; life < 6; life++) {
    // A torn tail is there only after a write that was interrupted.
    disk.plan = plan(life % 2 === 0 ? 'group-write' : point, random.below(4), random);
    await untilDeath(disk, (async () => writer.work(await writer.open(disk), 10))());
    hasCrashed ||= disk.dead && life % 2 === 1;
    disk = random.chance(0.7) ? disk.lostPower() : disk.killed();
  }
  await writer.open(disk);
  return hasCrashed;
}

for (const kit of [lines, blocks]) {
  for (const point of POINTS) {
    test(`AF1 AF2 AF3 AF5 ${kit.name}: power lost or process killed at ${point}`, async () => {
      let crashes = 0;
      for (let run = 0; run < 8 || (crashes < 4 && run < 80); run++) {
        const seed = baseSeed + run * 1_000 + POINTS.indexOf(point);
        try {
          if (await lives(kit, point, seed)) crashes++;
        } catch (error) {
          throw new Error(`seed ${seed} of ${kit.name} at ${point} fails`, { cause: error });
        }
      }
      assert.ok(crashes >= 4, `${point} was reached only ${crashes} times`);
    });
  }

  test(`AF1 ${kit.name}: what the disk refused half of is cut off before anything else is written`, async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new SimDisk(new Random(seed));
      const { file } = await opened(kit, disk);
      await file.appendDurably(kit.encode('one', 0));
      // Neither the write nor the cut succeeds; nothing is written behind the half record.
      const stubborn = seed % 2 === 0;
      disk.plan = (point) => (point === 'group-write' || (stubborn && point === 'rollback-truncate') ? FULL : undefined);
      await assert.rejects(file.append(kit.encode('refused'.repeat(50), 0)), /ENOSPC/);
      assert.equal(file.isFrayed, stubborn);
      if (stubborn) await assert.rejects(file.append(kit.encode('too', 0)), /ENOSPC/);
      disk.plan = () => undefined;
      await file.appendDurably(kit.encode('two', 0));
      const again = await opened(kit, disk.lostPower());
      assert.deepEqual(again.texts, ['one', 'two'], `seed ${seed}`);
      assert.equal(again.file.end, file.end);
    }
  });

  test(`AF1 ${kit.name}: what could not be synced is refused and taken back`, async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimDisk(new Random(seed));
      const { file } = await opened(kit, disk);
      await file.appendDurably(kit.encode('one', 0));
      disk.plan = (point) => (point === 'group-sync' ? { type: 'error', code: 'EIO' } : undefined);
      await assert.rejects(file.appendDurably(kit.encode('refused', 0)), /EIO/);
      disk.plan = () => undefined;
      assert.deepEqual((await opened(kit, disk.killed())).texts, ['one']);
      await file.appendDurably(kit.encode('two', 0));
      assert.deepEqual((await opened(kit, disk.lostPower())).texts, ['one', 'two'], `seed ${seed}`);
    }
  });

  test(`AF2 ${kit.name}: a write that comes up short is gone on with`, async () => {
    const disk = new SimDisk(new Random(3));
    const { file } = await opened(kit, disk);
    disk.plan = (point) => (point === 'group-write' ? { type: 'short', bytes: 7 } : undefined);
    await file.appendDurably(kit.encode('a-text-that-is-longer-than-seven-bytes', 0));
    assert.deepEqual((await opened(kit, disk.lostPower())).texts, ['a-text-that-is-longer-than-seven-bytes']);
  });

  test(`AF3 ${kit.name}: cut at every byte, what was whole is there, and what stays is durable`, async () => {
    const disk = new SimDisk(new Random(4));
    const { file } = await opened(kit, disk);
    const ends = [file.end];
    for (const text of ['one', 'two', 'three']) {
      await file.append(kit.encode(text, 0));
      ends.push(file.end);
    }
    const bytes = disk.files().get(PATH) ?? Buffer.alloc(0);
    for (let length = kit.header.length; length <= bytes.length; length++) {
      const cut = SimDisk.holding(new Map([[PATH, bytes.subarray(0, length)]]), new Random(length));
      const { texts, file: again } = await opened(kit, cut);
      const whole = ends.filter((end) => end <= length);
      assert.deepEqual([texts.length, again.end], [whole.length - 1, whole.at(-1)], `${length} bytes`);
      assert.equal(cut.lostPower().files().get(PATH)?.length, again.end, 'the cut is durable');
    }
  });

  test(`AF5 ${kit.name}: the directory is synced when the file is created, found and replaced`, async () => {
    const disk = new SimDisk(new Random(5));
    const synced = (point: CrashPoint): number => disk.passed.get(point) ?? 0;
    const { file } = await opened(kit, disk);
    assert.equal(synced('segment-directory-sync'), 1);
    await opened(kit, disk);
    assert.equal(synced('recovery-directory-sync'), 1);
    const write = async (to: Parameters<Parameters<AppendFile['replace']>[0]>[0]): Promise<number> =>
      await to.write('segment-write', kit.header, 0, kit.header.length, 0);
    disk.plan = (point) => (point === 'segment-directory-sync' ? { type: 'error', code: 'EIO' } : undefined);
    await file.replace(write);
    await assert.rejects(file.appendDurably(kit.encode('not yet', 0)), /EIO/, 'nothing is promised while the name is not durable');
    disk.plan = () => undefined;
    await file.appendDurably(kit.encode('now', 0));
    for (let seed = 1; seed <= 10; seed++) assert.deepEqual((await opened(kit, disk.lostPower())).texts, ['now']);
  });
}

test('AF5 a file that was found is durable before it is built upon', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    // The process was killed between the rename and the sync of the directory.
    const first = new SimDisk(new Random(seed));
    first.plan = (point) => (point === 'segment-directory-sync' ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(opened(blocks, first), /EIO/);
    const killed = first.killed();
    const { file } = await opened(blocks, killed);
    await file.appendDurably(blocks.encode('one', 0));
    assert.deepEqual((await opened(blocks, killed.lostPower())).texts, ['one'], `seed ${seed}`);
  }
});

test('AF4 a bad record that a later one proves to have been durable is named with file and offset, and nothing changes', async () => {
  const disk = new SimDisk(new Random(6));
  const { file } = await opened(blocks, disk);
  const starts: number[] = [];
  for (const text of ['one', 'two', 'three']) {
    starts.push(file.end);
    await file.appendDurably(blocks.encode(text, file.end));
  }
  const bytes = disk.files().get(PATH) ?? Buffer.alloc(0);
  for (let offset = blocks.header.length; offset < (starts[2] ?? 0); offset++) {
    const flipped = SimDisk.holding(new Map([[PATH, bytes]]), new Random(offset));
    flipped.flip(PATH, offset, 1);
    const before = flipped.files().get(PATH);
    const bad = offset < (starts[1] ?? 0) ? starts[0] : starts[1];
    await assert.rejects(opened(blocks, flipped), (error) => {
      assert.ok(error instanceof FileDamaged);
      assert.deepEqual([error.file, error.offset], [PATH, bad], `byte ${offset}`);
      assert.match(error.message, /^\/d\/records is damaged at offset \d+: .+ proves that it was durable$/);
      return true;
    });
    assert.deepEqual(flipped.files().get(PATH), before);
  }
  // Nothing proves that the last one was durable.
  const last = SimDisk.holding(new Map([[PATH, bytes]]), new Random(1));
  last.flip(PATH, (starts[2] ?? 0) + HEADER_BYTES, 1);
  assert.deepEqual((await opened(blocks, last)).texts, ['one', 'two']);
});
