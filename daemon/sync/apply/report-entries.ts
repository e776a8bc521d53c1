/** What became of a batch, as counts and as lines of the report, in the order of the plan. */
import type { Delivery } from '../deliverer.ts';
import type { Removal } from '../plan/plan-lines.ts';
import type { Failure } from '../source.ts';
import type { ApplyTotals, ReportEntry } from './apply-types.ts';
import type { RemovalBatch, WriteBatch } from './plan-batches.ts';
import type { Removed } from './remover.ts';

const REMOVED: Readonly<Record<Removal, 'deactivated' | 'soft_deleted' | 'hard_deleted'>> = {
  deactivate: 'deactivated',
  'soft-delete': 'soft_deleted',
  'hard-delete': 'hard_deleted',
};

/** The daemon's code for a user that was deleted. */
const NOT_FOUND = 16;

/** Adds to `counts`. */
export function writeEntries({ users, fields, errors }: WriteBatch, delivery: Delivery, counts: ApplyTotals): ReportEntry[] {
  const results = new Map<string, 'created' | 'updated' | 'unchanged' | 'sent'>();
  for (const result of ['created', 'updated', 'unchanged', 'sent'] as const) for (const id of delivery[result]) results.set(id, result);
  const refused = new Map(delivery.failures.map((failure) => [failure.id, failure]));
  const entries: ReportEntry[] = errors.map((error) => ({ ...error, result: 'error' }));
  for (const { id, rev } of users) {
    const failure = refused.get(id);
    const result = results.get(id);
    if (failure !== undefined) {
      // Somebody deleted it: like a newer state, that is left as it is.
      const isDeleted = failure.code === NOT_FOUND && rev !== undefined && rev > 0;
      entries.push(refusedEntry(id, failure, isDeleted || failure.isPrecondition === true, counts));
    } else if (result !== undefined) {
      counts[result]++;
      const named = fields.get(id);
      if (result !== 'unchanged') entries.push({ id, result, ...(named === undefined ? undefined : { fields: named }) });
    }
  }
  return entries;
}

/** Adds to `counts`. */
export function removalEntries({ removal, users }: RemovalBatch, removed: Removed, counts: ApplyTotals): ReportEntry[] {
  const [done, sent] = [new Set(removed.done), new Set(removed.sent)];
  const refused = new Map(removed.failures.map((failure) => [failure.id, failure]));
  const entries: ReportEntry[] = [];
  for (const { id } of users) {
    const failure = refused.get(id);
    const result = done.has(id) ? REMOVED[removal] : sent.has(id) ? 'sent' : 'unchanged';
    if (failure !== undefined) entries.push(refusedEntry(id, failure, failure.isPrecondition === true, counts));
    else {
      counts[result]++;
      if (result !== 'unchanged') entries.push({ id, result });
    }
  }
  return entries;
}

function refusedEntry(id: string, { line, code, reason }: Failure, isKept: boolean, counts: ApplyTotals): ReportEntry {
  counts[isKept ? 'changed_meanwhile' : 'failed']++;
  return isKept ? { id, result: 'changed_meanwhile', line, reason } : { id, result: 'failed', line, code, reason };
}
