/** Who changed a user, from where, and which fields. The daemon keeps no values, so none are shown. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import { linkTo } from '../address.ts';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { UserLink } from '../parts/user-link.tsx';
import { rowsOf } from '../talk/api-call.ts';

/** `at`: nanoseconds, as `/api/v2` shows times. */
type ListedChange = Omit<HistoryItem, 'at'> & { readonly at: number };

/** `version`: changes when the user was read anew. */
export function HistorySection({ id, version }: { readonly id: string; readonly version: number }) {
  const before = useSignal<number | undefined>(undefined);
  const older = useSignal<readonly ListedChange[]>([]);
  useEffect(() => {
    before.value = undefined;
    older.value = [];
  }, [version]);
  const page = before.value === undefined ? '' : `&before=${before.value}`;
  const { answer, error, isLoading } = useLoaded(
    { method: 'GET', path: `/api/v2/users/${encodeURIComponent(id)}/history?limit=25${page}` },
    { version },
  );
  const newest = rowsOf<ListedChange>(answer, 'history');
  const all = [...older.value, ...newest.filter(({ seq }) => seq < (older.value.at(-1)?.seq ?? Number.POSITIVE_INFINITY))];
  const next = typeof answer?.next === 'number' ? answer.next : undefined;
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <p role="status" class="hint">
        {isLoading ? 'Reading…' : `${all.length} ${all.length === 1 ? 'change' : 'changes'}, the newest first.`}
      </p>
      <ol class="history">
        {all.map((change) => (
          <Change key={change.seq} change={change} />
        ))}
      </ol>
      {next === undefined || isLoading ? null : (
        <button
          type="button"
          onClick={() => {
            older.value = all;
            before.value = next;
          }}
        >
          Older changes
        </button>
      )}
    </section>
  );
}

function Change({ change }: { readonly change: ListedChange }) {
  const { seq, at, event, source, by, client, job, fields = [] } = change;
  return (
    <li>
      <p>
        <span class={`badge ${event.replace(':', ' ')}`}>{event}</span> <Instant at={at} /> <span class="hint">#{seq}</span>{' '}
        <a class="hint" href={linkTo(['tools', 'why'], { event: String(seq) })}>
          why?<span class="hidden"> Why was the event #{seq} sent, or not</span>
        </a>
      </p>
      {fields.length === 0 ? null : (
        <ul class="diff" aria-label="Fields that changed">
          {fields.map((field) => (
            <li key={field}>
              <Its text={field} />
            </li>
          ))}
        </ul>
      )}
      <p class="hint">
        {source === undefined ? 'origin unknown' : `by ${source === 'daemon' ? 'the daemon itself' : `a ${source} request`}`}
        {by === undefined ? null : (
          <>
            {' of '}
            <UserLink id={by} />
          </>
        )}
        {client === undefined ? null : (
          <>
            {', '}
            <Its text={client} />
          </>
        )}
        {job === undefined ? null : (
          <>
            {', import '}
            <Its text={job} />
          </>
        )}
      </p>
    </li>
  );
}
