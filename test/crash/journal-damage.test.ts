/**
 * LG9 and LG5 against a disk that lies, fails and fills up. Whatever is done to the bytes, an entry is either served as it was
 * written, or the journal refuses and names file and offset, or (for the last group of a journal that was not closed cleanly) it is
 * dropped and reported. Nothing is ever served wrong, and nothing vanishes silently.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '../../protocol/base/position.ts';
import type { Entry } from '../../protocol/log/entry.ts';
import type { StoreEvent } from '../../store/events.ts';
import type { CrashPoint } from '../../store/file-system.ts';
import { Journal } from '../../store/journal/journal.ts';
import { RECORD_HEADER_BYTES } from '../../store/journal/record.ts';
import { LogDamaged, LogUnavailable } from '../../store/log.ts';
import { isLong, sized } from '../support/long.ts';
import { appendAll, appendOne, draft, readToHead } from '../support/store/entries.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';

const directory = '/j';
/** Random flips of each kind of journal. */
const FLIPS = sized(75, 500);
const random = new Random(1);

/** The bytes of a record: by default each of its header, each of its end, and some in between. */
function* places(from: number, to: number): Generator<number> {
  for (let at = from; at < to; at++) {
    if (isLong || at - from <= RECORD_HEADER_BYTES || to - at <= 4 || (at - from) % 7 === 0) yield at;
  }
}

interface Opened {
  readonly disk: SimDisk;
  readonly log: Journal;
  readonly events: StoreEvent[];
}

async function open(disk: SimDisk, snapshot?: Position): Promise<Opened> {
  const events: StoreEvent[] = [];
  const onEvent = (event: StoreEvent): void => void events.push(event);
  const log = await Journal.open({ directory, fileSystem: disk, segmentBytes: 3_000, recentBytes: 0, blockBytes: 500, snapshot, onEvent });
  return { disk, log, events };
}

interface Written {
  readonly files: Map<string, Buffer>;
  readonly entries: Entry[];
  /** Path of the last segment, and where its last record begins. */
  readonly last: string;
  readonly lastAt: number;
}

/** A journal of several segments, written one entry per group, and left as a crash or a clean close leaves it. */
async function written(how: 'crashed' | 'closed', count = 40): Promise<Written> {
  const { disk, log } = await open(new SimDisk(random));
  for (let i = 0; i < count; i++) await appendOne(log, draft(`e${i}`, { facts: 1 + (i % 3), bytes: 40 }));
  const entries = await readToHead(log);
  if (how === 'closed') await log.close();
  const files = disk.files();
  const last =
    [...files.keys()]
      .filter((name) => name.endsWith('.journal'))
      .sort()
      .at(-1) ?? assert.fail();
  const lastAt = (files.get(last) ?? assert.fail()).lastIndexOf(Buffer.from([0xff, 0x52, 0x53, 0x54]));
  return { files, entries, last, lastAt };
}

function changed(files: ReadonlyMap<string, Buffer>, path: string, change: (content: Buffer) => Buffer): SimDisk {
  const copy = new Map<string, Buffer>([...files].map(([name, content]) => [name, Buffer.from(content)]));
  copy.set(path, change(copy.get(path) ?? assert.fail(path)));
  return SimDisk.holding(copy, random);
}

function flipped(files: ReadonlyMap<string, Buffer>, path: string, offset: number, mask: number): SimDisk {
  const disk = changed(files, path, (content) => content);
  disk.flip(path, offset, mask);
  return disk;
}

async function assertRefused(disk: SimDisk, file: string, offset?: number, snapshot?: Position): Promise<void> {
  const before = disk.files();
  await assert.rejects(open(disk, snapshot), (error) => {
    assert(error instanceof LogDamaged, String(error));
    assert.equal(error.file, file);
    if (offset !== undefined) assert.equal(error.offset, offset);
    return true;
  });
  assert.deepEqual(disk.files(), before, 'a refused journal must not be changed');
}

