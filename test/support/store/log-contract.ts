/** The suite of the `Log` contract (store/log.ts), for every adapter. Titles begin with the rule they prove. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { type Log, LogClosed, LogTrimmed, LogUnavailable } from '../../../store/log.ts';
import { appendAll, appendOne, draft, entryOf, readCount, readToHead } from './entries.ts';

export interface LogAdapter {
  readonly name: string;
  /** An empty log that trims eagerly: what a snapshot covers goes, as far as the adapter can. */
  open(): Promise<Log>;
  /** The same, where what is held is bounded: of the entries of `filled`, to less than half. */
  openHolding(): Promise<Log>;
  /** Makes the next append fail as a fault of the outside world would. */
  fail(log: Log, outcome: 'not-written' | 'unknown'): void;
  /** Appends begun now answer only after the returned function was called. */
  hold(log: Log): () => void;
  /** Its faults are those of another adapter, which are tested there. */
  readonly hasNoFaults?: true;
}

export function logContract(adapter: LogAdapter): void {
  const opened: Log[] = [];
  const open = async (): Promise<Log> => {
    const log = await adapter.open();
    opened.push(log);
    return log;
  };
  afterEach(async () => {
    for (const log of opened.splice(0)) await log.close();
  });
  appendRules(open);
  readRules(open);
  trimRules(open);
  holdRules(open, async () => {
    const log = await adapter.openHolding();
    opened.push(log);
    return log;
  });
  writerRules(open, adapter);
  closeRules(open, adapter);
  if (adapter.hasNoFaults === undefined) faultRules(open, adapter);
}

type Open = () => Promise<Log>;

function appendRules(open: Open): void {
  test('LG1 an entry comes back whole, as it was appended', async () => {
    const log = await open();
    const one = draft('a', { facts: 7, bytes: 300 });
    const entry = await appendOne(log, one);
    assert.deepEqual(entry, { ...one, first: 1 });
    assert.deepEqual(await readToHead(log), [{ ...one, first: 1 }]);
  });

  test('LG2 head covers an entry when its append has resolved, and no reader sees it before', async () => {
    const log = await open();
    const seen: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const entry of log.read(0, stop.signal)) {
        assert(log.head.seq >= lastSeq(entry), 'head is behind');
        seen.push(entry.first);
        if (seen.length === 20) stop.abort();
      }
    })();
    for (const appending of appendAll(
      log,
      Array.from({ length: 20 }, (_, i) => draft(`e${i}`)),
    )) {
      const entry = entryOf(await appending);
      assert(log.head.seq >= lastSeq(entry), 'head is behind');
    }
    await reading;
    assert.equal(seen.length, 20);
  });

  test('LG3 sequence numbers count facts, without holes', async () => {
    const log = await open();
    const results = await Promise.all(appendAll(log, [draft('a', { facts: 3 }), draft('b'), draft('c', { facts: 2 })]));
    assert.deepEqual(
      results.map((result) => entryOf(result).first),
      [1, 4, 5],
    );
    assert.equal(log.head.seq, 6);
  });

  test('LG3 several appends in flight resolve in order', async () => {
    const log = await open();
    const order: number[] = [];
    const drafts = Array.from({ length: 50 }, (_, i) => draft(`e${i}`, { bytes: i * 10 }));
    await Promise.all(appendAll(log, drafts).map((result) => result.then((done) => order.push(entryOf(done).first))));
    assert.deepEqual(
      order,
      drafts.map((_, i) => i + 1),
    );
  });

  test('LG4 an append on an old head answers conflict and writes nothing', async () => {
    const log = await open();
    await appendOne(log, draft('a', { facts: 2 }));
    assert.deepEqual(await log.append(0, draft('b')), { status: 'conflict', head: 2 });
    assert.deepEqual(await log.append(1, draft('b')), { status: 'conflict', head: 2 });
    assert.deepEqual(await log.append(3, draft('b')), { status: 'conflict', head: 2 });
    assert.equal(log.head.seq, 2);
    assert.equal((await readToHead(log)).length, 1);
  });

  test('LG4 of two appends on the same head one wins', async () => {
    const log = await open();
    const [a, b] = await Promise.all([log.append(0, draft('a')), log.append(0, draft('b'))]);
    assert.equal(a.status, 'appended');
    assert.deepEqual(b, { status: 'conflict', head: 1 });
  });

  test('LG1 an entry without facts is refused', async () => {
    const log = await open();
    await assert.rejects(log.append(0, { id: 'a', time: 0, facts: [] }), TypeError);
    assert.equal(log.head.seq, 0);
  });
}

