/**
 * What the store costs: users made durable per second in entries of 100, how long an acknowledgement takes, and what saving and
 * loading a snapshot of 1,000,000 users does to the event loop. Beside it, in turn, a plain `write` + `fdatasync` of the same JSON.
 *
 * Directly: `npx tsx test/bench/journal.ts`. ROSTERD_BENCH_DIR names the disk to measure; the default is the temporary directory.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import type { EntryDraft, UserFact } from '../../protocol/log/entry.ts';
import { openDataDirectory } from '../../store/data-dir.ts';

const USERS_PER_ENTRY = 100;
const ENTRIES = 3_000;
const SINGLES = 100_000;
const ROUNDS = 3;
const SNAPSHOT_USERS = 1_000_000;

export interface Rate {
  readonly usersPerSecond: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
}

export interface JournalBench {
  readonly plain: Rate;
  readonly oneInFlight: Rate;
  readonly eightInFlight: Rate;
  /** 200 in flight, each an entry of one user. */
  readonly singles: Rate;
  /** `delayMs`: event-loop delay beyond the timer's own millisecond. */
  readonly snapshotSave: { readonly seconds: number; readonly bytes: number; readonly delayP99Ms: number; readonly delayMaxMs: number };
  readonly snapshotLoad: { readonly seconds: number; readonly delayP99Ms: number; readonly delayMaxMs: number };
  readonly reopenSeconds: number;
}

/** One user as it lies in the log, about 380 bytes of JSON. */
function user(index: number): UserFact['user'] {
  return {
    id: `user-${index}`,
    rev: index + 1,
    name: `Some Name ${index}`,
    image: `https://cdn.example.com/avatars/${index}.jpg`,
    role: 'user',
    teams: ['red', 'blue'],
    custom: { birthland: 'Corellia', score: index % 1000, tags: ['a', 'b'], bio: 'x'.repeat(80) },
    created_at: 1_700_000_000_000_000,
    updated_at: 1_700_000_000_000_000 + index,
    last_active: 1_700_000_000_000_000,
  };
}

function draft(index: number, users: number): EntryDraft {
  const facts = Array.from({ length: users }, (_, i): UserFact => ({ t: 'user', event: 'updated', user: user(index * users + i) }));
  return { id: `entry-${index}`, time: Date.now() * 1000, facts };
}

function rate(users: number, seconds: number, acks: readonly number[]): Rate {
  const sorted = [...acks].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  return { usersPerSecond: Math.round(users / seconds), ackP50Ms: at(0.5), ackP99Ms: at(0.99) };
}

/** `store` is called with at most `inFlight` calls at a time. */
async function measure(drafts: readonly EntryDraft[], inFlight: number, store: (draft: EntryDraft) => Promise<unknown>): Promise<Rate> {
  const acks: number[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let one = drafts[next++]; one !== undefined; one = drafts[next++]) {
      const start = performance.now();
      await store(one);
      acks.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const users = drafts.reduce((sum, one) => sum + one.facts.length, 0);
  return rate(users, (performance.now() - start) / 1000, acks);
}

async function measurePlain(drafts: readonly EntryDraft[], directory: string): Promise<Rate> {
  const file = await open(join(directory, 'plain'), 'w');
  try {
    return await measure(drafts, 1, async (one) => {
      await file.write(`${JSON.stringify(one)}\n`);
      await file.datasync();
    });
  } finally {
    await file.close();
    await rm(join(directory, 'plain'));
  }
}

async function measureJournal(drafts: readonly EntryDraft[], inFlight: number, directory: string): Promise<Rate> {
  const place = join(directory, 'data');
  const data = await openDataDirectory(place);
  try {
    let after = 0;
    return await measure(drafts, inFlight, async (one) => {
      const promised = after;
      after += one.facts.length;
      const result = await data.log.append(promised, one);
      if (result.status !== 'appended') throw new Error('nobody else writes here');
    });
  } finally {
    await data.close();
    await rm(place, { recursive: true });
  }
}

async function measureReopen(drafts: readonly EntryDraft[], directory: string): Promise<number> {
  const place = join(directory, 'data');
  const data = await openDataDirectory(place);
  let after = 0;
  await measure(drafts, 8, (one) => {
    after += one.facts.length;
    return data.log.append(after - one.facts.length, one);
  });
  await data.close();
  const start = performance.now();
  await (await openDataDirectory(place)).close();
  await rm(place, { recursive: true });
  return (performance.now() - start) / 1000;
}

async function withDelay<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; seconds: number; delayP99Ms: number; delayMaxMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  delay.disable();
  return { result, seconds, delayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - 1), delayMaxMs: Math.max(0, delay.max / 1e6 - 1) };
}

