/** What a live connection that resumes would be sent. */
import { type Signal, useSignal } from '@preact/signals';
import type { RehearseAnswer } from '../../../protocol/live/rehearsal.ts';
import { linkTo } from '../address.ts';
import { size } from '../parts/amounts.ts';
import { useAsked } from '../parts/asked.ts';
import { CommandLines } from '../parts/command-lines.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { Tick } from '../parts/tick.tsx';
import { hoursText, INTERESTS, type ResumeForm, resumeCall, settingText } from './resume-question.ts';

const LABELS = { all: 'everything', ids: 'these ids', teams: 'these teams', filter: 'users that match a filter' } as const;
const INTEREST_FIELDS = { ids: 'Ids, with commas', teams: 'Teams, with commas', filter: 'Filter in JSON' } as const;
const RESULTS = { nothing: 'Nothing', events: 'Events', snapshot: 'A fresh snapshot' } as const;

export function ResumePage() {
  const { answer } = useLoaded({ method: 'GET', path: '/api/v2/sync/position' });
  const form = useSignal<ResumeForm>({ position: '', user: '', interest: 'all', text: '', presence: false, conflate: false });
  const { answered, error, isBusy, ask } = useAsked();
  return (
    <>
      <p>
        <a href={linkTo(['tools'])}>All tools</a>
      </p>
      <Heading title="Resume">What would a resume bring?</Heading>
      <p>
        A client that reconnects names the last position that it has seen. Nothing is sent here, and nobody is disconnected.
        {answer === undefined ? null : (
          <>
            {' '}
            The directory is at{' '}
            <code>
              {String(answer.epoch)}:{String(answer.seq)}
            </code>
            .
          </>
        )}
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask(() => resumeCall(form.value));
        }}
      >
        <ResumeFields form={form} />
        <div class="buttons">
          <button type="submit" class="main" disabled={isBusy}>
            Show what it would receive
          </button>
        </div>
      </form>
      <div role="status">{isBusy ? <p class="hint">Reading the history…</p> : null}</div>
      {error === '' ? null : <Callout kind="error">{error}</Callout>}
      {answered === undefined ? null : (
        <>
          <Outcome found={answered.answer as RehearseAnswer} />
          <CommandLines call={answered.call} />
        </>
      )}
    </>
  );
}

function ResumeFields({ form }: { readonly form: Signal<ResumeForm> }) {
  const { position, user, interest, text, presence, conflate } = form.value;
  const change = (changed: Partial<ResumeForm>): void => {
    form.value = { ...form.value, ...changed };
  };
  return (
    <div class="tool-fields">
      <TextField label="Position (epoch:seq)" value={position} onInput={(typed) => change({ position: typed })} />
      <TextField
        label="As the client of the user (empty: a server)"
        maxLength={255}
        value={user}
        onInput={(typed) => change({ user: typed })}
      />
      <Select
        label="Subscribed to"
        value={interest}
        choices={INTERESTS.map((one) => [one, LABELS[one]])}
        onChange={(chosen) => change({ interest: chosen, text: '' })}
      />
      {interest === 'all' ? null : (
        <TextField label={INTEREST_FIELDS[interest]} value={text} onInput={(typed) => change({ text: typed })} />
      )}
      <Tick isOn={presence} onChange={(isOn) => change({ presence: isOn })}>
        With presence
      </Tick>
      <Tick isOn={conflate} onChange={(isOn) => change({ conflate: isOn })}>
        Only the newest state of each user (conflate)
      </Tick>
    </div>
  );
}

function Outcome({ found }: { readonly found: RehearseAnswer }) {
  const { result, text, events, snapshot, presence } = found;
  return (
    <section aria-labelledby="outcome">
      <h2 id="outcome">{RESULTS[result]}</h2>
      <Callout kind={result === 'snapshot' ? 'hint' : 'good'}>{text}</Callout>
      <dl>
        {events === undefined || events.count === 0 ? null : <EventFacts events={events} />}
        {(snapshot ?? []).map(({ sub, users }) => (
          <Fact key={sub} name="Snapshot" text={`${users.toLocaleString('en')} ${users === 1 ? 'user' : 'users'}`} />
        ))}
        <Fact name="Presence" text={presence ? 'it is also told who is online' : 'not asked for'} />
      </dl>
      <RetentionFacts found={found} />
    </section>
  );
}

function Fact({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div class="pair">
      <dt>{name}</dt>
      <dd>
        <Its text={text} />
      </dd>
    </div>
  );
}

function EventFacts({ events }: { readonly events: NonNullable<RehearseAnswer['events']> }) {
  const { count, bytes, first, last, by_type, up_to, is_whole } = events;
  const named = (event: typeof first): string =>
    event === undefined ? 'none' : `#${event.seq} ${event.type}${event.user_id === null ? '' : ` of ${event.user_id}`}`;
  return (
    <>
      <Fact
        name="Events"
        text={`${is_whole ? '' : 'at least '}${count.toLocaleString('en')}, ${size(bytes)}${is_whole ? '' : ` (looked at up to #${up_to})`}`}
      />
      <Fact name="First" text={named(first)} />
      <Fact name={is_whole ? 'Last' : 'Last seen'} text={named(last)} />
      {Object.entries(by_type).map(([type, number]) => (
        <Fact key={type} name={type} text={number.toLocaleString('en')} />
      ))}
    </>
  );
}

function RetentionFacts({ found: { retention, settings, reason } }: { readonly found: RehearseAnswer }) {
  const { after, changes, hours, bytes } = retention;
  const back = [
    `${changes.toLocaleString('en')} changes`,
    ...(hours === null ? [] : [hoursText(hours)]),
    ...(bytes === null ? [] : [size(bytes)]),
  ];
  return (
    <>
      <h3>How far back a resume reaches now</h3>
      <p>
        After #{after}: {back.join(', ')}.
      </p>
      <ul>
        {settings.map(({ key, value, needed, is_enough }) => (
          <li key={key}>
            <code>{key}</code>: {value === 0 ? 'no limit' : settingText(key, value)}
            {needed === null || is_enough ? '' : `; about ${settingText(key, needed)} would have kept that position`}
          </li>
        ))}
      </ul>
      {reason === 'trimmed' ? (
        <p class="hint">A setting that is raised now keeps what comes from now on; what is gone stays gone.</p>
      ) : null}
    </>
  );
}
