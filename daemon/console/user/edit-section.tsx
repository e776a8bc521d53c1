/** Editing: by field or as JSON. What would change is shown by a dry run of the daemon before anything is saved. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Confirm } from '../parts/confirm.tsx';
import { Callout, FieldChange } from '../parts/its.tsx';
import { ApiError, api, errorReason, whyUnchanged } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';
import type { UserRecord } from '../talk/user-record.ts';
import { type EditedUser, editedOf, isEmptyPatch, parseEdited, patchBetween } from './changes.ts';
import { FieldEditor } from './field-editor.tsx';

/** What a dry run found, and the call that saves exactly that. */
interface Proposal {
  readonly call: ApiCall;
  readonly changes: readonly (readonly [field: string, before: unknown, after: unknown])[];
}

export function EditSection({ user, onSaved }: { readonly user: UserRecord; readonly onSaved: () => void }) {
  const before = editedOf(user);
  const text = useSignal(JSON.stringify(before, null, 2));
  const error = useSignal('');
  const said = useSignal('');
  const proposal = useSignal<Proposal | undefined>(undefined);
  useEffect(() => {
    text.value = JSON.stringify(editedOf(user), null, 2);
  }, [user.updated_at]);
  const check = async (): Promise<void> => {
    error.value = '';
    said.value = '';
    try {
      const patch = patchBetween(user.id, before, parseEdited(text.value));
      if (isEmptyPatch(patch)) said.value = 'Nothing is different.';
      else proposal.value = await proposed(user.id, { users: [patch] });
    } catch (thrown) {
      error.value = errorReason(thrown);
    }
  };
  return (
    <section aria-labelledby="edit">
      <h2 id="edit">Edit</h2>
      <Editor text={text} error={error} />
      {error.value === '' ? null : <Callout kind="error">{error.value}</Callout>}
      <p role="status" class="hint">
        {said.value}
      </p>
      <div class="buttons">
        <button type="button" class="main" onClick={() => void check()}>
          Show what would change…
        </button>
        <button
          type="button"
          onClick={() => {
            text.value = JSON.stringify(before, null, 2);
          }}
        >
          Start over
        </button>
      </div>
      {proposal.value === undefined ? null : (
        <ProposalDialog
          proposal={proposal.value}
          onClose={() => {
            proposal.value = undefined;
          }}
          onSaved={() => {
            proposal.value = undefined;
            said.value = 'Saved.';
            onSaved();
          }}
        />
      )}
    </section>
  );
}

interface EditorProps {
  /** The record in JSON. */
  readonly text: Signal<string>;
  readonly error: Signal<string>;
}

function Editor({ text, error }: EditorProps) {
  const isJson = useSignal(false);
  const edit = (edited: EditedUser): void => {
    text.value = JSON.stringify(edited, null, 2);
  };
  return (
    <>
      <fieldset class="inline">
        <legend>How</legend>
        <Choice label="By field" isChosen={!isJson.value} choose={() => toFields(text.value, isJson, error)} />
        <Choice
          label="As JSON"
          isChosen={isJson.value}
          choose={() => {
            isJson.value = true;
          }}
        />
      </fieldset>
      {isJson.value ? (
        <label>
          The record in JSON
          <textarea
            rows={14}
            spellcheck={false}
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
        </label>
      ) : (
        <FieldEditor edited={JSON.parse(text.value)} onChange={edit} />
      )}
    </>
  );
}

/** Fields can be shown only of what is JSON. */
function toFields(text: string, isJson: Signal<boolean>, error: Signal<string>): void {
  try {
    parseEdited(text);
    isJson.value = false;
    error.value = '';
  } catch (thrown) {
    error.value = errorReason(thrown);
  }
}

function Choice({ label, isChosen, choose }: { readonly label: string; readonly isChosen: boolean; readonly choose: () => void }) {
  return (
    <label class="tick">
      <input type="radio" name="how" checked={isChosen} onChange={choose} />
      {label}
    </label>
  );
}

/** Rejects with ApiError for a refusal, with all problems that the daemon found. */
async function proposed(id: string, body: JsonRecord): Promise<Proposal> {
  const { errors, changes, revs } = await api({ method: 'PATCH', path: '/api/v2/users?dry_run=true', body });
  if (Array.isArray(errors) && errors.length > 0) {
    throw new ApiError(400, errors.map(({ path, message }) => `${path}: ${message}`).join('; '));
  }
  const [own, rev] = [partOf(changes, id), partOf(revs, id)];
  const rows = typeof own === 'object' && own !== null ? Object.entries(own) : [];
  return {
    // In the body and not in a header, so that the commands hold the condition, too.
    call: { method: 'PATCH', path: '/api/v2/users', body: typeof rev === 'number' ? { ...body, if_rev: { [id]: rev } } : body },
    changes: rows.map(([field, [was, is]]) => [field, was, is] as const),
  };
}

function partOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as JsonRecord)[key] : undefined;
}

interface ProposalDialogProps {
  readonly proposal: Proposal;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

function ProposalDialog({ proposal: { call, changes }, onClose, onSaved }: ProposalDialogProps) {
  return (
    <Confirm
      title="Save these changes?"
      label="Save"
      isReady={changes.length > 0}
      call={call}
      explain={whyUnchanged('The user has')}
      onClose={onClose}
      onDone={onSaved}
    >
      {changes.length === 0 ? <p>The daemon says that nothing would change.</p> : null}
      <dl class="changes">
        {changes.map(([field, was, is]) => (
          <FieldChange key={field} field={field} was={was} is={is} />
        ))}
      </dl>
      <p class="hint">It is saved only if the user is still as it was when this was shown.</p>
    </Confirm>
  );
}
