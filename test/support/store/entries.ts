/** Entries for tests of the store: small, recognisable, and long enough to cross pages when asked for. */
import { type Entry, type EntryDraft, type Fact, lastSeq } from '../../../protocol/log/entry.ts';
import type { AppendResult, Log } from '../../../store/log.ts';

export function draft(id: string, options: { facts?: number; bytes?: number; time?: number } = {}): EntryDraft {
  const { facts = 1, bytes = 20, time = 1_700_000_000_000_000 } = options;
  const list = Array.from({ length: facts }, (_, index): Fact => {
    const result = { text: `é${'x'.repeat(bytes)}` };
    const doc = { id: `${id}-${index}`, kind: 'test', status: 'waiting', created_at: 0, updated_at: 0, result } as const;
    return { t: 'doc', kind: 'task', id: doc.id, doc };
  });
  return { id, time, facts: list };
}

/** Appends at the head and expects that nobody else does. */
export async function appendOne(log: Log, one: EntryDraft): Promise<Entry> {
  return entryOf(await log.append(log.head.seq, one));
}

export function entryOf(result: AppendResult): Entry {
  if (result.status !== 'appended') throw new Error(`conflict, the head is ${result.head}`);
  return result.entry;
}

/** Appends all, all in flight at once, each naming the head that the one before it will leave. */
export function appendAll(log: Log, drafts: readonly EntryDraft[], after = log.head.seq): Promise<AppendResult>[] {
  let promised = after;
  return drafts.map((one) => {
    const result = log.append(promised, one);
    promised += one.facts.length;
    return result;
  });
}

/** Every entry later than `after` that is durable now. */
export async function readToHead(log: Log, after = log.tail): Promise<Entry[]> {
  const head = log.head.seq;
  const entries: Entry[] = [];
  if (after >= head) return entries;
  const stop = new AbortController();
  for await (const entry of log.read(after, stop.signal)) {
    entries.push(entry);
    if (lastSeq(entry) >= head) stop.abort();
  }
  return entries;
}

/** The `count` entries after `after`, waiting for those that are not there yet. */
export async function readCount(log: Log, after: number, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  const stop = new AbortController();
  for await (const entry of log.read(after, stop.signal)) {
    entries.push(entry);
    if (entries.length >= count) stop.abort();
  }
  return entries;
}