/** Opens, expects the last entry gone and reported, and that the journal goes on without it. */
async function assertDropped(disk: SimDisk, { entries, last, lastAt }: Written, name: string): Promise<void> {
  const size = disk.files().get(last)?.length ?? 0;
  const torn = disk.files().get(last)?.subarray(lastAt);
  const { log, events } = await open(disk);
  assert.deepEqual(await readToHead(log), entries.slice(0, -1), name);
  const copy = `${last}.torn`;
  const dropped = { type: 'torn-tail-dropped', file: last, offset: lastAt, bytes: size - lastAt, copy };
  assert.deepEqual(events, size > lastAt ? [dropped] : [], name);
  if (size > lastAt) assert.deepEqual(disk.files().get(copy), torn, name);
  await appendOne(log, draft('after'));
  const again = await open(disk.lostPower());
  assert.deepEqual(
    (await readToHead(again.log)).map(({ id }) => id),
    [...entries.slice(0, -1).map(({ id }) => id), 'after'],
    name,
  );
}

test('LG9 a last record torn at any byte is dropped and reported', async () => {
  const journal = await written('crashed');
  const size = journal.files.get(journal.last)?.length ?? 0;
  for (const length of places(journal.lastAt, size)) {
    await assertDropped(
      changed(journal.files, journal.last, (content) => content.subarray(0, length)),
      journal,
      `cut at ${length}`,
    );
  }
});

test('LG9 a last record whose tail became zeros is dropped and reported', async () => {
  const journal = await written('crashed');
  const size = journal.files.get(journal.last)?.length ?? 0;
  for (const from of places(journal.lastAt, size)) {
    await assertDropped(
      changed(journal.files, journal.last, (content) => content.fill(0, from)),
      journal,
      `zeros from ${from}`,
    );
  }
});

test('LG9 a flipped bit in any byte of the last record drops it and reports it', async () => {
  const journal = await written('crashed');
  const size = journal.files.get(journal.last)?.length ?? 0;
  for (const offset of places(journal.lastAt, size)) {
    await assertDropped(flipped(journal.files, journal.last, offset, 1 << (offset % 8)), journal, `flip at ${offset}`);
  }
});

test('LG9 after a clean close a flipped or missing byte of the last record refuses to open', async () => {
  const journal = await written('closed');
  const size = journal.files.get(journal.last)?.length ?? 0;
  for (const offset of places(journal.lastAt, size)) {
    await assertRefused(flipped(journal.files, journal.last, offset, 1 << (offset % 8)), journal.last, journal.lastAt);
    await assertRefused(
      changed(journal.files, journal.last, (content) => content.subarray(0, offset)),
      journal.last,
      offset === journal.lastAt ? offset : journal.lastAt,
    );
  }
  await assertRefused(
    changed(journal.files, journal.last, (content) => Buffer.concat([content, Buffer.alloc(10)])),
    journal.last,
    size,
  );
  const marker = `${directory}/clean`;
  for (let offset = 0; offset < (journal.files.get(marker)?.length ?? 0); offset++)
    await assertRefused(flipped(journal.files, marker, offset, 2), marker);
});

test('LG9 after a clean close and one more append the last record may be torn again', async () => {
  const { files } = await written('closed');
  const { disk, log } = await open(SimDisk.holding(files, random));
  await appendOne(log, draft('more', { bytes: 10 }));
  const size = (path: string): number => disk.files().get(path)?.length ?? 0;
  const last =
    [...disk.files().keys()]
      .filter((name) => name.endsWith('.journal'))
      .sort()
      .at(-1) ?? assert.fail();
  const { events } = await open(changed(disk.files(), last, (content) => content.subarray(0, size(last) - 1)));
  assert.equal(events[0]?.type, 'torn-tail-dropped');
});

