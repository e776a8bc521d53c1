/** One sync plan: what it would change, its brakes, who answers for it, how far it is, and the next step. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { linkTo } from '../address.ts';
import { ActionButtons } from '../parts/action-buttons.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { mayOperate, signInState } from '../talk/session.ts';
import { ChangesSection } from './changes-section.tsx';
import {
  brakeText,
  COUNT_LABELS,
  isAtWork,
  type PlanAction,
  type PlanRecord,
  planActions,
  planOfAnswer,
  progressText,
  type ShownStep,
  STATE_WORDS,
  shownCount,
} from './plan-record.ts';

/** How often a plan that is worked on is looked at, milliseconds. */
const LOOK_MS = 1_000;

export function PlanPage({ id }: { readonly id: string }) {
  const { answer, error, again, count: looks } = useLoaded({ method: 'GET', path: `/api/v2/sync/plans/${encodeURIComponent(id)}` });
  const plan = planOfAnswer(answer);
  const isBusy = plan !== undefined && isAtWork(plan);
  useEffect(() => {
    if (!isBusy) return undefined;
    const timer = setTimeout(again, LOOK_MS);
    return () => clearTimeout(timer);
  }, [isBusy, looks]);
  return (
    <>
      <Heading title="Sync plan">
        Plan of <Its text={plan?.source ?? id} />
      </Heading>
      <p>
        <a href={linkTo(['plans'])}>All plans</a>
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {plan === undefined ? null : <PlanParts plan={plan} again={again} />}
    </>
  );
}

function PlanParts({ plan, again }: { readonly plan: PlanRecord; readonly again: () => void }) {
  const { state, problems = [], summary } = plan;
  return (
    <>
      <p role="status">
        <span class="badge">{state}</span> {STATE_WORDS[state]} {progressText(plan)}
      </p>
      {problems.map((problem) => (
        <Callout key={problem} kind="error">
          <span class="plan-text">
            <Its text={problem} />
          </span>
        </Callout>
      ))}
      <Steps plan={plan} />
      {mayOperate() ? <PlanActions plan={plan} again={again} /> : <Callout kind="hint">You are signed in to look only.</Callout>}
      <Report plan={plan} />
      {summary === undefined ? null : <Summary summary={summary} isPlan={plan.digest !== undefined} />}
      {plan.digest === undefined ? null : <ChangesSection id={plan.id} />}
    </>
  );
}

function Steps({ plan: { proposed, approved, applied, withdrawn } }: { readonly plan: PlanRecord }) {
  const steps: readonly (readonly [string, ShownStep | undefined])[] = [
    ['Proposed', proposed],
    ['Approved', approved],
    ['Applied', applied],
    ['Withdrawn', withdrawn],
  ];
  return (
    <dl>
      {steps.map(([label, step]) =>
        step === undefined ? null : (
          <div key={label} class="pair">
            <dt>{label}</dt>
            <dd>
              <Instant at={step.at} /> by {step.sign_in === undefined ? 'a server token' : <code>{step.sign_in}</code>}
            </dd>
          </div>
        ),
      )}
    </dl>
  );
}

interface SummaryProps {
  readonly summary: NonNullable<PlanRecord['summary']>;
  /** Whether a plan came of it. */
  readonly isPlan: boolean;
}

function Summary({ summary: { counts, brakes, notes, errors }, isPlan }: SummaryProps) {
  return (
    <>
      <h2>{isPlan ? 'What it changes' : 'What was found'}</h2>
      <dl>
        {COUNT_LABELS.filter(([name]) => (counts[name] ?? 0) > 0).map(([name, label]) => (
          <div key={name} class="pair">
            <dt>{label}</dt>
            <dd>{shownCount(counts[name] ?? 0)}</dd>
          </div>
        ))}
      </dl>
      {errors.map(({ reason, count: times }) => (
        <p key={reason} class="hint">
          {shownCount(times)} × <Its text={reason} />
        </p>
      ))}
      <h3>Brakes</h3>
      <ul>
        {brakes.map((brake) => (
          <li key={brake.name}>
            {brakeText(brake)}{' '}
            <span class={`badge ${brake.held ? 'deleted' : 'online'}`}>{brake.held ? 'exceeded' : 'within its limit'}</span>
          </li>
        ))}
      </ul>
      {notes.map((note) => (
        <Callout key={note} kind="hint">
          <Its text={note} />
        </Callout>
      ))}
    </>
  );
}

function Report({ plan: { report, state } }: { readonly plan: PlanRecord }) {
  const { counts, total = 0, exceptions = [], held_back = 0 } = report ?? {};
  if (counts === undefined) return null;
  const done = Object.entries(counts).filter(([, number]) => number > 0);
  return (
    <>
      <h2>{state === 'applied' ? 'What was done' : 'What was done so far'}</h2>
      <ul>
        {done.map(([name, number]) => (
          <li key={name}>
            {name.replaceAll('_', ' ')}: {shownCount(number)} of {shownCount(total)}
          </li>
        ))}
        {held_back > 0 ? <li>not removed, since others could not be written: {shownCount(held_back)}</li> : null}
      </ul>
      {exceptions.map(({ id = '', result, reason }) => (
        <p key={`${id} ${reason}`} class="hint">
          {id === '' ? null : <Its text={id} />} {result.replaceAll('_', ' ')}: <Its text={reason} />
        </p>
      ))}
    </>
  );
}

function PlanActions({ plan, again }: { readonly plan: PlanRecord; readonly again: () => void }) {
  const own = signInState.value.kind === 'in' ? signInState.value.id : '';
  const asked = useSignal<PlanAction | undefined>(undefined);
  const close = (): void => {
    asked.value = undefined;
  };
  return (
    <section aria-label="Actions">
      {plan.state === 'planned' && plan.proposed.sign_in === own ? (
        <Callout kind="hint">
          This sign-in proposed the plan, so another one has to approve it: send the address of this page to a colleague who is signed in.
        </Callout>
      ) : null}
      <ActionButtons
        actions={planActions(plan, own)}
        ask={(action) => {
          asked.value = action;
        }}
      />
      {asked.value === undefined ? null : (
        <StepDialog
          action={asked.value}
          onClose={close}
          onDone={() => {
            close();
            again();
          }}
        />
      )}
    </section>
  );
}

interface StepDialogProps {
  readonly action: PlanAction;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function StepDialog({ action: { label, says, isGrave, isForPeople, call }, onClose, onDone }: StepDialogProps) {
  return (
    <Confirm
      title={`${label} this plan?`}
      label={label}
      isGrave={isGrave}
      isForPeople={isForPeople === true}
      call={call}
      onClose={onClose}
      onDone={onDone}
    >
      <p>{says}</p>
    </Confirm>
  );
}
