/** Whether a copy of users is stale, and in which users it differs. The copy stays in the browser: only ids and revisions of parts that differ are asked about. */
import { type Signal, useSignal } from '@preact/signals';
import { positionOf } from '../../../protocol/base/position-text.ts';
import { CopyCheck, type CopyDifference, type CopyVerdict, type HeldCopy } from '../../../protocol/users/comparing/copy-check.ts';
import { CopyReader, readCopyText } from '../../../protocol/users/comparing/copy-reader.ts';
import { addressOf, linkTo } from '../address.ts';
import { CommandLines } from '../parts/command-lines.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Its, ItsValue } from '../parts/its.tsx';
import { TextField } from '../parts/text-field.tsx';
import { Tick } from '../parts/tick.tsx';
import { UserLink } from '../parts/user-link.tsx';
import { useWork } from '../parts/work.ts';
import { api, apiLines } from '../talk/api.ts';
import { compareLine } from '../talk/lines.ts';

/** Differences that are drawn; all are counted. */
const DRAWN_MAX = 200;
const HOW = {
  missing_there: 'missing in the copy',
  missing_here: 'not in the directory',
  older: 'older in the copy',
  newer: 'newer in the copy',
  differs: 'other fields',
} as const;

interface CompareForm {
  readonly text: string;
  readonly file: File | undefined;
  readonly position: string;
  readonly team: string;
  readonly withFields: boolean;
}

interface Found {
  readonly verdict: CopyVerdict;
  readonly differences: readonly CopyDifference[];
}

export function ComparePage() {
  const form = useSignal<CompareForm>({ text: '', file: undefined, position: '', team: '', withFields: true });
  const found = useSignal<Found | undefined>(undefined);
  const { error, isBusy, begin } = useWork();
  const { position, team } = form.value;
  const compare = (): void =>
    begin(async () => {
      found.value = undefined;
      found.value = await compared(await copyOf(form.value));
    });
  return (
    <>
      <p>
        <a href={linkTo(['tools'])}>All tools</a>
      </p>
      <Heading title="Compare">Is a copy stale?</Heading>
      <p>
        Give what the copy holds: ids and revisions, or whole users, as JSON Lines or JSON. It is compared by digests first, then by the ids
        of the parts that differ. Users that changed after the position of the copy are no difference.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          compare();
        }}
      >
        <CompareFields form={form} />
        <div class="buttons">
          <button type="submit" class="main" disabled={isBusy}>
            Compare
          </button>
        </div>
      </form>
      <div role="status">{isBusy ? <p class="hint">Comparing…</p> : null}</div>
      {error === '' ? null : <Callout kind="error">{error}</Callout>}
      {found.value === undefined ? null : <Verdict found={found.value} />}
      <CommandLines
        call={{ method: 'GET', path: `/api/v2/sync/digests${team === '' ? '' : `?team=${encodeURIComponent(team)}`}` }}
        own={compareLine(addressOf(location.href), { position, team })}
      />
      <p class="hint">The curl command gives the digest of the directory, to hold against digest() of a client.</p>
    </>
  );
}

/** What the form holds. Rejects with Error that names the place. */
async function copyOf({ text, file, position, team, withFields }: CompareForm): Promise<HeldCopy> {
  const at = position.trim() === '' ? undefined : positionOf(position.trim());
  if (position.trim() !== '' && at === undefined) throw new Error('The position must be an epoch, a colon and a number: 3b1c5f…:1042.');
  const reader = new CopyReader({ withFields });
  readCopyText(file === undefined ? text : await file.text(), reader);
  return reader.copy({ team: team.trim() === '' ? undefined : team.trim(), position: at });
}

async function compared(copy: HeldCopy): Promise<Found> {
  const differences: CopyDifference[] = [];
  const ask = {
    get: (path: string) => api({ method: 'GET', path }),
    post: (path: string, body: object) => api({ method: 'POST', path, body }),
    lines: apiLines,
  };
  const verdict = await new CopyCheck(copy, ask, (difference) => {
    if (differences.length < DRAWN_MAX) differences.push(difference);
  }).run();
  return { verdict, differences };
}

