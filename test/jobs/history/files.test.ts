/** HY1–HY4: the history of users on the disk. What a lookup finds is held against a plain list. */
import assert from 'node:assert/strict';
import { appendFile, cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HistoryFiles, type HistoryFilesOptions } from '../../../daemon/jobs/history/files.ts';
import type { HistoryPage } from '../../../daemon/jobs/history/lookup.ts';
import type { HistoryChange } from '../../../daemon/jobs/history/record.ts';
import { seeded } from '../../support/random.ts';
import { untilDeath } from '../../support/store/death.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const EPOCH = 'one';
const START = 1_763_729_000_000_000;
const HOUR = 3_600_000_000;
const MiB = 1024 ** 2;
/** Small enough for segments of 256 KiB, large enough for all of them. */
const ROOMY = 8 * MiB;

const timeOf = (seq: number): number => START + seq * 1_000;

/** Changes of a few hundred bytes, so that segments fill. */
function changeAt(seq: number, id: string): HistoryChange {
  const fields = Array.from({ length: 12 }, (_, index) => `custom.field-${index}-${seq % 97}`);
  return { id, seq, at: timeOf(seq), event: seq % 7 === 0 ? 'banned' : 'updated', from: { source: 'server', by: 'bob' }, fields };
}

function changesOf(count: number, idOf: (seq: number) => string): readonly HistoryChange[] {
  return Array.from({ length: count }, (_, index) => changeAt(index + 1, idOf(index + 1)));
}

function opened(folder: string, options: Partial<HistoryFilesOptions> = {}): Promise<HistoryFiles> {
  const onDamaged = (error: Error): void => {
    throw error;
  };
  return HistoryFiles.open({ folder, bytesMax: ROOMY, onDamaged, ...options });
}

/** Goes on from where the files are, as the job does. */
async function follow(files: HistoryFiles, changes: readonly HistoryChange[], flushEvery = 100): Promise<void> {
  if (files.position === undefined) await files.begin({ epoch: EPOCH, after: 0, time: START });
  const after = files.position?.seq ?? 0;
  // A little of what is there already comes again.
  for (const change of changes.filter(({ seq }) => seq > after - 5)) {
    while (files.isFull) await files.flush();
    files.append(change);
    files.advance(change.seq, change.at);
    if (change.seq % flushEvery === 0) await files.flush();
  }
  await files.flush();
}

async function all(files: HistoryFiles, id: string, limit = 100): Promise<readonly HistoryPage[]> {
  const pages: HistoryPage[] = [];
  let before: number | undefined;
  do {
    const page = await files.page({ id, limit, before }, 0);
    pages.push(page);
    before = page.next;
  } while (before !== undefined);
  return pages;
}

/** Everybody has exactly their own changes, newest first, in pages of every size. */
async function holdsAll(files: HistoryFiles, changes: readonly HistoryChange[], what = ''): Promise<void> {
  for (const [id, own] of groupById(changes)) {
    const items = (await all(files, id)).flatMap((page) => page.items);
    const expected = own.toReversed().map(({ seq, at, event, from, fields }) => ({ seq, at, event, ...from, fields }));
    assert.deepEqual(items, expected, `${what}: ${id}`);
  }
  assert.deepEqual((await files.page({ id: 'nobody', limit: 10 }, 0)).items, []);
}

function groupById(changes: readonly HistoryChange[]): Map<string, HistoryChange[]> {
  const byId = new Map<string, HistoryChange[]>();
  for (const change of changes) byId.set(change.id, [...(byId.get(change.id) ?? []), change]);
  return byId;
}

const seqs = ({ items }: HistoryPage): readonly number[] => items.map(({ seq }) => seq);

test('HY1 what was taken is found before it is written, while it is written, and by the next process', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  const changes = changesOf(300, (seq) => `user-${seq % 3}`);
  await files.begin({ epoch: EPOCH, after: 0, time: START });
  for (const change of changes) files.append(change);
  await holdsAll(files, changes, 'in memory');
  const flushing = files.flush();
  await holdsAll(files, changes, 'being written');
  await flushing;
  await holdsAll(files, changes, 'written');
  await files.close();
  const next = await opened(folder);
  assert.deepEqual(next.position, { epoch: EPOCH, seq: 300 });
  await holdsAll(next, changes, 'in the next process');
  assert.equal((await stat(join(folder, '00000001.ndjson'))).mode & 0o777, 0o600);
  await next.close();
});

