/** LG8, LG9, DK2: what is found at the opening of a journal, and the words in which damage is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '../../../protocol/base/position.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { writeCleanMarker } from '../../../store/journal/clean-marker.ts';
import { Journal } from '../../../store/journal/journal.ts';
import { recover } from '../../../store/journal/recovery.ts';
import { LogDamaged } from '../../../store/log.ts';
import { appendOne, draft, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

type Files = ReadonlyMap<string, Buffer>;

const holding = (files: Files): SimDisk => SimDisk.holding(files, new Random(1));

function recovered(disk: SimDisk, snapshot?: Position, events: StoreEvent[] = []) {
  return recover({ fs: disk, directory: '/j', snapshot, blockBytes: 500, onEvent: (event) => void events.push(event) });
}

/** A journal of some segments, closed or left as by a crash. */
async function written(isClosed: boolean, count = 12, snapshot?: Position): Promise<Files> {
  const disk = new SimDisk(new Random(1));
  const log = await Journal.open({ directory: '/j', fileSystem: disk, segmentBytes: 1_000, snapshot });
  for (let n = 0; n < count; n++) await appendOne(log, draft(`e${n}`, { bytes: 100 }));
  if (isClosed) await log.close();
  return disk.files();
}

const segmentsOf = (files: Files): string[] => [...files.keys()].filter((path) => path.endsWith('.journal')).sort();

async function damage(disk: SimDisk, snapshot?: Position): Promise<{ file: string; offset: number; reason: string }> {
  const before = disk.files();
  try {
    await recovered(disk, snapshot);
  } catch (error) {
    assert.ok(error instanceof LogDamaged, String(error));
    assert.deepEqual(disk.files(), before, 'damage changes nothing');
    const { file, offset, reason } = error;
    return { file, offset, reason };
  }
  return assert.fail('it opened');
}

/** The files without one, or with another content of it. */
function changed(files: Files, path: string, content?: Buffer): SimDisk {
  const all = new Map(files);
  if (content === undefined) all.delete(path);
  else all.set(path, content);
  return holding(all);
}

test('LG8 an empty directory begins a history at 0, or at the end of the snapshot, and remembers from which one', async () => {
  for (const snapshot of [undefined, { epoch: 'before', seq: 70 }]) {
    const disk = new SimDisk(new Random(1));
    const events: StoreEvent[] = [];
    const { lineage, segments, clean, dropTail, file } = await recovered(disk, snapshot, events);
    const start = snapshot?.seq ?? 0;
    assert.deepEqual(lineage, { epoch: lineage.epoch, start, parent: snapshot?.epoch ?? null });
    assert.match(lineage.epoch, /^[0-9a-f]{24}$/);
    assert.deepEqual(events, [{ type: 'epoch-started', epoch: lineage.epoch, after: start }]);
    assert.deepEqual([segments.map(({ first }) => first), clean, dropTail], [[start + 1], false, undefined]);
    await file.close();
    const again = await recovered(disk.lostPower(), snapshot);
    assert.deepEqual([again.lineage, again.segments.length], [lineage, 1]);
  }
});

test('LG9 a journal that was closed cleanly says so, one that crashed does not', async () => {
  for (const isClosed of [true, false]) {
    const events: StoreEvent[] = [];
    const { clean, segments, dropTail } = await recovered(holding(await written(isClosed)), undefined, events);
    assert.deepEqual([clean, segments.at(-1)?.last, dropTail, events], [isClosed, 12, undefined, []]);
  }
});

test('LG9 after a clean close, the journal ends exactly where its marker says: in every field', async () => {
  const files = await written(true);
  const last = segmentsOf(files).at(-1) ?? '';
  const bytes = files.get(last)?.length ?? 0;
  const { lineage } = await recovered(holding(files));
  const marker = { epoch: lineage.epoch, seq: 12, segment: last.slice('/j/'.length), bytes };
  for (const [change, offset] of [
    [{ epoch: 'other' }, bytes],
    [{ seq: 11 }, bytes],
    [{ seq: 13 }, bytes],
    [{ segment: '0000000000000001.journal' }, bytes],
    [{ bytes: bytes - 1 }, bytes - 1],
    [{ bytes: bytes + 1 }, bytes],
  ] as const) {
    const other = { ...marker, ...change };
    const disk = holding(files);
    await (await disk.openWrite('/j/clean')).truncate('recovery-truncate', 0);
    await writeCleanMarker(disk, '/j', other);
    const reason = `the journal was closed cleanly at ${other.segment} with ${other.bytes} bytes and seq ${other.seq}, but ends with ${bytes} bytes and seq 12`;
    assert.deepEqual(await damage(disk), { file: last, offset, reason });
  }
  const cut = (files.get(last) ?? Buffer.alloc(0)).subarray(0, -1);
  assert.equal((await damage(changed(files, last, cut))).reason, 'the record is cut off, although the journal was closed cleanly');
  const gone = holding(new Map([...files].filter(([path]) => path === '/j/clean')));
  assert.deepEqual(await damage(gone), { file: last, offset: 0, reason: 'the journal was closed cleanly, but its segments are gone' });
});