function CompareFields({ form }: { readonly form: Signal<CompareForm> }) {
  const { text, file, position, team, withFields } = form.value;
  const change = (changed: Partial<CompareForm>): void => {
    form.value = { ...form.value, ...changed };
  };
  return (
    <div class="tool-fields">
      <label class="wide">
        A file with the copy
        <input type="file" onChange={(event) => change({ file: event.currentTarget.files?.[0] })} />
      </label>
      {file === undefined ? (
        <label class="wide">
          Or the copy itself
          <textarea
            rows={6}
            spellcheck={false}
            placeholder={'{"id":"ann","rev":17}\n{"id":"bob","rev":23}'}
            value={text}
            onInput={(event) => change({ text: event.currentTarget.value })}
          />
        </label>
      ) : null}
      <TextField label="Position of the copy (empty: now)" value={position} onInput={(typed) => change({ position: typed })} />
      <TextField label="Only of the team (empty: all users)" maxLength={100} value={team} onInput={(typed) => change({ team: typed })} />
      <Tick isOn={withFields} onChange={(isOn) => change({ withFields: isOn })}>
        Compare fields where there are whole users
      </Tick>
    </div>
  );
}

function Verdict({ found: { verdict, differences } }: { readonly found: Found }) {
  const { isEqual, position, hereCount, hereDigest, copyCount, copyDigest, counts, changed } = verdict;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <section aria-labelledby="verdict">
      <h2 id="verdict">{isEqual ? 'The copy is equal' : 'The copy differs'}</h2>
      <Callout kind={isEqual ? 'good' : 'error'}>
        {isEqual
          ? `Every user is the same at #${position.seq}.`
          : `${total.toLocaleString('en')} ${total === 1 ? 'user differs' : 'users differ'} at #${position.seq}.`}
        {changed === 0 ? '' : ` ${changed.toLocaleString('en')} changed after that: nothing is said about them.`}
      </Callout>
      <dl>
        <div class="pair">
          <dt>Directory</dt>
          <dd>
            {hereCount.toLocaleString('en')} users, digest <code>{hereDigest}</code>
          </dd>
        </div>
        <div class="pair">
          <dt>Copy</dt>
          <dd>
            {copyCount.toLocaleString('en')} users{copyDigest === undefined ? ', revisions not known' : ', digest '}
            {copyDigest === undefined ? null : <code>{copyDigest}</code>}
          </dd>
        </div>
      </dl>
      {differences.length < total ? <p class="hint">The first {differences.length} are shown.</p> : null}
      <ul class="cards">
        {differences.map((difference) => (
          <Difference key={`${difference.id} ${difference.how}`} difference={difference} />
        ))}
      </ul>
    </section>
  );
}

function Difference({ difference: { id, how, rev, copy_rev, note, fields } }: { readonly difference: CopyDifference }) {
  const facts = [
    ...(rev === undefined ? [] : [`revision ${rev} in the directory`]),
    ...(copy_rev === undefined ? [] : [`${rev === undefined ? 'revision ' : ''}${copy_rev} in the copy`]),
    ...(note === undefined ? [] : [note]),
  ];
  return (
    <li>
      <p>
        <UserLink id={id} /> <span class="badge">{HOW[how]}</span>
      </p>
      <p class="hint">
        <Its text={facts.join(', ')} />
      </p>
      {fields === undefined ? null : (
        <dl class="changes">
          {Object.entries(fields).map(([field, [here, there]]) => (
            <div key={field}>
              <dt>
                <Its text={field} />
              </dt>
              <dd class="is">
                <span class="hint">directory</span> <ItsValue value={here} label={`${field} in the directory`} />
              </dd>
              <dd class="was">
                <span class="hint">copy</span> <ItsValue value={there} label={`${field} in the copy`} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
