/** The events that were given up: found, read, and sent again. */
import { type Signal, useSignal } from '@preact/signals';
import { Confirm } from '../parts/confirm.tsx';
import { Callout, Instant, Its, ScrolledText } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Pager } from '../parts/pager.tsx';
import { TextField } from '../parts/text-field.tsx';
import { visibleJson } from '../parts/visible-json.ts';
import { isRecord, rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import {
  LETTERS_A_PAGE,
  type LetterFilter,
  type ListedLetter,
  letterCall,
  lettersCall,
  REPLAY_A_REQUEST,
  replayCall,
  replayQuestion,
  replayResult,
} from './letter-query.ts';

const TYPING_MS = 250;

export interface LettersSectionProps {
  readonly hookId: string;
  /** How many there are now. */
  readonly dead: number;
  /** Nothing is sent to a hook that is disabled. */
  readonly isEnabled: boolean;
}

export function LettersSection({ hookId, dead, isEnabled }: LettersSectionProps) {
  const filter = useSignal<LetterFilter>({ subject: '', from: '', to: '' });
  /** The last letter of each page before this one. */
  const before = useSignal<readonly string[]>([]);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const { answer, error, isLoading, again } = useLoaded(lettersCall(hookId, filter.value, before.value.at(-1)), {
    delayMs: TYPING_MS,
    version: dead,
  });
  const found = rowsOf<ListedLetter>(answer, 'dead_letters');
  const shown = found.slice(0, LETTERS_A_PAGE);
  const hasMore = found.length > LETTERS_A_PAGE;
  return (
    <section aria-labelledby="letters">
      <h2 id="letters">Dead letters</h2>
      <p class="hint">Events whose delivery was given up, the oldest first. Those that are replayed and delivered leave the list.</p>
      <LetterFilters
        filter={filter}
        onChange={() => {
          before.value = [];
          chosen.value = new Set();
        }}
      />
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <p role="status" class="hint">
        {isLoading && answer === undefined ? 'Looking…' : countText(shown.length, before.value.length + 1, hasMore)}
      </p>
      {mayOperate() && isEnabled ? <ReplayBar hookId={hookId} filter={filter.value} shown={shown} chosen={chosen} onDone={again} /> : null}
      <ol class="tail letters" aria-label="Dead letters, the oldest first">
        {shown.map((letter) => (
          <LetterRow key={letter.id} hookId={hookId} letter={letter} chosen={chosen} />
        ))}
      </ol>
      <Pager label="Pages of dead letters" scrolls={false} pages={before} next={hasMore ? shown.at(-1)?.id : undefined} />
    </section>
  );
}

function countText(count: number, page: number, hasMore: boolean): string {
  if (count === 0) return 'There are none.';
  const text = `${count} ${count === 1 ? 'event' : 'events'}`;
  return page === 1 && !hasMore ? `${text}.` : `Page ${page}: ${text}${hasMore ? ', more follow' : ''}.`;
}

function LetterFilters({ filter, onChange }: { readonly filter: Signal<LetterFilter>; readonly onChange: () => void }) {
  const set = (name: keyof LetterFilter, value: string): void => {
    filter.value = { ...filter.value, [name]: value };
    onChange();
  };
  return (
    <search class="filters letter-filters">
      <TextField label="User (id)" value={filter.value.subject} onInput={(value) => set('subject', value)} />
      <label>
        From (UTC)
        <input type="datetime-local" value={filter.value.from} onInput={(event) => set('from', event.currentTarget.value)} />
      </label>
      <label>
        To (UTC)
        <input type="datetime-local" value={filter.value.to} onInput={(event) => set('to', event.currentTarget.value)} />
      </label>
    </search>
  );
}

interface ReplayBarProps {
  readonly hookId: string;
  readonly filter: LetterFilter;
  readonly shown: readonly ListedLetter[];
  readonly chosen: Signal<ReadonlySet<string>>;
  readonly onDone: () => void;
}

function ReplayBar({ hookId, filter, shown, chosen, onDone }: ReplayBarProps) {
  const asked = useSignal<{ readonly ids: readonly string[] | undefined } | undefined>(undefined);
  const said = useSignal('');
  const hasSpan = filter.from !== '' || filter.to !== '';
  const ids = [...chosen.value];
  return (
    <>
      {said.value === '' ? null : <Callout kind="good">{said.value}</Callout>}
      <div class="buttons">
        <button
          type="button"
          disabled={shown.length === 0}
          onClick={() => (chosen.value = new Set([...ids, ...shown.map(({ id }) => id)]))}
        >
          Select this page
        </button>
        <button type="button" disabled={ids.length === 0 || ids.length > REPLAY_A_REQUEST} onClick={() => (asked.value = { ids })}>
          Replay the {ids.length} selected…
        </button>
        <button type="button" disabled={filter.subject !== ''} onClick={() => (asked.value = { ids: undefined })}>
          {hasSpan ? 'Replay all of this time…' : 'Replay all…'}
        </button>
      </div>
      {asked.value === undefined ? null : (
        <Confirm
          title="Replay"
          label="Replay"
          call={replayCall(hookId, asked.value.ids, filter)}
          onClose={() => (asked.value = undefined)}
          onDone={(answer) => {
            asked.value = undefined;
            chosen.value = new Set();
            said.value = replayResult(answer);
            onDone();
          }}
        >
          <p>{replayQuestion(asked.value.ids, filter)}</p>
          <p>
            Each is tried once, before later events of its user, with the same id as before. At most {REPLAY_A_REQUEST.toLocaleString('en')}{' '}
            are sent by one request; it says how many remain.
          </p>
        </Confirm>
      )}
    </>
  );
}

interface LetterRowProps {
  readonly hookId: string;
  readonly letter: ListedLetter;
  readonly chosen: Signal<ReadonlySet<string>>;
}

function LetterRow({ hookId, letter, chosen }: LetterRowProps) {
  const { id, seq, type, subject, created_at, failed_at, attempts, reason } = letter;
  const isOpen = useSignal(false);
  const choose = (isChosen: boolean): void => {
    const next = new Set(chosen.value);
    if (isChosen) next.add(id);
    else next.delete(id);
    chosen.value = next;
  };
  return (
    <li>
      {mayOperate() ? (
        <input
          type="checkbox"
          aria-label={`Select the event ${seq} of ${subject.slice(0, 60)}`}
          checked={chosen.value.has(id)}
          onChange={(event) => choose(event.currentTarget.checked)}
        />
      ) : null}
      <details
        onToggle={(event) => {
          isOpen.value = event.currentTarget.open;
        }}
      >
        <summary>
          <span class="badge">{type}</span> <Its text={subject} />{' '}
          <span class="hint">
            <Instant at={created_at} /> #{seq}
          </span>
        </summary>
        <p>
          Given up <Instant at={failed_at} /> after {attempts} {attempts === 1 ? 'attempt' : 'attempts'}: <Its text={reason} />
        </p>
        {isOpen.value ? <LetterBody hookId={hookId} id={id} subject={subject} /> : null}
      </details>
    </li>
  );
}

function LetterBody({ hookId, id, subject }: { readonly hookId: string; readonly id: string; readonly subject: string }) {
  const { answer, error } = useLoaded(letterCall(hookId, id));
  if (error !== undefined) return <Callout kind="error">{error}</Callout>;
  const letter = answer?.dead_letter;
  if (!isRecord(letter)) return <p role="status">Loading…</p>;
  return <ScrolledText text={visibleJson(letter.body)} label={`The event of ${subject.slice(0, 60)}`} />;
}
