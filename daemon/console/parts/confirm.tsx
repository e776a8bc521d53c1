/** A dialog that says what will happen, shows the commands that do the same, and makes the call. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { api, errorReason } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';
import { CallButtons } from './call-buttons.tsx';
import { Dialog } from './dialog.tsx';

export interface ConfirmProps {
  readonly title: string;
  /** What will happen, in sentences; where they need more than text, they are children. */
  readonly says?: readonly string[];
  /** Of the button that makes the call. */
  readonly label: string;
  readonly isGrave?: boolean;
  readonly call: ApiCall;
  readonly isReady?: boolean;
  readonly onClose: () => void;
  readonly onDone: (answer: JsonRecord) => void;
  readonly children?: ComponentChildren;
}

export function Confirm({ title, says = [], label, isGrave = false, call, isReady = true, onClose, onDone, children }: ConfirmProps) {
  const error = useSignal('');
  const isBusy = useSignal(false);
  const confirm = (): void => {
    isBusy.value = true;
    error.value = '';
    api(call).then(onDone, (thrown: unknown) => {
      error.value = errorReason(thrown);
      isBusy.value = false;
    });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      {says.length === 0 ? null : (
        <ul aria-label="What will happen">
          {says.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <CallButtons call={call} error={error.value} onCancel={onClose}>
        <button type="button" class={isGrave ? 'grave' : 'main'} disabled={isBusy.value || !isReady} onClick={confirm}>
          {label}
        </button>
      </CallButtons>
    </Dialog>
  );
}
