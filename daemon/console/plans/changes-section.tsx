/** The changes of a plan, a page at a time: each field before and after, by kind. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Callout, Its, ItsValue } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { COUNT_LABELS, type ShownChange } from './plan-record.ts';

const PER_PAGE = 25;

export function ChangesSection({ id }: { readonly id: string }) {
  const kind = useSignal('');
  /** Where the pages before this one began. */
  const pages = useSignal<readonly number[]>([0]);
  const query = new URLSearchParams({ limit: String(PER_PAGE), after: String(pages.value.at(-1) ?? 0) });
  if (kind.value !== '') query.set('kind', kind.value);
  const path = `/api/v2/sync/plans/${encodeURIComponent(id)}/changes?${query}`;
  const { answer, error, isLoading } = useLoaded({ method: 'GET', path });
  const changes = Array.isArray(answer?.changes) ? (answer.changes as readonly ShownChange[]) : [];
  const next = answer?.next;
  return (
    <>
      <h2>Changes</h2>
      <label>
        Kind
        <select
          value={kind.value}
          onChange={(event) => {
            kind.value = event.currentTarget.value;
            pages.value = [0];
          }}
        >
          <option value="">all</option>
          {COUNT_LABELS.filter(([, , one]) => one !== '').map(([, label, one]) => (
            <option key={one} value={one}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <p role="status" class="hint">
        {isLoading ? 'Loading…' : `Page ${pages.value.length}: ${changes.length} shown${typeof next === 'number' ? ', more follow' : ''}.`}
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="cards plan-changes" aria-busy={isLoading} aria-label="Changes of the plan">
        {changes.map((change) => (
          <Change key={`${change.id ?? ''} ${change.line ?? change.error?.line ?? ''}`} change={change} />
        ))}
      </ul>
      <nav class="buttons" aria-label="Pages of changes">
        <button
          type="button"
          disabled={pages.value.length === 1}
          onClick={() => {
            pages.value = pages.value.slice(0, -1);
          }}
        >
          Previous page
        </button>
        <button
          type="button"
          disabled={typeof next !== 'number' || isLoading}
          onClick={() => {
            pages.value = [...pages.value, Number(next)];
          }}
        >
          Next page
        </button>
      </nav>
    </>
  );
}

function Change({ change: { do: does = 'wrong row', id, line, changes = {}, error } }: { readonly change: ShownChange }) {
  const at = line ?? error?.line;
  const named = id ?? error?.id;
  return (
    <li>
      <p>
        <span class="badge">{does}</span>{' '}
        {named === undefined ? null : (
          <a href={linkTo(['users', named])}>
            <Its text={named} />
          </a>
        )}{' '}
        {at === undefined ? null : <span class="hint">line {at}</span>}
      </p>
      {error === undefined ? null : (
        <p>
          <Its text={error.reason} />
        </p>
      )}
      <dl class="changes">
        {Object.entries(changes).map(([field, [before, after]]) => (
          <div key={field}>
            <dt>
              <Its text={field} />
            </dt>
            <dd class="was">
              <span class="hint">before </span>
              <ItsValue value={before} label={`${field} before`} />
            </dd>
            <dd class="is">
              <span class="hint">after </span>
              <ItsValue value={after} label={`${field} after`} />
            </dd>
          </div>
        ))}
      </dl>
    </li>
  );
}
