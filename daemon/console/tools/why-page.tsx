/** Why one event was sent to one connection, or was not. */
import { linkTo } from '../address.ts';
import { CommandLines } from '../parts/command-lines.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { TextField } from '../parts/text-field.tsx';
import { type ApiCall, type JsonRecord, rowsOf } from '../talk/api-call.ts';
import { replaceQuery, view } from '../view.ts';

const TYPING_MS = 300;
const DELIVERED = {
  sent: ['good', 'The event was sent to this connection.'],
  not_sent: ['error', 'The event was not sent to this connection.'],
  not_yet: ['hint', 'The event is not sent yet: the connection is behind.'],
  unknown: ['hint', 'That is not known: the subscriptions of the connection were not kept.'],
} as const;

interface ListedConnection {
  readonly connection_id: string;
  readonly opened_at: string;
  readonly closed_at?: string;
  readonly close_code?: number | null;
  readonly consumer?: string;
  readonly subs: readonly string[];
}

export function WhyPage() {
  const { query } = view.value;
  const [event, user, connection] = ['event', 'user', 'connection'].map((key) => query.get(key) ?? '');
  const change = (changed: Readonly<Record<string, string>>): void =>
    replaceQuery({ event: event ?? '', user: user ?? '', connection: connection ?? '', ...changed });
  const isNumber = /^\d+$/.test(event ?? '');
  return (
    <>
      <p>
        <a href={linkTo(['tools'])}>All tools</a>
      </p>
      <Heading title="Why">Why was an event sent, or not?</Heading>
      <h2>1. The event</h2>
      <div class="tool-fields">
        <TextField
          label="Number of the event (seq)"
          keys="numeric"
          value={event ?? ''}
          onInput={(typed) => change({ event: typed.replace(/^#/, '').trim() })}
        />
      </div>
      <p class="hint">
        The history of a user and the <a href={linkTo(['live'])}>live events</a> have a link "why?" with each event. Changes of presence
        have no number: they are sent only to subscriptions with presence, and never again.
      </p>
      <h2>2. The connection</h2>
      <ConnectionChoice user={user ?? ''} connection={connection ?? ''} change={change} />
      {isNumber && connection !== '' ? (
        <Answer
          key={`${event} ${connection}`}
          call={{ method: 'GET', path: `/api/v2/debug/why?${new URLSearchParams({ event: event ?? '', connection: connection ?? '' })}` }}
        />
      ) : (
        <p class="hint" role="status">
          {isNumber ? 'Choose a connection to see the answer.' : 'Give the number of an event to see the answer.'}
        </p>
      )}
    </>
  );
}

interface ConnectionChoiceProps {
  readonly user: string;
  readonly connection: string;
  readonly change: (changed: Readonly<Record<string, string>>) => void;
}

function ConnectionChoice({ user, connection, change }: ConnectionChoiceProps) {
  const path = `/api/v2/debug/connections${user.trim() === '' ? '' : `?user_id=${encodeURIComponent(user.trim())}`}`;
  const { answer, error, isLoading, again } = useLoaded({ method: 'GET', path }, { delayMs: TYPING_MS });
  const list = rowsOf<ListedConnection>(answer, 'connections');
  return (
    <>
      <div class="tool-fields">
        <TextField
          label="Connections of the user (empty: of servers)"
          maxLength={255}
          value={user}
          onInput={(typed) => change({ user: typed, connection: '' })}
        />
        <TextField label="Or the id of a connection" value={connection} onInput={(typed) => change({ connection: typed.trim() })} />
      </div>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <p role="status" class="hint">
        {isLoading
          ? 'Looking…'
          : list.length === 0
            ? 'None is open, and none ended within the last hour.'
            : `${list.length} open, or ended within the last hour.`}
      </p>
      <ul class="cards">
        {list.map((one) => (
          <li key={one.connection_id}>
            <ConnectionFacts one={one} />
            <button
              type="button"
              aria-pressed={one.connection_id === connection}
              class={one.connection_id === connection ? 'main' : ''}
              onClick={() => change({ connection: one.connection_id })}
            >
              {one.connection_id === connection ? 'Chosen' : 'Choose'}
              <span class="hidden"> the connection {one.connection_id}</span>
            </button>
          </li>
        ))}
      </ul>
      <button type="button" onClick={again}>
        Look again
      </button>
    </>
  );
}

function ConnectionFacts({ one: { connection_id, opened_at, closed_at, close_code, consumer, subs } }: { readonly one: ListedConnection }) {
  return (
    <>
      <p>
        <code>{connection_id}</code>{' '}
        <span class={`badge ${closed_at === undefined ? 'online' : ''}`}>{closed_at === undefined ? 'open' : 'ended'}</span>
      </p>
      <p class="hint">
        from <Instant at={opened_at} />
        {closed_at === undefined ? null : (
          <>
            {' '}
            to <Instant at={closed_at} />
            {typeof close_code === 'number' ? ` (code ${close_code})` : ' (by its peer, or the network)'}
          </>
        )}
        {consumer === undefined ? null : (
          <>
            , durable consumer <Its text={consumer} />
          </>
        )}
        {', subscriptions: '}
        <Its text={subs.length === 0 ? 'none that is known' : subs.join(', ')} />
      </p>
    </>
  );
}

function Answer({ call }: { readonly call: ApiCall }) {
  const { answer, error, isLoading, again } = useLoaded(call, { delayMs: TYPING_MS });
  const [kind, text] = DELIVERED[(answer?.delivered as keyof typeof DELIVERED) ?? 'unknown'];
  return (
    <section aria-labelledby="answer" aria-busy={isLoading}>
      <h2 id="answer">3. The answer</h2>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {answer === undefined ? null : (
        <>
          <Callout kind={kind === 'error' ? 'hint' : kind}>{text}</Callout>
          <Steps steps={rowsOf(answer, 'steps')} />
          <h3>Its subscriptions</h3>
          <ul class="cards">
            {rowsOf<JsonRecord>(answer, 'subscriptions').map(({ sub, want, result }) => (
              <li key={String(sub)}>
                <p>
                  <Its text={String(sub)} /> <span class="badge">{String(want)}</span>
                </p>
                <p>{String(result)}</p>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="buttons">
        <button type="button" onClick={again}>
          Ask again
        </button>
      </div>
      <CommandLines call={call} />
    </section>
  );
}

function Steps({ steps }: { readonly steps: readonly JsonRecord[] }) {
  return (
    <ol class="steps" aria-label="What decided">
      {steps.map(({ about, is_reached, text }) => (
        <li key={String(about)} class={is_reached === true ? 'passed' : is_reached === false ? 'stopped' : ''}>
          <span class="badge">{is_reached === true ? 'passed' : is_reached === false ? 'stopped here' : 'perhaps'}</span>{' '}
          <Its text={String(text)} />
        </li>
      ))}
    </ol>
  );
}