test(`LG9 ${2 * FLIPS} random flips: refused with file and offset, or dropped by the rule of the last record`, async (t) => {
  const seed = Number(process.env.ROSTERD_SEED ?? 20_260_101);
  const flips = new Random(seed);
  const counts = { refused: 0, dropped: 0 };
  for (const how of ['crashed', 'closed'] as const) {
    const journal = await written(how);
    const paths = [...journal.files.keys()];
    for (let i = 0; i < FLIPS; i++) {
      const path = paths[flips.below(paths.length)] ?? assert.fail();
      const offset = flips.below(journal.files.get(path)?.length ?? 0);
      const mask = 1 << flips.below(8);
      const what = `seed ${seed}, ${how}, flip ${i}: ${path} at ${offset} with ${mask}`;
      const disk = flipped(journal.files, path, offset, mask);
      if (how === 'crashed' && path === journal.last && offset >= journal.lastAt) {
        await assertDropped(disk, journal, what);
        counts.dropped++;
        continue;
      }
      await assert.rejects(open(disk), (error) => error instanceof LogDamaged && error.file === path && error.offset <= offset, what);
      counts.refused++;
    }
  }
  t.diagnostic(`${counts.refused} refused, ${counts.dropped} dropped and reported`);
  assert(counts.refused > 1.8 * FLIPS, JSON.stringify(counts));
});

test('LG9 a flip while the journal is open is never served', async () => {
  const journal = await written('crashed');
  const path = [...journal.files.keys()].sort()[0] ?? assert.fail();
  const size = journal.files.get(path)?.length ?? 0;
  // The header record was read at open and is not read again.
  for (let offset = 200; offset < size; offset += 7) {
    const disk = changed(journal.files, path, (content) => content);
    const { log } = await open(disk);
    disk.flip(path, offset, 4);
    const seen: Entry[] = [];
    const reading = (async () => {
      for await (const entry of log.read(0, new AbortController().signal)) seen.push(entry);
    })();
    await assert.rejects(reading, (error) => error instanceof LogDamaged && error.file === path && error.offset <= offset);
    assert.deepEqual(seen, journal.entries.slice(0, seen.length));
  }
});

test('LG9 a flipped length in the middle does not make the records after it vanish', async () => {
  const journal = await written('crashed', 48);
  const content = journal.files.get(journal.last) ?? assert.fail();
  const magic = Buffer.from([0xff, 0x52, 0x53, 0x54]);
  let tried = 0;
  for (let at = content.indexOf(magic, 1); at < journal.lastAt; at = content.indexOf(magic, at + 1)) {
    for (let byte = 8; byte < 12; byte++) {
      await assertRefused(flipped(journal.files, journal.last, at + byte, 0x10), journal.last, at);
      tried++;
    }
  }
  assert(tried > 8, `${tried} tried`);
});

test('LG9 records of one unsynced group: a torn first one takes the others with it', async () => {
  const { disk, log } = await open(new SimDisk(random));
  await appendOne(log, draft('synced'));
  await Promise.all(appendAll(log, [draft('a'), draft('b'), draft('c')]));
  const [path, content] = [...disk.files()][0] ?? assert.fail();
  const at = content.indexOf('"a"') - RECORD_HEADER_BYTES;
  const reopened = await open(flipped(disk.files(), path, at + RECORD_HEADER_BYTES + 2, 1));
  assert.deepEqual(
    (await readToHead(reopened.log)).map(({ id }) => id),
    ['synced'],
  );
  assert.equal(reopened.events[0]?.type, 'torn-tail-dropped');
});

test('LG9 what a snapshot covers was durable: damage there refuses, also in the last record', async () => {
  const journal = await written('crashed');
  const { epoch } = (await open(SimDisk.holding(journal.files, random))).log.head;
  const seq = journal.entries.at(-1)?.first ?? assert.fail();
  const disk = flipped(journal.files, journal.last, journal.lastAt + 20, 1);
  await assertRefused(disk, journal.last, journal.lastAt, { epoch, seq });
  await assert.rejects(open(disk, { epoch, seq }), /proves that it was durable/);
});

