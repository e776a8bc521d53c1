/** The changes of a plan, a page at a time: each field before and after, by kind. */

import { useSignal } from '@preact/signals';
import { Callout, FieldChange, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Pager } from '../parts/pager.tsx';
import { Select } from '../parts/select.tsx';
import { UserLink } from '../parts/user-link.tsx';
import { rowsOf } from '../talk/api-call.ts';
import { COUNT_LABELS, type ShownChange } from './plan-record.ts';

const PER_PAGE = 25;

export function ChangesSection({ id }: { readonly id: string }) {
  const kind = useSignal('');
  /** Where the pages before this one began. */
  const pages = useSignal<readonly number[]>([]);
  const query = new URLSearchParams({ limit: String(PER_PAGE), after: String(pages.value.at(-1) ?? 0) });
  if (kind.value !== '') query.set('kind', kind.value);
  const path = `/api/v2/sync/plans/${encodeURIComponent(id)}/changes?${query}`;
  const { answer, error, isLoading } = useLoaded({ method: 'GET', path });
  const changes = rowsOf<ShownChange>(answer, 'changes');
  const next = typeof answer?.next === 'number' ? answer.next : undefined;
  return (
    <>
      <h2>Changes</h2>
      <Select
        label="Kind"
        value={kind.value}
        choices={[['', 'all'], ...COUNT_LABELS.filter(([, , one]) => one !== '').map(([, label, one]) => [one, label] as const)]}
        onChange={(chosen) => {
          kind.value = chosen;
          pages.value = [];
        }}
      />
      <p role="status" class="hint">
        {isLoading ? 'Loading…' : `Page ${pages.value.length + 1}: ${changes.length} shown${next === undefined ? '' : ', more follow'}.`}
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="cards plan-changes" aria-busy={isLoading} aria-label="Changes of the plan">
        {changes.map((change) => (
          <Change key={`${change.id ?? ''} ${change.line ?? change.error?.line ?? ''}`} change={change} />
        ))}
      </ul>
      <Pager label="Pages of changes" scrolls={false} pages={pages} next={isLoading ? undefined : next} />
    </>
  );
}

function Change({ change: { do: does = 'wrong row', id, line, changes = {}, error } }: { readonly change: ShownChange }) {
  const at = line ?? error?.line;
  const named = id ?? error?.id;
  return (
    <li>
      <p>
        <span class="badge">{does}</span> {named === undefined ? null : <UserLink id={named} />}{' '}
        {at === undefined ? null : <span class="hint">line {at}</span>}
      </p>
      {error === undefined ? null : (
        <p>
          <Its text={error.reason} />
        </p>
      )}
      <dl class="changes">
        {Object.entries(changes).map(([field, [before, after]]) => (
          <FieldChange key={field} field={field} was={before} is={after} />
        ))}
      </dl>
    </li>
  );
}
