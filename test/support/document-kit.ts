/** Documents whose changes carry events. */
import type { DocLookups } from '../../protocol/live/document-events.ts';
import type { Task } from '../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import type { ImportTask } from '../../protocol/transfer/imports.ts';
import { micros, RulesBench } from './rules-bench.ts';

export const START = '2026-11-21T10:00:00Z';

export const AT = micros(START);

export const task = (more: Partial<Task> = {}): Task => ({
  id: 't1',
  kind: EXPORT_TASK,
  status: 'running',
  created_at: AT,
  updated_at: AT + 2_000_000,
  started_at: AT + 1_000_000,
  ...more,
});

export const importTask = (more: Partial<ImportTask> = {}): ImportTask => ({
  id: 'i1',
  path: 'p/users.jsonl',
  mode: 'upsert',
  state: 'importing',
  history: [{ prev_state: '', next_state: 'uploaded', created_at: AT }],
  created_at: AT,
  updated_at: AT,
  ...more,
});

export function lookupsOf(bench: RulesBench): DocLookups {
  return { user: (id) => bench.directory.user(id), online: (id) => id === 'ann', exportUrl: (id) => `https://files/${id}` };
}

export function benchOf(...ids: readonly string[]): RulesBench {
  const bench = new RulesBench();
  bench.upsert(ids.map((id) => ({ id })));
  return bench;
}