async function measureSnapshot(directory: string): Promise<Pick<JournalBench, 'snapshotSave' | 'snapshotLoad'>> {
  const place = join(directory, 'data');
  const data = await openDataDirectory(place);
  const users = Array.from({ length: SNAPSHOT_USERS }, (_, index) => user(index));
  const save = await withDelay(() => data.snapshots.save({ position: data.log.head, lines: () => users }));
  users.length = 0;
  await data.close();
  const again = await openDataDirectory(place);
  const load = await withDelay(async () => {
    let lines = 0;
    const loaded = await again.snapshots.load();
    for await (const chunk of loaded?.chunks() ?? []) lines += chunk.length;
    if (lines !== SNAPSHOT_USERS) throw new Error(`loaded ${lines} lines`);
  });
  await again.close();
  await rm(place, { recursive: true });
  const { result, ...saved } = save;
  const { seconds, delayP99Ms, delayMaxMs } = load;
  return { snapshotSave: { ...saved, bytes: result.bytes }, snapshotLoad: { seconds, delayP99Ms, delayMaxMs } };
}

function median(rates: readonly Rate[]): Rate {
  const sorted = [...rates].sort((a, b) => a.usersPerSecond - b.usersPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('nothing was measured');
  return middle;
}

function show(name: string, { usersPerSecond, ackP50Ms, ackP99Ms }: Rate): void {
  console.log(
    `${name.padEnd(35)} ${String(usersPerSecond).padStart(8)} users/s   ack p50 ${ackP50Ms.toFixed(2)} ms, p99 ${ackP99Ms.toFixed(2)} ms`,
  );
}

/** Runs everything, prints it, and returns the medians. Takes about half a minute and 1 GB of disk. */
export async function journalBench(): Promise<JournalBench> {
  const directory = await mkdtemp(join(process.env.ROSTERD_BENCH_DIR ?? tmpdir(), 'rosterd-bench-'));
  try {
    const drafts = Array.from({ length: ENTRIES }, (_, index) => draft(index, USERS_PER_ENTRY));
    const singles = Array.from({ length: SINGLES }, (_, index) => draft(index, 1));
    const plain: Rate[] = [];
    const one: Rate[] = [];
    const eight: Rate[] = [];
    const single: Rate[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      plain.push(await measurePlain(drafts, directory));
      one.push(await measureJournal(drafts, 1, directory));
      eight.push(await measureJournal(drafts, 8, directory));
      single.push(await measureJournal(singles, 200, directory));
    }
    const rates = { plain: median(plain), oneInFlight: median(one), eightInFlight: median(eight), singles: median(single) };
    show('plain write + fdatasync', rates.plain);
    show('journal, 1 in flight', rates.oneInFlight);
    show('journal, 8 in flight', rates.eightInFlight);
    show('journal, 200 of one user in flight', rates.singles);
    const reopenSeconds = await measureReopen(drafts, directory);
    console.log(`reopening a journal of ${ENTRIES * USERS_PER_ENTRY} users: ${reopenSeconds.toFixed(2)} s`);
    drafts.length = 0;
    singles.length = 0;
    const snapshot = await measureSnapshot(directory);
    const { snapshotSave: save, snapshotLoad: load } = snapshot;
    const megabytes = (save.bytes / 1e6).toFixed(0);
    console.log(
      `snapshot of ${SNAPSHOT_USERS} users, ${megabytes} MB: saved in ${save.seconds.toFixed(2)} s, event loop p99 ${save.delayP99Ms.toFixed(1)} ms, max ${save.delayMaxMs.toFixed(1)} ms`,
    );
    console.log(
      `snapshot loaded in ${load.seconds.toFixed(2)} s, event loop p99 ${load.delayP99Ms.toFixed(1)} ms, max ${load.delayMaxMs.toFixed(1)} ms`,
    );
    return { ...rates, ...snapshot, reopenSeconds };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await journalBench();
