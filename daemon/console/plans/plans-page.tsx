/** The sync plans, and the way to a new one: upload a file, see its columns, choose, plan. */

import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { api, errorReason } from '../talk/api.ts';
import { rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { NewPlan, type Uploaded } from './new-plan.tsx';
import type { PlanRecord } from './plan-record.ts';

export function PlansPage() {
  const { answer, error } = useLoaded({ method: 'GET', path: '/api/v2/sync/plans' });
  const plans = rowsOf<PlanRecord>(answer, 'sync_plans');
  const uploaded = useSignal<Uploaded | undefined>(undefined);
  return (
    <>
      <Heading title="Sync plans">Sync plans</Heading>
      <p>
        A plan shows what a file of users would change, before anything is changed. A second person approves it, signed in by another link;
        then it can be applied.
      </p>
      {mayOperate() ? (
        uploaded.value === undefined ? (
          <Upload
            onDone={(done) => {
              uploaded.value = done;
            }}
          />
        ) : (
          <NewPlan
            uploaded={uploaded.value}
            onCancel={() => {
              uploaded.value = undefined;
            }}
          />
        )
      ) : (
        <Callout kind="hint">You are signed in to look only.</Callout>
      )}
      <h2>Plans</h2>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {answer !== undefined && plans.length === 0 ? <p class="hint">There is no plan yet.</p> : null}
      <ul class="cards">
        {plans.map(({ id, source, state, created_at }) => (
          <li key={id}>
            <p>
              <a href={linkTo(['plans', id])}>
                <Its text={source} />
              </a>{' '}
              <span class="badge">{state}</span>
            </p>
            <p class="hint">
              proposed <Instant at={created_at} />
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

function Upload({ onDone }: { readonly onDone: (uploaded: Uploaded) => void }) {
  const said = useSignal('');
  const error = useSignal('');
  const send = async (file: File): Promise<void> => {
    error.value = '';
    said.value = 'Uploading…';
    try {
      const path = `/api/v2/sync/sources?filename=${encodeURIComponent(file.name)}`;
      const sent = await api({ method: 'POST', path, file });
      const seen = await api({ method: 'GET', path: `/api/v2/sync/sources?path=${encodeURIComponent(String(sent.path))}` });
      onDone({ path: String(sent.path), name: file.name, seen });
    } catch (thrown) {
      error.value = errorReason(thrown);
    }
    said.value = '';
  };
  return (
    <section aria-label="New plan">
      <label>
        New plan of a file (CSV with a header, JSON or NDJSON, up to 64 MiB)
        <input
          type="file"
          accept=".csv,.json,.ndjson,.jsonl,text/csv"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) void send(file);
          }}
        />
      </label>
      <p role="status" class="hint">
        {said.value}
      </p>
      {error.value === '' ? null : <Callout kind="error">{error.value}</Callout>}
    </section>
  );
}
