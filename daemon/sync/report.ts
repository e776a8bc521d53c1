/** The report of a run: the outcome of each user, one per line, in the order in which the users were sent. */
import type { SyncCounts, SyncTotals } from './counts.ts';
import type { RowError } from './rows.ts';
import type { BatchUser, RefusedUser } from './settle-batch.ts';
import type { Upserted } from './upserter.ts';

/** One line of the report. Users that were already as wanted have none. */
export type ReportEntry =
  | {
      readonly id: string;
      readonly result: Exclude<keyof SyncCounts, 'unchanged' | 'failed' | 'changed_meanwhile'>;
      /** Fields that changed, where the plan names them. */
      readonly fields?: readonly string[];
    }
  | { readonly id: string; readonly result: 'failed'; readonly line: number; readonly code: number | string; readonly reason: string }
  | { readonly id: string; readonly result: 'changed_meanwhile'; readonly line: number; readonly reason: string }
  /** A row of the source without a user that could be sent. */
  | (RowError & { readonly result: 'error' })
  /** The run ended before it was sent, or before an answer said what became of it. */
  | (RowError & { readonly result: 'not_applied'; readonly code: 'not_sent' | 'outcome_unknown' })
  /** Stands for all users from this line of the source on, which were not read. */
  | { readonly from_line: number; readonly result: 'not_applied'; readonly code: 'not_read'; readonly reason: string }
  /** Stands for all users from this line of the plan on. */
  | { readonly from_plan_line: number; readonly result: 'not_applied' | 'held_back'; readonly reason: string };

/** The destination of the lines. */
export interface Report {
  /** False: the report takes only users that were not applied, so the other lines need not be made. */
  readonly isFull: boolean;
  /** Resolves when the lines are handed to the system; wait for it before adding more. Rejects when they cannot be written. */
  add(entries: readonly ReportEntry[]): Promise<void>;
}

/** The daemon's code for a user that was deleted. */
const NOT_FOUND = 16;

export interface WrittenBatch {
  readonly users: readonly { readonly id: string; readonly rev?: number }[];
  readonly errors: readonly RowError[];
  /** Fields that differ, by user. */
  readonly fields?: ReadonlyMap<string, readonly string[]>;
}

/** Report lines for a batch of users to write, in its order. Adds to `counts`, except for errors in the source. */
export function upsertEntries(
  { users, errors, fields }: WrittenBatch,
  done: Omit<Upserted<RefusedUser>, 'notSent' | 'inDoubt'>,
  counts: SyncTotals,
  isFull: boolean,
): ReportEntry[] {
  const results = new Map<string, (typeof RESULTS)[number]>();
  for (const result of RESULTS) {
    counts[result] += done[result].length;
    if (isFull) for (const id of done[result]) results.set(id, result);
  }
  counts.unchanged += done.unchanged.length;
  const entries: ReportEntry[] = errors.map((error) => ({ ...error, result: 'error' }));
  if (done.refused.length === 0 && !isFull) return entries;
  const refused = new Map(done.refused.map((user) => [user.id, user]));
  for (const { id, rev = 0 } of users) {
    const user = refused.get(id);
    const result = results.get(id);
    const named = fields?.get(id);
    // Somebody deleted the user: like a newer state, this is left as it is.
    if (user !== undefined) entries.push(refusedEntry(user, counts, user.code === NOT_FOUND && rev > 0));
    else if (result !== undefined) entries.push({ id, result, ...(named === undefined ? undefined : { fields: named }) });
  }
  return entries;
}

/** The line for a user that may be stored, since it was sent, and no answer says what became of it. */
export function inDoubtEntry({ line, id }: BatchUser): ReportEntry {
  const reason = 'the run ended before an answer said what became of the user, which may be stored';
  return { line, id, result: 'not_applied', code: 'outcome_unknown', reason };
}

const RESULTS = ['created', 'updated', 'reactivated', 'restored', 'sent'] as const;

/** Adds to `counts`. */
export function refusedEntry({ id, line, code, reason, isPrecondition }: RefusedUser, counts: SyncTotals, isGone = false): ReportEntry {
  const isKept = isGone || isPrecondition === true;
  counts[isKept ? 'changed_meanwhile' : 'failed']++;
  return isKept ? { id, result: 'changed_meanwhile', line, reason } : { id, result: 'failed', line, code, reason };
}
