/** A webhook as a form: a new one, or the settings of one that exists. */
import { useSignal } from '@preact/signals';
import { Confirm } from '../parts/confirm.tsx';
import { Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { whyUnchanged } from '../talk/api.ts';
import { fieldsOf, type HookSettings, hookOfFields, putCall, type SeenHooks, shownAddress, URL_SETTING } from './hook-list.ts';

const DIALECTS = [
  ['v2', 'v2: times in nanoseconds, custom data in “custom”'],
  ['v1', 'v1: times in RFC 3339, custom data beside the other fields'],
] as const;

export interface HookFormProps {
  /** The daemon replaces the whole list. */
  readonly seen: SeenHooks;
  /** Undefined: a new one. */
  readonly hook: HookSettings | undefined;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function HookForm({ seen, hook, onClose, onDone }: HookFormProps) {
  const fields = useSignal(fieldsOf(hook));
  const set = (name: keyof ReturnType<typeof fieldsOf>) => (value: string) => {
    fields.value = { ...fields.value, [name]: value };
  };
  const { url, eventTypes, dialect, timeoutMs } = fields.value;
  const known = hook?.webhook_url;
  return (
    <Confirm
      title={hook === undefined ? 'New webhook' : 'Change this webhook?'}
      label={hook === undefined ? 'Make the webhook' : 'Save'}
      call={putCall(seen, hookOfFields(hook, fields.value))}
      explain={whyUnchanged('The settings have')}
      onClose={onClose}
      onDone={onDone}
    >
      <p>
        {hook === undefined
          ? 'It gets every event from now on, and none from before.'
          : 'It goes on where it is; what is parked, or has failed, is tried at once.'}
      </p>
      <TextField
        label={known === undefined ? 'Address (http or https)' : `New address; empty to keep ${shownAddress(known)}`}
        value={url}
        onInput={set('url')}
      />
      <TextField label="Event types, with commas between; empty for all" value={eventTypes} onInput={set('eventTypes')} />
      {hook?.id === URL_SETTING ? null : (
        <>
          <Select label="Form of the events" value={dialect} choices={DIALECTS} onChange={set('dialect')} />
          <TextField label="Milliseconds for one request; empty for 6,000" value={timeoutMs} keys="numeric" onInput={set('timeoutMs')} />
          {seen.hooks.length > (hook === undefined ? 0 : 1) ? (
            <p class="hint">The daemon takes the list of all hooks, so the commands name the others too, with their addresses in full.</p>
          ) : null}
        </>
      )}
    </Confirm>
  );
}
