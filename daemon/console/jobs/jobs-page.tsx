/** Long work: tasks, exports and imports, with how far each is. */

import { type Signal, useSignal } from '@preact/signals';
import { addressOf } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its, ItsValue } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { asTexts, Select } from '../parts/select.tsx';
import { useTicks } from '../parts/ticks.ts';
import { rowsOf } from '../talk/api-call.ts';
import { useJobEvents } from './job-events.ts';
import {
  importCounts,
  importProgress,
  importsCall,
  isUnderWay,
  JOBS_A_PAGE,
  type JobProgress,
  kindText,
  type ListedImport,
  type ListedTask,
  stateBadge,
  taskOutcome,
  tasksCall,
  wrongRows,
} from './job-list.ts';

/** Most tasks send no events: those under way are looked at this often. */
const LOOK_MS = 2_000;

export function JobsPage() {
  const events = useJobEvents();
  return (
    <>
      <Heading title="Jobs">Jobs</Heading>
      <p>Long work of the daemon. It goes on after a restart, and the lists follow it by themselves.</p>
      <TasksSection events={events} />
      <ImportsSection events={events} />
    </>
  );
}

function TasksSection({ events }: { readonly events: number }) {
  const page = useSignal(0);
  const status = useSignal('');
  const isBusy = useSignal(false);
  const ticks = useTicks(isBusy.value ? LOOK_MS : 5 * LOOK_MS);
  const { answer, error } = useLoaded(tasksCall(page.value, status.value), { version: events + ticks });
  const found = rowsOf<ListedTask>(answer, 'tasks');
  isBusy.value = found.some((task) => isUnderWay(task.status));
  return (
    <section aria-labelledby="tasks">
      <h2 id="tasks">Tasks and exports</h2>
      <Select
        label="Status"
        isNarrow
        value={status.value}
        choices={[['', 'any'], ...asTexts(['waiting', 'running', 'completed', 'failed'])]}
        onChange={(chosen) => {
          status.value = chosen;
          page.value = 0;
        }}
      />
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {answer !== undefined && found.length === 0 ? <p class="none">There is none.</p> : null}
      <ul class="cards">
        {found.slice(0, JOBS_A_PAGE).map((task) => (
          <TaskCard key={task.task_id} task={task} />
        ))}
      </ul>
      <Pages page={page} hasMore={found.length > JOBS_A_PAGE} of="tasks" />
    </section>
  );
}

function TaskCard({ task }: { readonly task: ListedTask }) {
  const { rest, file } = taskOutcome(task, addressOf(location.href));
  return (
    <li>
      <p>
        <strong>{kindText(task.kind)}</strong> <StateBadge state={task.status} />
      </p>
      <ProgressLine progress={task.progress} isUnderWay={isUnderWay(task.status)} name={`${kindText(task.kind)} ${task.task_id}`} />
      <p class="hint">
        <Its text={task.task_id} /> · made <Instant at={task.created_at} /> · last change <Instant at={task.updated_at} />
      </p>
      {task.error === undefined ? null : (
        <Callout kind="error">
          <Its text={`${task.error.type}: ${task.error.description}`} />
        </Callout>
      )}
      {file === undefined ? null : (
        <p>
          <a href={file} download="users.jsonl">
            Download the file<span class="hidden"> of the export {task.task_id}</span>
          </a>
        </p>
      )}
      {Object.keys(rest).length === 0 ? null : (
        <details>
          <summary>Result</summary>
          <ItsValue value={rest} label={`The result of ${task.task_id}`} />
        </details>
      )}
    </li>
  );
}

function ImportsSection({ events }: { readonly events: number }) {
  const page = useSignal(0);
  const isBusy = useSignal(false);
  const ticks = useTicks(isBusy.value ? LOOK_MS : 5 * LOOK_MS);
  const { answer, error } = useLoaded(importsCall(page.value), { version: events + ticks });
  const found = rowsOf<ListedImport>(answer, 'import_tasks');
  isBusy.value = found.some((one) => isUnderWay(one.state));
  return (
    <section aria-labelledby="imports">
      <h2 id="imports">Imports</h2>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {answer !== undefined && found.length === 0 ? <p class="none">There is none.</p> : null}
      <ul class="cards">
        {found.slice(0, JOBS_A_PAGE).map((one) => (
          <ImportCard key={one.id} one={one} />
        ))}
      </ul>
      <Pages page={page} hasMore={found.length > JOBS_A_PAGE} of="imports" />
    </section>
  );
}

function ImportCard({ one }: { readonly one: ListedImport }) {
  const { rows, count } = wrongRows(one);
  const reason = one.result?.reason;
  const counts = importCounts(one);
  return (
    <li>
      <p>
        <strong>
          <Its text={one.path.split('/').at(-1) ?? one.path} />
        </strong>{' '}
        <StateBadge state={one.state} />
      </p>
      <ProgressLine progress={importProgress(one)} isUnderWay={isUnderWay(one.state)} name={`Import ${one.id}`} />
      {counts.length === 0 ? null : <p>{counts.join(', ')}</p>}
      <p class="hint">
        <Its text={one.id} /> · {one.mode} · made <Instant at={one.created_at} /> · last change <Instant at={one.updated_at} />
      </p>
      {one.state === 'analyze_failed' ? <p>The file was looked through first, and nothing of it was imported.</p> : null}
      {typeof reason === 'string' ? (
        <Callout kind="error">
          <Its text={reason} />
        </Callout>
      ) : null}
      {rows.length === 0 ? null : (
        <details>
          <summary>
            {count.toLocaleString('en')} wrong {count === 1 ? 'row' : 'rows'}
            {count > rows.length ? `; the first ${rows.length}` : ''}
          </summary>
          <ul class="wrong-rows">
            {rows.map((row) => (
              <li key={`${row.item} ${row.reason}`}>
                Row {row.item}
                {row.id === undefined ? '' : ', '}
                {row.id === undefined ? null : <Its text={row.id} />}: <Its text={row.reason} /> <span class="hint">(code {row.code})</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function StateBadge({ state }: { readonly state: string }) {
  const tone = state === 'completed' ? 'up' : state.endsWith('failed') ? 'down' : '';
  return <span class={`badge ${tone}`}>{stateBadge(state)}</span>;
}

interface ProgressLineProps {
  readonly progress: JobProgress | undefined;
  readonly isUnderWay: boolean;
  readonly name: string;
}

function ProgressLine({ progress, isUnderWay: isGoing, name }: ProgressLineProps) {
  if (progress === undefined) return null;
  const { done, total } = progress;
  return (
    <p class="progress">
      {isGoing ? <progress value={done} max={Math.max(1, total)} aria-label={name} /> : null} {done.toLocaleString('en')} of{' '}
      {total.toLocaleString('en')}
    </p>
  );
}

function Pages({ page, hasMore, of }: { readonly page: Signal<number>; readonly hasMore: boolean; readonly of: string }) {
  if (page.value === 0 && !hasMore) return null;
  return (
    <div class="buttons">
      <button type="button" disabled={page.value === 0} onClick={() => page.value--}>
        Newer {of}
      </button>
      <button type="button" disabled={!hasMore} onClick={() => page.value++}>
        Older {of}
      </button>
    </div>
  );
}