test('LG9 segments follow one another in one epoch, and what a snapshot holds is there', async () => {
  const files = await written(false);
  const [first = '', second = '', third = ''] = segmentsOf(files);
  const { lineage, segments } = await recovered(holding(files));
  const [one, two, three] = segments;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  assert.deepEqual(await damage(changed(files, second)), {
    ...{ file: first, offset: one.end },
    reason: `the next segment begins with seq ${three.first}, but this one ends with ${one.last}`,
  });
  const foreign = await written(false);
  const other = (await recovered(holding(foreign))).lineage.epoch;
  assert.deepEqual(await damage(changed(files, second, foreign.get(second))), {
    ...{ file: second, offset: 0 },
    reason: `it belongs to epoch ${other}, the segment before it to ${lineage.epoch}`,
  });
  const begins = `the journal begins with seq ${two.first}`;
  const missing = 'entries between them are missing';
  assert.deepEqual(await damage(changed(files, first)), {
    file: second,
    offset: 0,
    reason: `${begins}, but there is no snapshot: ${missing}`,
  });
  const at = (seq: number, epoch = lineage.epoch): Position => ({ epoch, seq });
  assert.deepEqual(await damage(changed(files, first), at(one.last - 1)), {
    ...{ file: second, offset: 0 },
    reason: `${begins}, but the newest whole snapshot ends with seq ${one.last - 1}: ${missing}`,
  });
  assert.equal((await recovered(changed(files, first), at(one.last))).segments.length, segments.length - 1);
  const last = segments.at(-1);
  assert.ok(last !== undefined);
  assert.equal((await recovered(holding(files), at(last.last))).segments.length, segments.length);
  assert.deepEqual(await damage(holding(files), at(last.last + 1)), {
    ...{ file: last.path, offset: last.end },
    reason: `the journal ends with seq ${last.last}, but a snapshot holds ${last.last + 1}: its end is lost; to go on from the snapshot, with a new epoch, move the journal directory away`,
  });
  assert.deepEqual(await damage(holding(files), at(3, 'other')), {
    ...{ file: last.path, offset: 0 },
    reason: `the journal has epoch ${lineage.epoch}, but the snapshot has other: they do not belong together`,
  });
  const bad = Buffer.from(files.get(second) ?? '');
  bad[bad.length - 1] = 0;
  const found = await damage(changed(files, second, bad));
  assert.deepEqual([found.file, found.reason], [second, 'the payload does not match its checksum']);
  assert.ok(found.offset > 0 && found.offset < two.end, 'a bad record in a segment that is not the last one');
  assert.ok(third !== '');
});

test('LG9 of all damage the first is told, in whatever order segments are read, and no file stays open', async () => {
  const files = await written(false);
  const segments = segmentsOf(files);
  assert.ok(segments.length > 3);
  for (const first of segments.keys()) {
    const disk = holding(files);
    const { openRead } = disk;
    let open = 0;
    disk.openRead = async (path) => {
      const at = segments.indexOf(path);
      if (at > first) throw new LogDamaged(path, 0, 'read after it');
      const file = await openRead.call(disk, path);
      open++;
      return { ...file, close: async () => void open-- };
    };
    const path = segments[first] ?? '';
    disk.flip(path, 0, 1);
    assert.deepEqual(await damage(disk), { file: path, offset: 0, reason: 'the segment header is not whole' });
    assert.equal(open, 0);
  }
});