test('HY1 pages hold every change once, whatever their size', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  const changes = changesOf(2_500, (seq) => `user-${seq % 7}`);
  await follow(files, changes);
  const own = changes.flatMap(({ id, seq }) => (id === 'user-3' ? [seq] : [])).reverse();
  for (const limit of [1, 2, 13, 100, own.length - 1, own.length, own.length + 1]) {
    const pages = await all(files, 'user-3', limit);
    assert.deepEqual(pages.flatMap(seqs), own, `pages of ${limit}`);
    assert.equal(pages.length, Math.ceil(own.length / limit));
  }
  assert.deepEqual(seqs(await files.page({ id: 'user-3', limit: 2, before: own[10] }, 0)), own.slice(11, 13));
  assert.deepEqual(seqs(await files.page({ id: 'user-3', limit: 2, before: 1 }, 0)), []);
  await files.close();
});

test('HY1 users who share a slot, and one who changes all the time, do not hide each other', async () => {
  const random = seeded(11);
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  // A segment this small has 2,048 slots.
  const changes = changesOf(3_000, () => (random() < 0.3 ? 'hot' : `user-${Math.floor(random() * 1_500)}`));
  await follow(files, changes, 1_000);
  await holdsAll(files, changes);
  await files.close();
  const next = await opened(folder);
  await holdsAll(next, changes, 'read back');
  await follow(next, changesOf(4_000, () => 'late').slice(3_000));
  assert.equal((await all(next, 'late')).flatMap(seqs).length, 1_000);
  await next.close();
});

/** Begins, takes all of the changes and closes. */
async function life(disk: SimDisk, changes: readonly HistoryChange[]): Promise<void> {
  const files = await opened('/history', { fileSystem: disk });
  await follow(files, changes);
  await files.close();
}

test('HY2 wherever the process dies or the power goes, the next one goes on from its position and has each change once', async (t) => {
  const changes = changesOf(1_500, (seq) => `user-${(seq * 7) % 11}`);
  let operations = 0;
  const healthy = new SimDisk(new Random(1));
  healthy.plan = () => void operations++;
  await life(healthy, changes);
  for (let diesAt = 1; diesAt <= operations; diesAt++) {
    for (const end of diesAt % 4 === 0 ? (['killed', 'lostPower'] as const) : (['lostPower'] as const)) {
      const disk = new SimDisk(new Random(diesAt));
      let passed = 0;
      disk.plan = () => (++passed === diesAt ? { type: 'crash' } : undefined);
      await untilDeath(disk, life(disk, changes));
      assert.ok(disk.dead, `operation ${diesAt} was never reached`);
      const next = await opened('/history', { fileSystem: disk[end]() });
      const { seq } = next.position ?? { seq: 0 };
      assert.ok(seq <= 1_500, `position ${seq}`);
      await follow(next, changes);
      await holdsAll(next, changes, `${end} at ${diesAt}, went on from ${seq}`);
      await next.close();
    }
  }
  t.diagnostic(`died at each of ${operations} operations`);
  assert.ok(operations > 30);
});

test('HY2 a torn end of any length, or one of zeros, is cut off and read from the log again', async () => {
  const changes = changesOf(60, (seq) => `user-${seq % 4}`);
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  await follow(files, changes.slice(0, 40), 20);
  const path = join(folder, '00000001.ndjson');
  const before = (await stat(path)).size;
  await follow(files, changes, 20);
  await files.close();
  const { size } = await stat(path);
  for (let length = before; length <= size; length += 61) {
    const torn = await temporaryDirectory();
    await cp(folder, torn, { recursive: true });
    await truncate(join(torn, '00000001.ndjson'), length);
    if (length % 2 === 0) await appendFile(join(torn, '00000001.ndjson'), Buffer.alloc(size - length));
    const next = await opened(torn);
    assert.deepEqual(next.position, { epoch: EPOCH, seq: length === size ? 60 : 40 }, `cut at ${length}`);
    await follow(next, changes);
    await holdsAll(next, changes, `cut at ${length}`);
    await next.close();
  }
});

test('HY2 what the disk refuses stays and is written later', async () => {
  const disk = new SimDisk(new Random(3));
  let isFull = false;
  disk.plan = () => (isFull ? { type: 'error', code: 'ENOSPC' } : undefined);
  const folder = '/history';
  const files = await opened(folder, { fileSystem: disk });
  const changes = changesOf(2_000, (seq) => `user-${seq % 5}`);
  await files.begin({ epoch: EPOCH, after: 0, time: START });
  for (const change of changes) {
    // Every third attempt fails, in the middle of a rotation too.
    while (files.isFull || change.seq % 50 === 0) {
      isFull = !isFull;
      const isDone = await files.flush().then(
        () => true,
        () => false,
      );
      if (isDone && !files.isFull) break;
    }
    files.append(change);
  }
  await holdsAll(files, changes, 'part of it in memory');
  isFull = false;
  await files.flush();
  await files.close();
  const next = await opened(folder, { fileSystem: disk.lostPower() });
  await holdsAll(next, changes, 'read back');
  await next.close();
});

