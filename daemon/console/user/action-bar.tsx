/** What can be done to a user. Each action is confirmed, and says before what will happen. */
import { useSignal } from '@preact/signals';
import { CallButtons } from '../parts/call-buttons.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Its } from '../parts/its.tsx';
import { api, errorReason } from '../talk/api.ts';
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
      <div class="buttons">
        {USER_ACTIONS.filter((action) => action.isFor(user)).map((action) => (
          <button
            key={action.key}
            type="button"
            class={action.isGrave ? 'grave' : ''}
            onClick={() => {
              asked.value = action;
            }}
          >
            {action.label}…
          </button>
        ))}
      </div>
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
  const error = useSignal('');
  const isBusy = useSignal(false);
  const call = action.call(user.id, options.value);
  const confirm = async (): Promise<void> => {
    isBusy.value = true;
    error.value = '';
    try {
      const { task_id } = await api(call);
      if (typeof task_id === 'string') await taskEnded(task_id);
      onDone(action.label);
    } catch (thrown) {
      error.value = errorReason(thrown);
      isBusy.value = false;
    }
  };
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
      <CallButtons call={call} error={error.value} onCancel={onClose}>
        <button type="button" class={action.isGrave ? 'grave' : 'main'} disabled={isBusy.value} onClick={() => void confirm()}>
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
      <label class="tick">
        <input type="checkbox" checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />
        {option.label}
      </label>
    );
  }
  if (option.kind === 'choice') {
    return (
      <label>
        {option.label}
        <select value={String(value ?? option.choices[0]?.[0] ?? '')} onChange={(event) => onChange(event.currentTarget.value)}>
          {option.choices.map(([choice, label]) => (
            <option key={choice} value={choice}>
              {label}
            </option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <label>
      {option.label}
      <input
        type="text"
        inputMode={option.isNumber === true ? 'numeric' : 'text'}
        value={String(value ?? '')}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}
