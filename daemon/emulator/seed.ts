/**
 * Brings users into an emulated application, from every form that `rosterd sync` reads. They are written as an import writes them, without
 * a request, so that faults do not touch them.
 *
 * It keeps EM7 (README.md).
 */
import { Readable } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import type { CommandIo } from '../cli/io.ts';
import { mappingOf, openFileSource } from '../cli/sync/sources/open-source.ts';
import type { ImportItem } from '../jobs/transfer/import-item.ts';
import { createInsideSender } from '../jobs/transfer/inside-sender.ts';
import type { Roster } from '../pipeline/roster.ts';
import type { ReportEntry } from '../sync/report.ts';
import type { RowError, ValueRow } from '../sync/rows.ts';
import { decodeSent, invalidUser, rowCheck } from '../sync/source-user.ts';
import type { Format, OpenedSource } from '../sync/sources/opened-source.ts';
import { type SyncSummary, syncUsers } from '../sync/sync-users.ts';

const CONCURRENCY = 4;
const RETRY_FOR_MS = 10_000;
/** Problems that an answer names. */
const PROBLEMS_MAX = 20;

export interface Seeded {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly failed: number;
  /** Why users failed, the first of them. */
  readonly problems: readonly string[];
}

/** Reads a file, as `rosterd sync` does. Rejects with ConfigError when it cannot be read. */
export async function seedFile(roster: Roster, file: string, io: Pick<CommandIo, 'stdin' | 'cwd'>): Promise<Seeded> {
  return await seedFrom(roster, (stop) => openFileSource(file, undefined, io, stop));
}

/** The same for a text. */
export async function seedText(roster: Roster, text: string, format: Format): Promise<Seeded> {
  const stdin = Readable.from([Buffer.from(text)], { objectMode: false });
  const io = { stdin, cwd: '/' };
  return await seedFrom(roster, (stop) => openFileSource('-', format, io, stop));
}

async function seedFrom(roster: Roster, open: (stop: AbortSignal) => Promise<OpenedSource>): Promise<Seeded> {
  const source = await open(new AbortController().signal);
  const problems: string[] = [];
  const add = async (entries: readonly ReportEntry[]): Promise<void> => {
    for (const entry of entries) if ('reason' in entry && problems.length < PROBLEMS_MAX) problems.push(problemOf(entry));
  };
  try {
    const check = rowCheck(mappingOf(source));
    const summary = await syncUsers<ImportItem>(
      { concurrency: CONCURRENCY, retryForMs: RETRY_FOR_MS },
      {
        source: source.chunks,
        check: (row) => itemOf(row, check),
        send: createInsideSender(roster, {}, 'seed'),
        clock: systemClock,
        random: Math.random,
        report: { isFull: false, add },
      },
    );
    return seeded(summary, problems);
  } finally {
    await source.close();
  }
}

/** The user as the directory takes it. */
function itemOf(row: ValueRow, check: ReturnType<typeof rowCheck>): ImportItem | RowError {
  const checked = check(row);
  if (!('json' in checked)) return checked;
  const problems: string[] = [];
  const user = decodeSent(JSON.parse(checked.json), problems);
  if (user === undefined) return invalidUser(row.line, checked.id, problems);
  return { line: checked.line, id: checked.id, bytes: checked.bytes, userId: checked.id, user };
}

function problemOf(entry: Extract<ReportEntry, { readonly reason: string }>): string {
  const place = 'line' in entry ? `line ${entry.line}` : 'the source';
  return `${place}${'id' in entry && entry.id !== undefined ? ` (${entry.id})` : ''}: ${entry.reason}`;
}

function seeded({ counts, problem }: SyncSummary, problems: readonly string[]): Seeded {
  const { created, updated, unchanged, failed } = counts;
  return { created, updated, unchanged, failed, problems: problem === undefined ? problems : [problem, ...problems] };
}