test('HY3 changes that are missing are told between those around them, and by the time from which none is', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  await files.begin({ epoch: EPOCH, after: 0, time: START });
  for (const seq of [1, 2]) files.append(changeAt(seq, 'ann'));
  assert.equal((await files.page({ id: 'ann', limit: 10 }, 0)).from, START);
  await files.begin({ epoch: EPOCH, after: 50, time: timeOf(51) });
  assert.deepEqual(files.position, { epoch: EPOCH, seq: 50 });
  files.append(changeAt(60, 'ann'));
  files.append(changeAt(61, 'late'));
  const told = async (history: HistoryFiles): Promise<void> => {
    const page = await history.page({ id: 'ann', limit: 10 }, 0);
    assert.deepEqual(seqs(page), [60, 50, 2, 1]);
    assert.deepEqual(page.items[1], { seq: 50, at: timeOf(51), event: 'gap' });
    assert.equal(page.from, timeOf(51));
    const pages = await all(history, 'ann', 1);
    assert.deepEqual(pages.flatMap(seqs), [60, 50, 2, 1]);
    // Who has nothing from before the gap needs no item that tells of it.
    assert.deepEqual(seqs(await history.page({ id: 'late', limit: 10 }, 0)), [61]);
  };
  await told(files);
  await files.flush();
  await files.close();
  const next = await opened(folder);
  await told(next);
  await next.close();
});

test('HY3 what another history undid is not shown', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  await files.begin({ epoch: EPOCH, after: 0, time: START });
  for (const seq of [1, 2, 3, 4]) files.append(changeAt(seq, 'ann'));
  // The new epoch began from a snapshot at 2.
  await files.begin({ epoch: 'two', after: 2, time: timeOf(4) });
  assert.deepEqual(files.position, { epoch: 'two', seq: 2 });
  assert.deepEqual(seqs(await files.page({ id: 'ann', limit: 10 }, 0)), [2, 1]);
  files.append(changeAt(3, 'ann'));
  const page = await files.page({ id: 'ann', limit: 10 }, 0);
  assert.deepEqual(seqs(page), [3, 2, 1]);
  assert.equal(page.from, START);
  // The next one began from nothing.
  await files.begin({ epoch: 'three', after: 0, time: timeOf(9) });
  files.append(changeAt(1, 'ann'));
  assert.deepEqual(seqs(await files.page({ id: 'ann', limit: 10 }, 0)), [1]);
  await files.close();
});

test('HY3 damage is told, and ends what can be shown without ending the rest', async () => {
  const changes = changesOf(3_000, (seq) => `user-${seq % 3}`);
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  await follow(files, changes);
  await files.close();
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort();
  assert.ok(names.length >= 4, `${names}`);
  const second = join(folder, names[1] ?? '');
  const bytes = await readFile(second);

  await writeFile(second, Buffer.concat([bytes.subarray(0, 256), Buffer.alloc(bytes.length - 256, 'x')]));
  const damaged: Error[] = [];
  const scribbled = await opened(folder, { onDamaged: (error) => damaged.push(error) });
  const pages = await all(scribbled, 'user-1');
  assert.match(String(damaged[0]), /segment 2 is damaged: there is no record at/);
  const shown = pages.flatMap(seqs);
  const all1 = changes.flatMap(({ id, seq }) => (id === 'user-1' ? [seq] : [])).reverse();
  assert.deepEqual(shown, all1.slice(0, shown.length));
  assert.ok(shown.length > 100 && shown.length < 900);
  const from = pages.at(-1)?.from ?? 0;
  assert.ok(timeOf(shown.at(-1) ?? 0) >= from && from >= timeOf((shown.at(-1) ?? 0) - 3), 'complete from where it ends');
  await scribbled.close();

  await writeFile(second, 'nonsense');
  damaged.length = 0;
  const headless = await opened(folder, { onDamaged: (error) => damaged.push(error) });
  assert.match(String(damaged[0]), /00000002\.ndjson is damaged: its first line/);
  const items = (await all(headless, 'user-1')).flatMap((page) => page.items);
  assert.equal(items.filter(({ event }) => event === 'gap').length, 1);
  assert.equal(items.at(-1)?.seq, 1);
  assert.deepEqual(headless.position, { epoch: EPOCH, seq: 3_000 });
  await headless.close();
});

