/** A dialog that says what will happen, makes one call, and ends with what came of it. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { api, errorReason } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';
import { CallButtons } from './call-buttons.tsx';
import { Dialog } from './dialog.tsx';

export interface ConfirmCallProps {
  readonly title: string;
  readonly call: ApiCall;
  /** Of the button that makes the call. */
  readonly label: string;
  readonly isGrave?: boolean;
  readonly onClose: () => void;
  readonly onDone: (answer: JsonRecord) => void;
  readonly children: ComponentChildren;
}

export function ConfirmCall({ title, call, label, isGrave = false, onClose, onDone, children }: ConfirmCallProps) {
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
      <CallButtons call={call} error={error.value} onCancel={onClose}>
        <button type="button" class={isGrave ? 'grave' : 'main'} disabled={isBusy.value} onClick={confirm}>
          {label}
        </button>
      </CallButtons>
    </Dialog>
  );
}