test('LG9 a missing, foreign or renamed segment refuses to open', async () => {
  const journal = await written('crashed');
  const segments = [...journal.files.keys()].sort();
  assert(segments.length > 3, `${segments.length} segments`);
  for (const gone of segments.slice(0, -1)) {
    const files = new Map(journal.files);
    files.delete(gone);
    await assert.rejects(open(SimDisk.holding(files, random)), LogDamaged);
  }
  const other = await written('crashed');
  const swapped = segments[1] ?? assert.fail();
  await assertRefused(
    changed(journal.files, swapped, () => other.files.get(swapped) ?? assert.fail()),
    swapped,
    0,
  );
  const moved = new Map(journal.files);
  moved.set(`${directory}/0000000000009999.journal`, moved.get(swapped) ?? assert.fail());
  moved.delete(swapped);
  await assert.rejects(open(SimDisk.holding(moved, random)), LogDamaged);
});

test('LG8 the epoch survives a crash and a clean close, and a new journal has another', async () => {
  const first = await open(new SimDisk(random));
  const { epoch } = first.log.head;
  const crashed = await open(first.disk.lostPower());
  assert.equal(crashed.log.head.epoch, epoch);
  await crashed.log.close();
  assert.equal((await open(crashed.disk)).log.head.epoch, epoch);
  assert.notEqual((await open(new SimDisk(random))).log.head.epoch, epoch);
});

test('LG8 without a journal a snapshot begins a new epoch where it ends, and still fits after a restart', async () => {
  const snapshot = { epoch: 'before', seq: 500 };
  const { disk, log } = await open(new SimDisk(random), snapshot);
  assert.notEqual(log.head.epoch, 'before');
  assert.equal(log.head.seq, 500);
  assert.equal(log.tail, 500);
  assert.equal((await appendOne(log, draft('a'))).first, 501);
  const { epoch } = log.head;
  assert.equal((await open(disk.lostPower(), snapshot)).log.head.epoch, epoch);
  await assert.rejects(open(disk.lostPower(), { epoch: 'before', seq: 499 }), /do not belong together/);
  await assert.rejects(open(disk.lostPower(), { epoch: 'other', seq: 500 }), /do not belong together/);
  await assert.rejects(open(disk.lostPower()), /there is no snapshot/);
});

test('LG8 a journal that ends before its snapshot has lost its end, and refuses', async () => {
  const journal = await written('crashed');
  const { epoch } = (await open(SimDisk.holding(journal.files, random))).log.head;
  await assert.rejects(open(SimDisk.holding(journal.files, random), { epoch, seq: 1_000 }), /its end is lost/);
});

const unavailable = (outcome: 'not-written' | 'unknown') => (error: unknown) =>
  error instanceof LogUnavailable && error.outcome === outcome;

test('LG5 a full disk: nothing is acknowledged, nothing stays, and the next append succeeds when there is space', async () => {
  const points: CrashPoint[] = [
    'group-write',
    'segment-create',
    'segment-write',
    'segment-rename',
    'segment-directory-sync',
    'clean-remove',
  ];
  for (const point of points) {
    const closed = await written('closed');
    const { disk, log, events } = await open(SimDisk.holding(closed.files, random));
    const drafts = Array.from({ length: 5 }, (_, i) => draft(`lost${i}`, { bytes: 900 }));
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'ENOSPC' } : undefined);
    for (let round = 0; round < 3; round++) {
      for (const result of await Promise.allSettled(appendAll(log, drafts))) {
        assert(result.status === 'rejected' && unavailable('not-written')(result.reason), point);
      }
    }
    disk.plan = () => undefined;
    for (let i = 0; i < 6; i++) await appendOne(log, draft(`kept${i}`, { bytes: i === 0 ? 5 : 900 }));
    assert(
      events.some(({ type }) => type === 'append-rolled-back'),
      'no event append-rolled-back',
    );
    const ids = [...closed.entries.map(({ id }) => id), ...Array.from({ length: 6 }, (_, i) => `kept${i}`)];
    assert.deepEqual(
      (await readToHead(log)).map(({ id }) => id),
      ids,
      point,
    );
    assert.deepEqual(
      (await readToHead((await open(disk.lostPower())).log)).map(({ id }) => id),
      ids,
      point,
    );
  }
});