test('HY3 damage in the segment that is written is told with its place; what is before it stays, and what is behind it is not cut off', async () => {
  const changes = changesOf(30_000, (seq) => (seq % 500 === 0 ? 'rare' : 'busy'));
  const folder = await temporaryDirectory();
  const bytesMax = 1024 * MiB;
  const files = await opened(folder, { bytesMax });
  await follow(files, changes);
  await files.close();
  const path = join(folder, '00000001.ndjson');
  assert.deepEqual(await readdir(folder), ['00000001.ndjson'], 'all of it is in one segment');
  const bytes = await readFile(path);
  const block = bytes.indexOf('{"block":', 1 * MiB);
  bytes[block + 1_000] = 0xff;
  await writeFile(path, bytes);
  const damaged: Error[] = [];
  const options = { bytesMax, onDamaged: (error: Error) => void damaged.push(error) };
  const next = await opened(folder, options);
  const seq = next.position?.seq ?? 0;
  assert.match(String(damaged), new RegExp(`00000001\\.ndjson is damaged: a block does not match its checksum.* \\(at byte ${block}\\)`));
  assert.ok(seq > 1_000 && seq < 29_000, `position ${seq}`);
  assert.equal((await readFile(path)).compare(bytes), 0, 'the file is as it was');
  await follow(next, changes);
  const rare = changes.flatMap(({ id, seq }) => (id === 'rare' ? [seq] : [])).reverse();
  assert.deepEqual((await all(next, 'rare')).flatMap(seqs), rare, 'what is behind the damage was read from the log again');
  await next.close();
  // Not in the last stretch, which may have been torn.
  assert.ok(bytes.length - block > 5 * MiB);
});

test('HY4 beyond its bytes the oldest changes go, and the history says from when it is complete', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder, { bytesMax: MiB });
  const changes = changesOf(8_000, (seq) => `user-${seq % 3}`);
  await follow(files, changes);
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  const used = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(used <= MiB && used > MiB / 2, `${used} bytes`);
  const pages = await all(files, 'user-1');
  const kept = pages.flatMap(seqs);
  assert.deepEqual(
    kept,
    changes
      .flatMap(({ id, seq }) => (id === 'user-1' ? [seq] : []))
      .reverse()
      .slice(0, kept.length),
  );
  const { from } = await files.page({ id: 'user-1', limit: 1 }, 0);
  assert.ok(from > timeOf(3_000) && from <= timeOf(kept.at(-1) ?? 0));
  await files.close();
});

test('HY4 what is too old is not shown, goes from the disk a little later, and the position stays', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  await follow(
    files,
    changesOf(20, () => 'ann'),
  );
  const keep = 320 * HOUR;
  const shownAt = async (now: number) => seqs(await files.page({ id: 'ann', limit: 100 }, now - keep));
  assert.deepEqual(await shownAt(timeOf(11) + keep), [20, 19, 18, 17, 16, 15, 14, 13, 12, 11]);
  assert.equal((await files.page({ id: 'ann', limit: 1 }, timeOf(11))).from, timeOf(11));
  await files.tidy(START + 9 * HOUR, keep);
  assert.deepEqual(await readdir(folder), ['00000001.ndjson']);
  await files.tidy(START + 11 * HOUR, keep);
  assert.deepEqual((await readdir(folder)).sort(), ['00000001.heads', '00000001.ndjson', '00000002.ndjson']);
  await files.tidy(timeOf(20) + keep, keep);
  assert.equal((await readdir(folder)).length, 3);
  await files.tidy(timeOf(21) + keep, keep);
  assert.deepEqual(await readdir(folder), ['00000002.ndjson']);
  await files.close();
  const next = await opened(folder);
  assert.deepEqual(next.position, { epoch: EPOCH, seq: 20 });
  await next.close();
});

test('HY4 a lookup survives that what it reads is removed meanwhile', async () => {
  const folder = await temporaryDirectory();
  const files = await opened(folder);
  const changes = changesOf(5_000, (seq) => `user-${seq % 3}`);
  await follow(files, changes);
  const looking = Promise.all(Array.from({ length: 20 }, (_, index) => all(files, `user-${index % 3}`, 1_000)));
  await files.tidy(timeOf(1e9), 1);
  for (const pages of await looking) {
    const found = pages.flatMap(seqs);
    assert.deepEqual(
      found,
      [...new Set(found)].sort((a, b) => b - a),
    );
    const { from = 0 } = pages.at(-1) ?? {};
    const expected = changes.filter(({ id, at }) => id === `user-${(found[0] ?? 0) % 3}` && at > from && found.length > 0);
    assert.ok(expected.length <= found.length, 'nothing is missing since `from`');
  }
  assert.equal((await files.page({ id: 'user-1', limit: 10 }, 0)).items.length, 0);
  await files.close();
});
