/** What can be done to a user. Each action is confirmed, and says before what will happen. */
import { useSignal } from '@preact/signals';
import { ActionButtons } from '../parts/action-buttons.tsx';
import { CallButtons } from '../parts/call-buttons.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Its } from '../parts/its.tsx';
import { Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { Tick } from '../parts/tick.tsx';
import { useWork } from '../parts/work.ts';
import { api } from '../talk/api.ts';
import type { UserRecord } from '../talk/user-record.ts';
import { type ActionOption, type OptionValues, USER_ACTIONS, type UserAction } from './action-list.ts';

export interface ActionBarProps {
  readonly user: UserRecord;
  /** Gets what was done, in words. */
  readonly onDone: (said: string) => void;
}

export function ActionBar({ user, onDone }: ActionBarProps) {
  const asked = useSignal<UserAction | undefined>(undefined);
  const close = (): void => {
    asked.value = undefined;
  };
  return (
    <section aria-label="Actions">
      <ActionButtons
        actions={USER_ACTIONS.filter((action) => action.isFor(user))}
        ask={(action) => {
          asked.value = action;
        }}
      />
      {asked.value === undefined ? null : (
        <ActionDialog
          key={asked.value.key}
          action={asked.value}
          user={user}
          onClose={close}
          onDone={(label) => {
            close();
            onDone(`${label}: done.`);
          }}
        />
      )}
    </section>
  );
}

interface ActionDialogProps {
  readonly action: UserAction;
  readonly user: UserRecord;
  readonly onClose: () => void;
  readonly onDone: (label: string) => void;
}

function ActionDialog({ action, user, onClose, onDone }: ActionDialogProps) {
  const options = useSignal<OptionValues>({});
  const { error, isBusy, begin } = useWork();
  const call = action.call(user.id, options.value);
  const confirm = (): void =>
    begin(async () => {
      const { task_id } = await api(call);
      if (typeof task_id === 'string') await taskEnded(task_id);
      onDone(action.label);
    });
  return (
    <Dialog title={`${action.label} this user?`} onClose={onClose}>
      <p>
        <strong>
          <Its text={user.name ?? user.id} />
        </strong>{' '}
        <code>
          <Its text={user.id} />
        </code>
      </p>
      <div role="status">
        <ul aria-label="What will happen">
          {action.says(options.value).map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      </div>
      {action.options.map((option) => (
        <OptionField
          key={option.key}
          option={option}
          value={options.value[option.key]}
          onChange={(value) => {
            options.value = { ...options.value, [option.key]: value };
          }}
        />
      ))}
      <CallButtons call={call} error={error} onCancel={onClose}>
        <button type="button" class={action.isGrave ? 'grave' : 'main'} disabled={isBusy} onClick={confirm}>
          {action.label}
        </button>
      </CallButtons>
    </Dialog>
  );
}

/** A task of one user has ended by the time that it can be asked for. Rejects with Error when the user failed. */
async function taskEnded(id: string): Promise<void> {
  const { status, error, result } = await api({ method: 'GET', path: `/api/v2/tasks/${encodeURIComponent(id)}` });
  const failed: unknown = typeof result === 'object' && result !== null && 'errors' in result ? result.errors : undefined;
  const hasFailed = status === 'failed' || (Array.isArray(failed) && failed.length > 0);
  if (hasFailed) throw new Error(`the user was not changed: ${JSON.stringify(error ?? failed)}`);
}

interface OptionFieldProps {
  readonly option: ActionOption;
  readonly value: string | boolean | undefined;
  readonly onChange: (value: string | boolean) => void;
}

function OptionField({ option, value, onChange }: OptionFieldProps) {
  if (option.kind === 'tick') {
    return (
      <Tick isOn={value === true} onChange={onChange}>
        {option.label}
      </Tick>
    );
  }
  if (option.kind === 'choice') {
    return (
      <Select label={option.label} value={String(value ?? option.choices[0]?.[0] ?? '')} choices={option.choices} onChange={onChange} />
    );
  }
  const keys = option.isNumber === true ? 'numeric' : 'text';
  return <TextField label={option.label} value={String(value ?? '')} keys={keys} onInput={onChange} />;
}
