/** The directory, and the writes to it. */
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import type { Roster } from '../pipeline/roster.ts';
import { by, counter, gauge, type MetricLabels, type MetricSpec } from './metric-spec.ts';

export interface DirectorySources {
  readonly version: string;
  readonly roster: Pick<Roster, 'directory' | 'counts' | 'position'>;
}

const TASK_KINDS = [EXPORT_TASK, 'delete_users', 'deactivate_users', 'reactivate_users', 'import'] as const;
const TASK_STATES = ['waiting', 'running', 'completed', 'failed'] as const;
type TaskState = (typeof TASK_STATES)[number];

export const DIRECTORY_METRICS: readonly MetricSpec<DirectorySources>[] = [
  gauge('users', 'state', 'Users, by state; deleted: those whose id is still taken.', ({ roster }) => {
    const { alive, deactivated, deleted } = roster.directory.states;
    return by('state', Object.entries({ active: alive - deactivated, deactivated, deleted }));
  }),
  counter(
    'changes_total',
    'result',
    'Users in writes that were carried out, by what became of them; and commands that were refused, or could not be stored (unavailable).',
    ({ roster }) => by('result', Object.entries(roster.counts.writes.results)),
  ),
  gauge('sequencer_queue_length', '', 'Commands that wait to be decided.', ({ roster }) => roster.counts.writes.queued),
  gauge('log_position', '', 'Position of the log that this node has applied.', ({ roster }) => roster.position.seq),
  gauge('tasks', 'kind state', 'Tasks and imports that can still be asked for.', ({ roster }) => taskCounts(roster)),
  gauge('build_info', 'version', 'Always 1.', ({ version }) => by('version', [[version, 1]])),
];

function taskCounts({ directory }: DirectorySources['roster']): Iterable<readonly [MetricLabels, number]> {
  const counts = new Map(TASK_KINDS.flatMap((kind) => TASK_STATES.map((state) => [`${kind} ${state}`, 0])));
  const add = (kind: string, state: TaskState): void => {
    const key = `${kind} ${state}`;
    const count = counts.get(key);
    if (count !== undefined) counts.set(key, count + 1);
  };
  for (const { kind, status } of directory.docs.all('task')) add(kind, status === 'pending' ? 'waiting' : status);
  for (const { state } of directory.docs.all('import')) add('import', importState(state));
  return [...counts].map(([key, count]) => {
    const [kind = '', state = ''] = key.split(' ');
    return [{ kind, state }, count];
  });
}

function importState(state: string): TaskState {
  if (state === 'completed') return 'completed';
  if (state.endsWith('_failed')) return 'failed';
  return state === 'uploaded' ? 'waiting' : 'running';
}
