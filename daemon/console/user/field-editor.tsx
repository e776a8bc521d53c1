/** A record, field by field. A value of custom data is written in JSON. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { Its } from '../parts/its.tsx';
import type { EditedUser } from './changes.ts';

export interface FieldEditorProps {
  readonly edited: EditedUser;
  readonly onChange: (edited: EditedUser) => void;
}

const TEXTS = [
  ['name', 'Name'],
  ['image', 'Image (URL)'],
  ['role', 'Role'],
  ['language', 'Language'],
] as const;

export function FieldEditor({ edited, onChange }: FieldEditorProps) {
  const teams = Array.isArray(edited.teams) ? edited.teams.join(', ') : '';
  return (
    <div class="fields">
      {TEXTS.map(([field, label]) => (
        <label key={field}>
          {label}
          <input
            type="text"
            dir="auto"
            value={typeof edited[field] === 'string' ? edited[field] : ''}
            onInput={(event) => onChange(withField(edited, field, event.currentTarget.value || undefined))}
          />
        </label>
      ))}
      <label>
        Teams, with commas
        <input type="text" value={teams} onChange={(event) => onChange({ ...edited, teams: listOf(event.currentTarget.value) })} />
      </label>
      <label class="tick">
        <input
          type="checkbox"
          checked={edited.invisible === true}
          onChange={(event) => onChange({ ...edited, invisible: event.currentTarget.checked })}
        />
        Invisible
      </label>
      <CustomEditor edited={edited} onChange={onChange} />
    </div>
  );
}

function CustomEditor({ edited, onChange }: FieldEditorProps) {
  const name = useSignal('');
  const set = (key: string, value: unknown): void => onChange({ ...edited, custom: withField(edited.custom, key, value) });
  return (
    <fieldset>
      <legend>Custom data (values in JSON)</legend>
      {Object.entries(edited.custom).map(([key, value]) => (
        <CustomRow key={key} name={key} value={value} onChange={(changed) => set(key, changed)} />
      ))}
      <div class="row">
        <label>
          New key
          <input
            type="text"
            value={name.value}
            onInput={(event) => {
              name.value = event.currentTarget.value;
            }}
          />
        </label>
        <button
          type="button"
          disabled={name.value.trim() === '' || Object.hasOwn(edited.custom, name.value.trim())}
          onClick={() => {
            set(name.value.trim(), '');
            name.value = '';
          }}
        >
          Add
        </button>
      </div>
    </fieldset>
  );
}

interface CustomRowProps {
  readonly name: string;
  readonly value: unknown;
  /** undefined removes it. */
  readonly onChange: (value: unknown) => void;
}

function CustomRow({ name, value, onChange }: CustomRowProps) {
  const id = useId();
  return (
    <div class="row">
      <div class="labelled">
        <label htmlFor={id}>
          <Its text={name} />
        </label>
        <JsonInput id={id} value={value} onChange={onChange} />
      </div>
      <button type="button" onClick={() => onChange(undefined)}>
        Remove<span class="hidden"> {name}</span>
      </button>
    </div>
  );
}

/** Hands on a value once it is JSON, and says so while it is not. */
function JsonInput({ id, value, onChange }: Pick<CustomRowProps, 'value' | 'onChange'> & { readonly id: string }) {
  const typed = useSignal<string | undefined>(undefined);
  const isWrong = typed.value !== undefined && parsed(typed.value) === undefined;
  return (
    <>
      <textarea
        id={id}
        rows={1}
        spellcheck={false}
        aria-invalid={isWrong}
        value={typed.value ?? JSON.stringify(value)}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          const changed = parsed(event.currentTarget.value);
          if (changed !== undefined) onChange(changed.value);
        }}
        onBlur={() => {
          if (!isWrong) typed.value = undefined;
        }}
      />
      {isWrong ? <span class="notice error">This is not JSON: a text needs quotes. It is not taken over.</span> : null}
    </>
  );
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(',').map((item) => item.trim()))].filter((item) => item !== '');
}

/** A copy with one field set, or without it. */
function withField<T extends Readonly<Record<string, unknown>>>(from: T, field: string, value: unknown): T {
  const { [field]: _, ...others } = from;
  return (value === undefined ? others : { ...from, [field]: value }) as T;
}
