/** The end of a dialog that makes a call: why it failed, the commands that do the same, and the ways out. */
import type { ComponentChildren } from 'preact';
import type { ApiCall } from '../talk/api-call.ts';
import { CommandLines } from './command-lines.tsx';
import { Callout } from './its.tsx';

export interface CallButtonsProps {
  /** Undefined: no command does the same. */
  readonly call: ApiCall | undefined;
  /** Empty while nothing has failed. */
  readonly error: string;
  readonly onCancel: () => void;
  /** The button that makes the call. */
  readonly children: ComponentChildren;
}

export function CallButtons({ call, error, onCancel, children }: CallButtonsProps) {
  return (
    <>
      {error === '' ? null : <Callout kind="error">{error}</Callout>}
      {call === undefined ? (
        <p class="hint">There is no command for this: only somebody who is signed in can do it.</p>
      ) : (
        <CommandLines call={call} />
      )}
      <div class="buttons">
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        {children}
      </div>
    </>
  );
}
