/** The change of one setting of the application: typed, shown beside what is there, and confirmed. */
import { type Signal, useSignal } from '@preact/signals';
import { Confirm } from '../parts/confirm.tsx';
import { Callout, FieldChange } from '../parts/its.tsx';
import { asTexts, Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { whyUnchanged } from '../talk/api.ts';
import {
  EDITABLE,
  isMasked,
  isSameSetting,
  type SettingField,
  type ShownAppSetting,
  settingCall,
  settingShown,
  typedText,
  typedValue,
} from './app-settings.ts';

export interface SettingDialogProps {
  readonly setting: ShownAppSetting;
  /** The revision of the settings that are shown. */
  readonly tag: string | undefined;
  readonly onClose: () => void;
  readonly onDone: (name: string) => void;
}

export function SettingDialog({ setting: { name, value: before }, tag, onClose, onDone }: SettingDialogProps) {
  const { field = { kind: 'text' } as const, says } = EDITABLE.get(name) ?? {};
  const isHidden = isMasked(before);
  const text = useSignal(isHidden ? '' : typedText(field, before));
  const read = readText(field, text.value);
  const isSame = read.problem === undefined && isSameSetting(field, before, read.value);
  return (
    <Confirm
      title={`Change ${name}`}
      label="Save"
      isReady={read.problem === undefined && !isSame}
      says={isSame ? ['Nothing is different.'] : [...(says?.(read.value) ?? []), 'It counts on all nodes at once.']}
      call={settingCall(name, read.value, tag)}
      explain={whyUnchanged('The settings have')}
      onClose={onClose}
      onDone={() => onDone(name)}
    >
      <p>{EDITABLE.get(name)?.about}</p>
      <SettingInput name={name} field={field} text={text} />
      {isHidden ? <p class="hint">The value holds a secret and is not shown: type the whole new one.</p> : null}
      {read.problem === undefined ? null : <Callout kind="error">{read.problem}</Callout>}
      {isSame || read.problem !== undefined ? null : (
        <dl class="changes">
          <FieldChange field={name} was={isHidden ? before : settingShown(field, before)} is={settingShown(field, read.value)} />
        </dl>
      )}
    </Confirm>
  );
}

function readText(field: SettingField, text: string): { readonly value?: unknown; readonly problem?: string } {
  try {
    return { value: typedValue(field, text) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

const SWITCH = [
  ['true', 'on (true)'],
  ['false', 'off (false)'],
] as const;
const HINTS = { text: '', list: 'With commas between; empty: none.', time: 'Such as 2026-03-04T05:06:07Z; empty: none.' } as const;

function SettingInput({ name, field, text }: { readonly name: string; readonly field: SettingField; readonly text: Signal<string> }) {
  const label = `New value of ${name}`;
  const type = (value: string): void => {
    text.value = value;
  };
  if (field.kind === 'switch') return <Select label={label} value={text.value} choices={SWITCH} onChange={type} />;
  if (field.kind === 'choice') return <Select label={label} value={text.value} choices={asTexts(field.choices)} onChange={type} />;
  return <TextField label={label} value={text.value} hint={HINTS[field.kind]} onInput={type} />;
}