function readRules(open: Open): void {
  test('LG1 an entry longer than an entry may be is refused, and the next one follows', async () => {
    const log = await open();
    await assert.rejects(log.append(0, draft('long', { bytes: LIMITS.entryBytes })), RangeError);
    await appendOne(log, draft('short'));
    assert.deepEqual(
      (await readToHead(log)).map(({ id }) => id),
      ['short'],
    );
  });

  test('LG6 reading yields stored entries once and in order, then live ones', async () => {
    const log = await open();
    for (let i = 0; i < 30; i++) await appendOne(log, draft(`s${i}`, { facts: 1 + (i % 3), bytes: 100 }));
    const reading = readCount(log, 0, 60);
    for (let i = 0; i < 30; i++) await appendOne(log, draft(`l${i}`, { facts: 2 }));
    const entries = await reading;
    assert.deepEqual(
      entries.map((entry) => entry.id),
      [...Array.from({ length: 30 }, (_, i) => `s${i}`), ...Array.from({ length: 30 }, (_, i) => `l${i}`)],
    );
    assertContiguous(entries, 0);
  });

  test('LG6 an entry that reaches beyond the position is yielded whole', async () => {
    const log = await open();
    await appendOne(log, draft('a', { facts: 5 }));
    await appendOne(log, draft('b', { facts: 5 }));
    for (let after = 0; after < 10; after++) {
      const entries = await readToHead(log, after);
      assert.deepEqual(
        entries.map((entry) => entry.id),
        after < 5 ? ['a', 'b'] : ['b'],
      );
    }
  });

  test('LG6 from every position the rest is complete', async () => {
    const log = await open();
    await Promise.all(
      appendAll(
        log,
        Array.from({ length: 40 }, (_, i) => draft(`e${i}`, { facts: 1 + (i % 4), bytes: 120 })),
      ),
    );
    for (let after = 0; after < log.head.seq; after++) {
      const entries = await readToHead(log, after);
      assert(entries[0] !== undefined && entries[0].first <= after + 1 && lastSeq(entries[0]) > after, `after ${after}`);
      assertContiguous(entries, entries[0].first - 1);
    }
  });

  test('LG6 many readers, each at its own pace, see the same', async () => {
    const log = await open();
    const readers = Array.from({ length: 50 }, async (_, i) => {
      const entries: Entry[] = [];
      const stop = new AbortController();
      for await (const entry of log.read(0, stop.signal)) {
        entries.push(entry);
        for (let turn = 0; turn < i % 7; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (entries.length === 100) stop.abort();
      }
      return entries.map(({ id }) => id).join();
    });
    for (let i = 0; i < 100; i++) await appendOne(log, draft(`e${i}`));
    assert.equal(new Set(await Promise.all(readers)).size, 1);
  });

  test('LG6 aborting ends a waiting reader, and one in the middle', async () => {
    const log = await open();
    const waiting = new AbortController();
    const iterator = log.read(0, waiting.signal)[Symbol.asyncIterator]();
    const next = iterator.next();
    waiting.abort();
    assert.deepEqual(await next, { value: undefined, done: true });

    await Promise.all(appendAll(log, [draft('a'), draft('b'), draft('c')]));
    const middle = new AbortController();
    const ids: string[] = [];
    for await (const entry of log.read(0, middle.signal)) {
      ids.push(entry.id);
      if (ids.length === 2) middle.abort();
    }
    assert.deepEqual(ids, ['a', 'b']);
    for await (const entry of log.read(0, AbortSignal.abort())) assert.fail(`yielded ${entry.id}`);
  });

  test('LG6 reading from beyond the head waits for what is later', async () => {
    const log = await open();
    const reading = readCount(log, 2, 1);
    for (const id of ['a', 'b', 'c']) await appendOne(log, draft(id));
    assert.deepEqual(
      (await reading).map(({ id }) => id),
      ['c'],
    );
  });
}

function writerRules(open: Open, adapter: LogAdapter): void {
  test('LG13 the end of the log is where its last entry ends', async () => {
    const log = await open();
    assert.equal(await log.end(), 0);
    await appendOne(log, draft('a', { facts: 3 }));
    assert.deepEqual([await log.end(), log.head.seq], [3, 3]);
  });

  test('LG13 the end is told while an append is on its way, and does not count it before it is durable', async () => {
    const log = await open();
    await appendOne(log, draft('a'));
    const release = adapter.hold(log);
    const appending = log.append(1, draft('b'));
    assert.equal(await log.end(), 1);
    release();
    assert.equal((await appending).status, 'appended');
    assert.equal(await log.end(), 2);
  });

  test('LG14 in a turn, readers reach the head, and an append succeeds; its error is that of the turn', async () => {
    const log = await open();
    await appendOne(log, draft('a', { facts: 2 }));
    const turned = await log.turn(async (head) => {
      assert.deepEqual([head, (await readToHead(log)).length], [2, 1]);
      return await log.append(head, draft('b'));
    });
    assert.equal(entryOf(turned).first, 3);
    await assert.rejects(
      log.turn(async () => {
        throw new RangeError('of the work');
      }),
      /of the work/,
    );
    assert.equal(await log.turn(async (head) => head), 3, 'an empty turn leaves nothing behind');
    await appendOne(log, draft('c'));
    assert.equal((await readToHead(log)).length, 3);
  });

  test('LG15 the status is ready until the log closes', async () => {
    const log = await open();
    assert.deepEqual(log.status, { state: 'ready' });
    await log.close();
    assert.deepEqual(log.status, { state: 'closed' });
    await assert.rejects(log.end(), LogClosed);
    await assert.rejects(
      log.turn(async () => 1),
      LogClosed,
    );
  });
}

async function fill(log: Log): Promise<Log> {
  for (let i = 0; i < 60; i++) await appendOne(log, draft(`e${i}`, { facts: 2, bytes: 100 }));
  return log;
}

/** Two snapshots at the same place: nothing up to there is needed for recovery. */
async function trim(log: Log, seq = log.head.seq): Promise<void> {
  await log.snapshotSaved(seq);
  await log.snapshotSaved(seq);
}

function holdRules(open: Open, openHolding: Open): void {
  test('LG12 what is later than the smallest held position is not trimmed', async () => {
    const log = await fill(await open());
    log.keepAfter('a', 80);
    log.keepAfter('b', 31);
    await trim(log);
    assert(log.tail <= 31, `tail ${log.tail}`);
    assertContiguous(await readToHead(log, 31), 30);
    log.keepAfter('b', 90);
    await trim(log);
    assert(log.tail > 31 && log.tail <= 80, `tail ${log.tail}`);
    assertContiguous(await readToHead(log, 80), 80);
  });

  test('LG12 what is let go is trimmed like everything else', async () => {
    const log = await fill(await open());
    log.keepAfter('a', 0);
    await trim(log);
    assert.equal(log.tail, 0);
    log.keepAfter('a', undefined);
    await trim(log);
    assert(log.tail > 100, `tail ${log.tail}`);
  });

  test('LG12 a hold beyond the head, or of what is gone already, changes nothing', async () => {
    const log = await fill(await open());
    log.keepAfter('a', 1_000);
    await trim(log);
    const { tail } = log;
    assert(tail > 100, `tail ${tail}`);
    log.keepAfter('a', 3);
    await trim(log);
    assert.equal(log.tail, tail);
  });

  test('LG12 beyond the bound it is trimmed all the same, and its reader is told', async () => {
    const log = await fill(await openHolding());
    log.keepAfter('a', 10);
    await trim(log);
    assert(log.tail > 60 && log.tail < 110, `tail ${log.tail}`);
    const reading = log.read(10, new AbortController().signal)[Symbol.asyncIterator]();
    await assert.rejects(reading.next(), (error) => error instanceof LogTrimmed && error.tail === log.tail);
  });
}

function trimRules(open: Open): void {
  const filled = async (): Promise<Log> => fill(await open());

  test('LG7 reading from before the first kept entry is refused, from the tail on it works', async () => {
    const log = await filled();
    await log.snapshotSaved(100);
    await log.snapshotSaved(100);
    assert(log.tail > 0 && log.tail <= 100, `tail ${log.tail}`);
    const before = log.read(log.tail - 1, new AbortController().signal)[Symbol.asyncIterator]();
    await assert.rejects(before.next(), (error) => error instanceof LogTrimmed && error.tail === log.tail);
    assertContiguous(await readToHead(log, log.tail), log.tail);
    assert.equal(lastSeq((await readToHead(log, log.tail)).at(-1) ?? assert.fail()), 120);
  });

  test('LG11 nothing after the snapshot is trimmed, and nothing at all without one', async () => {
    const log = await filled();
    assert.equal(log.tail, 0);
    await log.snapshotSaved(51);
    await log.snapshotSaved(51);
    assert(log.tail <= 51, `tail ${log.tail}`);
    assertContiguous(await readToHead(log, 51), 50);
  });

  test('LG7 a reader overtaken by trimming is told, never given a gap', async () => {
    const log = await filled();
    const iterator = log.read(0, new AbortController().signal)[Symbol.asyncIterator]();
    const entries: Entry[] = [];
    const first = await iterator.next();
    if (!first.done) entries.push(first.value);
    await log.snapshotSaved(120);
    await log.snapshotSaved(120);
    try {
      while (entries.length < 60) {
        const { value, done } = await iterator.next();
        if (done === true) assert.fail('the reader ended');
        entries.push(value);
      }
    } catch (error) {
      assert(error instanceof LogTrimmed, String(error));
    }
    assertContiguous(entries, 0);
  });

  test('LG11 a snapshot ahead of the head is a mistake', async () => {
    const log = await filled();
    await assert.rejects(log.snapshotSaved(121), RangeError);
  });

  test('LG8 the epoch stays while history goes on', async () => {
    const log = await filled();
    const { epoch } = log.head;
    await log.snapshotSaved(120);
    await appendOne(log, draft('more'));
    assert.equal(log.head.epoch, epoch);
    assert(epoch.length > 0 && epoch.length <= 64, epoch);
  });
}

function closeRules(open: Open, adapter: LogAdapter): void {
  test('LG10 close finishes what is in flight, then refuses', async () => {
    const log = await open();
    const release = adapter.hold(log);
    const appending = appendAll(log, [draft('a'), draft('b'), draft('c')]);
    const closing = log.close();
    await assert.rejects(log.append(3, draft('d')), LogClosed);
    release();
    for (const result of appending) assert.equal((await result).status, 'appended');
    await closing;
    await assert.rejects(log.append(3, draft('d')), LogClosed);
    assert.equal(log.head.seq, 3);
    await log.close();
  });

  test('LG10 close ends readers after the last durable entry', async () => {
    const log = await open();
    const ids: string[] = [];
    const reading = (async () => {
      for await (const entry of log.read(0, new AbortController().signal)) ids.push(entry.id);
    })();
    const appending = appendAll(log, [draft('a'), draft('b'), draft('c')]);
    await log.close();
    await Promise.all(appending);
    await reading;
    assert.deepEqual(ids, ['a', 'b', 'c']);
  });
}

function faultRules(open: Open, adapter: LogAdapter): void {
  test('LG5 not-written: nothing is stored, and the next append succeeds', async () => {
    const log = await open();
    await appendOne(log, draft('a'));
    adapter.fail(log, 'not-written');
    await assert.rejects(
      log.append(1, draft('b', { bytes: 500 })),
      (error) => error instanceof LogUnavailable && error.outcome === 'not-written',
    );
    assert.equal(log.head.seq, 1);
    await appendOne(log, draft('c'));
    const ids = (await readToHead(log)).map(({ id }) => id);
    assert.deepEqual(ids, ['a', 'c']);
  });

  test('LG5 what waits behind a refused append is refused, too', async () => {
    const log = await open();
    adapter.fail(log, 'not-written');
    const results = await Promise.allSettled(appendAll(log, [draft('a'), draft('b'), draft('c')]));
    assert(
      results.every(
        (result) => result.status === 'rejected' && result.reason instanceof LogUnavailable && result.reason.outcome === 'not-written',
      ),
    );
    await appendOne(log, draft('d'));
    assert.deepEqual(
      (await readToHead(log)).map(({ id }) => id),
      ['d'],
    );
  });

  test('LG5 unknown: the append rejects as unknown', async () => {
    const log = await open();
    await appendOne(log, draft('a'));
    adapter.fail(log, 'unknown');
    await assert.rejects(log.append(1, draft('b')), (error) => error instanceof LogUnavailable && error.outcome === 'unknown');
  });
}

export function assertContiguous(entries: readonly Entry[], after: number): void {
  let at = after;
  for (const entry of entries) {
    assert.equal(entry.first, at + 1);
    at = lastSeq(entry);
  }
}