test('LG1 short writes are continued', async () => {
  const { disk, log } = await open(new SimDisk(random));
  disk.plan = (point) => (point === 'group-write' ? { type: 'short', bytes: 7 } : undefined);
  await Promise.all(appendAll(log, [draft('a'), draft('b')]));
  assert.deepEqual(
    (await readToHead((await open(disk.lostPower())).log)).map(({ id }) => id),
    ['a', 'b'],
  );
  disk.plan = (point) => (point === 'group-write' ? { type: 'short', bytes: 0 } : undefined);
  await assert.rejects(log.append(2, draft('c')), unavailable('not-written'));
});

// One call may write and sync: its error is that of a sync.
test('LG5 a sync that fails ends the journal: unknown in flight, not-written afterwards, and a restart finds out', async () => {
  for (const point of ['group-write', 'group-sync', 'rollback-sync', 'rollback-truncate'] as const) {
    const { disk, log, events } = await open(new SimDisk(random));
    await appendOne(log, draft('a'));
    disk.plan = (passed) => {
      if (passed === 'group-write' && point.startsWith('rollback')) return { type: 'error', code: 'ENOSPC' };
      return passed === point ? { type: 'error', code: 'EIO' } : undefined;
    };
    await assert.rejects(log.append(1, draft('b')), unavailable('unknown'));
    disk.plan = () => undefined;
    await assert.rejects(log.append(1, draft('c')), (error) => unavailable('not-written')(error) && /restart/.test(String(error)));
    assert(
      events.some(({ type }) => type === 'journal-failed'),
      'no event journal-failed',
    );
    assert.equal(log.head.seq, 1);
    await log.close();
    const ids = (await readToHead((await open(disk.lostPower())).log)).map(({ id }) => id);
    assert(['a', 'a,b'].includes(ids.join()), ids.join());
  }
});

test('LG5 a directory that cannot be synced ends the journal before anything was written', async () => {
  for (const point of ['segment-sync', 'segment-directory-sync', 'clean-remove-sync'] as const) {
    const closed = await written('closed');
    const { disk, log } = await open(SimDisk.holding(closed.files, random));
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(log.append(log.head.seq, draft('a', { bytes: 4_000 })), unavailable('not-written'));
    await assert.rejects(log.append(log.head.seq, draft('b')), unavailable('not-written'));
    disk.plan = () => undefined;
    assert.deepEqual(await readToHead((await open(disk.killed())).log), closed.entries, point);
  }
});

test('LG5 appends beyond the bound on waiting bytes are refused, those before it are not', async () => {
  const log = await Journal.open({ directory, fileSystem: new SimDisk(random), pendingBytes: 2_000 });
  const drafts = Array.from({ length: 3 }, (_, i) => draft(`e${i}`, { bytes: 600 }));
  const results = await Promise.allSettled(appendAll(log, drafts));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  await appendOne(log, draft('again', { bytes: 600 }));
});

test('LG5 an entry that cannot be encoded is refused for good, and costs nothing', async () => {
  const { log } = await open(new SimDisk(random));
  const circular: { self?: object } = {};
  circular.self = circular;
  const one = draft('a');
  const [fact] = one.facts;
  assert.ok(fact?.t === 'doc' && fact.kind === 'task' && fact.doc !== null, 'drafts hold tasks');
  const bad = { ...one, facts: [{ ...fact, doc: { ...fact.doc, result: { circular } } }] };
  await assert.rejects(log.append(0, bad), TypeError);
  await appendOne(log, draft('b'));
  assert.deepEqual(
    (await readToHead(log)).map(({ id, first }) => [id, first]),
    [['b', 1]],
  );
});

test('LG6 a reader that catches up from memory lets the event loop turn', async () => {
  const log = await Journal.open({ directory, fileSystem: new SimDisk(random) });
  const drafts = Array.from({ length: 500 }, (_, i) => draft(`e${i}`));
  await Promise.all(appendAll(log, drafts));
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  assert.equal((await readToHead(log)).length, 500);
  assert.ok(turned, 'the loop stood still');
});