test('LG8 the snapshot from which a journal began fits it, and no other of its epoch does', async () => {
  const snapshot = { epoch: 'before', seq: 70 };
  const files = await written(false, 3, snapshot);
  assert.equal((await recovered(holding(files), snapshot)).segments.at(-1)?.last, 73);
  for (const other of [
    { epoch: 'before', seq: 71 },
    { epoch: 'before', seq: 69 },
    { epoch: 'else', seq: 70 },
  ]) {
    assert.match((await damage(holding(files), other)).reason, /they do not belong together$/);
  }
});

/** A journal whose last record is cut in half, and what lies after its whole records. */
async function torn(): Promise<{ files: Files; last: string; tail: Buffer; at: number }> {
  const files = new Map(await written(false));
  const last = segmentsOf(files).at(-1) ?? '';
  const content = files.get(last) ?? Buffer.alloc(0);
  const at = content.lastIndexOf(Buffer.from([0xff, 0x52, 0x53, 0x54]));
  files.set(last, content.subarray(0, -40));
  return { files, last, at, tail: content.subarray(at, -40) };
}

test('LG9 a torn tail is copied, told and cut off; the copy of an earlier crash gives way to it', async () => {
  const { files, last, tail, at } = await torn();
  const before = new Map([...files, ['/j/0000000000000001.journal.torn', Buffer.from('old')]]);
  const disk = holding(before);
  const events: StoreEvent[] = [];
  const { segments, clean, dropTail } = await recovered(disk, undefined, events);
  assert.deepEqual([segments.at(-1)?.last, clean, dropTail], [11, false, undefined]);
  const copy = `${last}.torn`;
  assert.deepEqual(events, [{ type: 'torn-tail-dropped', file: last, offset: at, bytes: tail.length, copy }]);
  const after = disk.lostPower().files();
  assert.deepEqual([after.get(copy), after.get(last)?.length], [tail, at]);
  assert.equal(after.has('/j/0000000000000001.journal.torn'), false);
  // The same crash again replaces the copy of its own segment.
  const again = holding(new Map([...after, [last, files.get(last) ?? tail]]));
  await recovered(again);
  assert.deepEqual(
    [...again.files().keys()].filter((path) => path.endsWith('.torn')),
    [copy],
  );
});

test('LG9 a tail longer than one read is copied as a whole', async () => {
  const { files, last, at } = await torn();
  const tail = Buffer.from(Array.from({ length: 1_200_000 }, (_, n) => (n * 7 + (n >> 16)) & 127));
  const disk = holding(new Map([...files, [last, Buffer.concat([(files.get(last) ?? tail).subarray(0, at), tail])]]));
  await recovered(disk);
  assert.ok(disk.files().get(`${last}.torn`)?.equals(tail));
});

test('DK2 on a full disk a torn tail stays until it can be copied, and nothing is written before', async () => {
  const { files, last, tail, at } = await torn();
  const disk = holding(files);
  disk.plan = (point) => (point === 'torn-copy-write' ? { type: 'error', code: 'ENOSPC' } : undefined);
  const events: StoreEvent[] = [];
  const { segments, dropTail } = await recovered(disk, undefined, events);
  assert.deepEqual([segments.at(-1)?.last, events], [11, []]);
  assert.equal(disk.files().get(last)?.length, at + tail.length);
  await assert.rejects(async () => dropTail?.(), { code: 'ENOSPC' });
  assert.equal(disk.files().get(last)?.length, at + tail.length);
  disk.plan = () => undefined;
  await dropTail?.();
  assert.deepEqual([disk.files().get(last)?.length, disk.files().get(`${last}.torn`)], [at, tail]);
  assert.deepEqual(events, [{ type: 'torn-tail-dropped', file: last, offset: at, bytes: tail.length, copy: `${last}.torn` }]);
  const failing = holding(files);
  failing.plan = (point) => (point === 'torn-copy-write' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(recovered(failing), { code: 'EIO' });
});

test('LG9 files of other names are no segments, and leftovers go before anything else is read', async () => {
  const files = await written(false);
  const others = ['notes.txt', '1.journal', '00000000000000001.journal', '0000000000000001.journal.bak'];
  const disk = holding(new Map([...files, ...[...others, 'x~.tmp'].map((name) => [`/j/${name}`, Buffer.from('x')] as const)]));
  const log = await Journal.open({ directory: '/j', fileSystem: disk });
  assert.equal((await readToHead(log)).length, 12);
  assert.deepEqual(
    [...disk.files().keys()].filter((path) => !files.has(path)),
    others.map((name) => `/j/${name}`),
  );
});
