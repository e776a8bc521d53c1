/** A dialog that says what will happen, shows the commands that do the same, and makes the call. */
import type { ComponentChildren } from 'preact';
import { api } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';
import { CallButtons } from './call-buttons.tsx';
import { Dialog } from './dialog.tsx';
import { useWork } from './work.ts';

export interface ConfirmProps {
  readonly title: string;
  /** What will happen, in sentences; where they need more than text, they are children. */
  readonly says?: readonly string[];
  /** Of the button that makes the call. */
  readonly label: string;
  readonly isGrave?: boolean;
  readonly call: ApiCall;
  readonly isReady?: boolean;
  /** No command does the same: only somebody who is signed in may. */
  readonly isForPeople?: boolean;
  /** What a failure is called. */
  readonly explain?: (thrown: unknown) => string;
  readonly onClose: () => void;
  readonly onDone: (answer: JsonRecord) => void;
  readonly children?: ComponentChildren;
}

export function Confirm(props: ConfirmProps) {
  const { title, says = [], label, isGrave = false, call, isReady = true, isForPeople = false, onClose, onDone, children } = props;
  const { error, isBusy, begin } = useWork(props.explain);
  const confirm = (): void => begin(async () => onDone(await api(call)));
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
      <CallButtons call={isForPeople ? undefined : call} error={error} onCancel={onClose}>
        <button type="button" class={isGrave ? 'grave' : 'main'} disabled={isBusy || !isReady} onClick={confirm}>
          {label}
        </button>
      </CallButtons>
    </Dialog>
  );
}
