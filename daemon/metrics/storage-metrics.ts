/** Storage: how fast it is, whether it takes writes, and how much room there is. */
import type { Durations } from '../base/durations.ts';
import { freeBytes } from '../base/free-bytes.ts';
import type { Roster } from '../pipeline/roster.ts';
import type { NodeCondition } from '../pipeline/write/node-condition.ts';
import { counter, gauge, type MetricSpec, times } from './metric-spec.ts';

export interface StorageSources {
  readonly roster: Pick<Roster, 'counts' | 'isFull' | 'ready' | 'position'>;
  readonly condition: Pick<NodeCondition, 'writeTrouble'>;
  readonly appends: Durations;
  /** What the journal in the data directory holds; undefined where the log is in a database. Times in microseconds. */
  readonly journal: { readonly extent: { readonly bytes: number; readonly oldest: number | undefined } } | undefined;
  readonly dataDirectory: string;
  readonly backups: { readonly lastMs: number | undefined };
  /** The end of the log that nodes share, as this one knows it; undefined where it is alone. */
  readonly sharedHead: (() => number) | undefined;
}

export const STORAGE_METRICS: readonly MetricSpec<StorageSources>[] = [
  times(
    'journal_append_duration_seconds',
    '',
    'Time until a group of entries was durable: written and synced to the journal, or committed by the database.',
    ({ appends }) => appends,
  ),
  gauge(
    'journal_bytes',
    '',
    'Size of the journal. Absent where nodes share a database, like the next one.',
    ({ journal }) => journal?.extent.bytes,
  ),
  gauge('journal_oldest_entry_timestamp_seconds', '', 'Time of the oldest entry in the journal.', ({ journal }) => {
    const oldest = journal?.extent.oldest;
    return oldest === undefined ? undefined : oldest / 1e6;
  }),
  gauge('data_free_bytes', '', 'Space on the disk of the data directory that this user may fill.', ({ dataDirectory }) =>
    freeBytes(dataDirectory),
  ),
  gauge('writable', '', '1 while changes can be stored, as /readyz?need=write says; otherwise 0.', async ({ roster, condition }) =>
    roster.ready && (await condition.writeTrouble()) === undefined ? 1 : 0,
  ),
  gauge(
    'heap_full',
    '',
    '1 while no users are added because the heap of Node, or the memory, is nearly full; otherwise 0.',
    ({ roster }) => (roster.isFull ? 1 : 0),
  ),
  gauge('snapshot_last_success_timestamp_seconds', '', 'When this process last saved a snapshot; 0: not yet.', ({ roster }) =>
    secondsOf(roster.counts.snapshots.savedMs),
  ),
  gauge(
    'backup_last_success_timestamp_seconds',
    '',
    'When a backup was last read from this process to its end; 0: not yet.',
    ({ backups }) => secondsOf(backups.lastMs),
  ),
  gauge(
    'cluster_log_lag_entries',
    '',
    'Positions that this node has yet to apply. Only where nodes share a database, like the next one.',
    ({ sharedHead, roster }) => (sharedHead === undefined ? undefined : Math.max(0, sharedHead() - roster.position.seq)),
  ),
  counter(
    'cluster_append_conflicts_total',
    '',
    'Batches that were decided again, since another node was first.',
    ({ sharedHead, roster }) => (sharedHead === undefined ? undefined : roster.counts.writes.conflicts),
  ),
];

function secondsOf(ms: number | undefined): number {
  return (ms ?? 0) / 1_000;
}
