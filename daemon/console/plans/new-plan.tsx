/** A new plan: what the file holds, which column fills which field, and what becomes of users that are not in it. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { CallButtons } from '../parts/call-buttons.tsx';
import { Its } from '../parts/its.tsx';
import { asTexts, Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { useWork } from '../parts/work.ts';
import { api } from '../talk/api.ts';
import type { JsonRecord } from '../talk/api-call.ts';
import { createCall, type PlanForm, planOfAnswer } from './plan-record.ts';

export interface Uploaded {
  readonly path: string;
  readonly name: string;
  /** What the daemon sees in it: `columns`, `rows`, `map`. */
  readonly seen: JsonRecord;
}

const MISSING = [
  ['ignore', 'stay as they are'],
  ['deactivate', 'are deactivated'],
  ['soft-delete', 'are soft-deleted, and can be restored'],
  ['hard-delete', 'are deleted for good'],
] as const;
const RETURNING = [
  ['leave', 'stay out'],
  ['reactivate', 'are reactivated'],
  ['restore', 'are reactivated or restored'],
] as const;
const FIELDS = ['id', 'name', 'image', 'role', 'language', 'teams'];

export function NewPlan({ uploaded: { path, name, seen }, onCancel }: { readonly uploaded: Uploaded; readonly onCancel: () => void }) {
  const columns = Array.isArray(seen.columns) ? seen.columns.map(String) : [];
  const rows = Array.isArray(seen.rows) ? (seen.rows as readonly (readonly unknown[])[]) : [];
  const form = useSignal<PlanForm>({
    ...{ map: seen.map as Readonly<Record<string, string>>, missing: 'ignore', maxMissing: '10', maxMissingCount: '', maxErrors: '10' },
    ...{ returning: 'leave', team: '' },
  });
  const { error, isBusy, begin } = useWork();
  const isTable = seen.format === 'csv';
  const call = createCall(path, form.value, isTable);
  const change = (changed: Partial<PlanForm>): void => {
    form.value = { ...form.value, ...changed };
  };
  const plan = (): void =>
    begin(async () => {
      const made = planOfAnswer(await api(call));
      if (made !== undefined) location.hash = linkTo(['plans', made.id]);
    });
  return (
    <section aria-label="New plan">
      <h2>
        New plan of <Its text={name} />
      </h2>
      <FirstRows columns={columns} rows={rows} />
      {isTable ? <MapFields columns={columns} map={form.value.map} onChange={(map) => change({ map })} /> : null}
      <Choices form={form.value} change={change} />
      <CallButtons call={call} error={error} onCancel={onCancel}>
        <button type="button" class="main" disabled={isBusy} onClick={plan}>
          Make the plan
        </button>
      </CallButtons>
    </section>
  );
}

function FirstRows({ columns, rows }: { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable with the keyboard
    <section class="box" tabIndex={0} aria-label="The first rows">
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                <Its text={column} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={String(index)}>
              {columns.map((column, at) => (
                <td key={column}>
                  {typeof row[at] === 'string' && row[at] !== '' ? <Its text={row[at]} /> : <span class="none">none</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface MapFieldsProps {
  readonly columns: readonly string[];
  readonly map: Readonly<Record<string, string>>;
  readonly onChange: (map: Readonly<Record<string, string>>) => void;
}

function MapFields({ columns, map, onChange }: MapFieldsProps) {
  const custom = Object.keys(map).filter((field) => !FIELDS.includes(field));
  return (
    <fieldset class="plan-map">
      <legend>Which column fills which field of a user</legend>
      {[...FIELDS, ...custom].map((field) => (
        <Select
          key={field}
          label={<Its text={field.startsWith('custom.') ? `${field.slice(7)} (custom data)` : field} />}
          value={map[field] ?? ''}
          choices={[['', withoutColumn(field)], ...asTexts(columns)]}
          onChange={(column) => onChange({ ...map, [field]: column })}
        />
      ))}
    </fieldset>
  );
}

/** As an upsert: what belongs to the profile is replaced as a whole, and everything else stays when it is not sent. */
function withoutColumn(field: string): string {
  if (field === 'id') return 'choose the id';
  return field === 'name' || field === 'image' || field.startsWith('custom.')
    ? 'no column: removed from users'
    : 'no column: stays as it is';
}

function Choices({ form, change }: { readonly form: PlanForm; readonly change: (changed: Partial<PlanForm>) => void }) {
  const field = (key: 'maxMissing' | 'maxMissingCount' | 'maxErrors' | 'team', label: string, keys: 'decimal' | 'text' = 'decimal') => (
    <TextField label={label} value={form[key]} keys={keys} onInput={(typed) => change({ [key]: typed })} />
  );
  return (
    <div class="plan-map">
      <Select label="Users that are not in the file" value={form.missing} choices={MISSING} onChange={(missing) => change({ missing })} />
      {form.missing === 'ignore' ? null : field('maxMissing', 'Refuse when more than so many percent are missing')}
      {form.missing === 'ignore'
        ? null
        : field(
            'maxMissingCount',
            form.missing === 'hard-delete' ? 'Remove at most so many users (needed)' : 'Remove at most so many users (empty: 500)',
          )}
      {field('maxErrors', 'Refuse when more than so many percent of the rows are wrong')}
      <Select
        label="Users of the file that an earlier sync took out"
        value={form.returning}
        choices={RETURNING}
        onChange={(returning) => change({ returning })}
      />
      {field('team', 'Only users of this team (empty: everyone)', 'text')}
    </div>
  );
}
