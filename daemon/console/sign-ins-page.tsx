/** The open sign-ins, and the end of all of them. */

import { useSignal } from '@preact/signals';
import { CommandLines } from './parts/command-lines.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Heading } from './parts/heading.tsx';
import { Callout, Instant } from './parts/its.tsx';
import { useLoaded } from './parts/loaded.ts';
import { api, errorReason } from './talk/api.ts';
import { rowsOf } from './talk/api-call.ts';
import { checkSignIn, mayOperate, signInState } from './talk/session.ts';

const END_ALL = { method: 'DELETE', path: '/api/v2/sign_ins' } as const;

interface ListedSignIn {
  readonly id: string;
  readonly role: string;
  readonly created_at: number;
  readonly ends_at: number;
}

export function SignInsPage() {
  const { answer, error } = useLoaded({ method: 'GET', path: '/api/v2/sign_ins' });
  const isAsked = useSignal(false);
  const failed = useSignal('');
  const list = rowsOf<ListedSignIn>(answer, 'sign_ins');
  const own = signInState.value.kind === 'in' ? signInState.value.id : '';
  const endAll = (): void => {
    api(END_ALL).then(checkSignIn, (thrown: unknown) => {
      failed.value = errorReason(thrown);
    });
  };
  return (
    <>
      <Heading title="Sign-ins">Sign-ins</Heading>
      <p>A sign-in ends after 12 hours, and after an hour without use. The history of a user names the sign-in of a change.</p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="cards">
        {list.map(({ id, role, created_at, ends_at }) => (
          <li key={id}>
            <p>
              <code>{id}</code> <span class="badge">{role}</span> {id === own ? <span class="badge online">this one</span> : null}
            </p>
            <p class="hint">
              since <Instant at={created_at} />, until <Instant at={ends_at} />
            </p>
          </li>
        ))}
      </ul>
      {mayOperate() ? (
        <button
          type="button"
          class="grave"
          onClick={() => {
            isAsked.value = true;
          }}
        >
          End all sign-ins
        </button>
      ) : null}
      {isAsked.value ? (
        <Dialog
          title="End all sign-ins"
          onClose={() => {
            isAsked.value = false;
          }}
        >
          <p>Every browser is signed out, this one too. Links that were not used stay good.</p>
          {failed.value === '' ? null : <Callout kind="error">{failed.value}</Callout>}
          <CommandLines call={END_ALL} />
          <div class="buttons">
            <button
              type="button"
              onClick={() => {
                isAsked.value = false;
              }}
            >
              Cancel
            </button>
            <button type="button" class="grave" onClick={endAll}>
              End all
            </button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
