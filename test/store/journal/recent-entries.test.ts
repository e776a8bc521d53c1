/** LG6: the newest entries in memory: which of them are there, and that none is handed out for another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { RecentEntries } from '../../../store/journal/recent-entries.ts';
import { draft } from '../../support/store/entries.ts';

/** Entries of one, two and three facts in turn, each of `bytes` bytes, after `before` facts. */
function filled(bytesMax: number, count: number, { bytes = 10, before = 0 } = {}): { recent: RecentEntries; entries: Entry[] } {
  const recent = new RecentEntries(bytesMax);
  const entries: Entry[] = [];
  let first = before + 1;
  for (let n = 0; n < count; n++) {
    const entry = { ...draft(`e${n}`, { facts: 1 + (n % 3) }), first };
    recent.push(entry, bytes);
    entries.push(entry);
    first = lastSeq(entry) + 1;
  }
  return { recent, entries };
}

/** Every position is answered with the entry that holds the next one, as long as it is one of the last `kept`. */
function assertKept({ recent, entries }: ReturnType<typeof filled>, kept: number): void {
  const first = entries[0]?.first ?? 1;
  const head = entries.at(-1);
  const last = head === undefined ? first - 1 : lastSeq(head);
  let index = 0;
  for (let after = first - 3; after <= last + 2; after++) {
    while (index < entries.length && lastSeq(entries[index] ?? assert.fail()) <= after) index++;
    const isKept = after >= first - 1 && index >= entries.length - kept;
    if (recent.after(after) !== (isKept ? entries[index] : undefined)) assert.fail(`after ${after} of ${last}, ${kept} kept`);
  }
}

test('LG6 each position gets the entry that holds the next one, whatever its place in the memory', () => {
  for (const count of [0, 1, 2, 3, 4, 5, 8, 13]) {
    assertKept(filled(1_000, count), count);
    assertKept(filled(1_000, count, { before: 70 }), count);
  }
});

test('LG6 the newest entries are kept up to the bound in bytes, to the byte', () => {
  for (const [bytesMax, kept] of [
    [0, 0],
    [9, 0],
    [10, 1],
    [19, 1],
    [20, 2],
    [39, 3],
    [40, 4],
    [41, 4],
    [120, 12],
    [121, 12],
  ] as const) {
    assertKept(filled(bytesMax, 12), kept);
  }
});

test('LG6 a long life makes no difference: thousands have gone, and the newest are there', () => {
  for (const count of [1_023, 1_024, 1_025, 1_033, 1_034, 1_035, 2_500, 5_000]) assertKept(filled(100, count), 10);
  // So much is kept that the list is not shortened at once.
  assertKept(filled(20_000, 3_500), 2_000);
  assertKept(filled(20_000, 4_500), 2_000);
});

test('LG6 the memory of an entry that gave way is free', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const recent = new RecentEntries(10);
  const push = (n: number): WeakRef<Entry> => {
    const entry = { ...draft(`e${n}`), first: n };
    recent.push(entry, 10);
    return new WeakRef(entry);
  };
  const [first, second] = [push(1), push(2)];
  // A reference that was just made lives until the end of its turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.deepEqual([first.deref(), second.deref()?.id], [undefined, 'e2']);
});
