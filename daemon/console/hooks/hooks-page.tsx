/** The webhooks: how each fares, and a new one. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, Instant, Its } from '../parts/its.tsx';
import { type Loaded, useLoaded } from '../parts/loaded.ts';
import { useTicks } from '../parts/ticks.ts';
import { isRecord, rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { HookForm } from './hook-form.tsx';
import { type HookFares, type HookSettings, hooksOfApp, type SeenHooks, shownAddress, stateOfHook } from './hook-list.ts';
import { TrialDialog } from './trial-dialog.tsx';

const LOOK_MS = 2_000;

export interface LoadedHooks extends Pick<Loaded, 'error' | 'isLoading' | 'again'> {
  readonly seen: SeenHooks;
  readonly fares: ReadonlyMap<string, HookFares>;
  /** Both answers have come. */
  readonly isThere: boolean;
}

/** The settings of the hooks, and how they fare, looked at every few seconds. */
export function useHooks(): LoadedHooks {
  const version = useTicks(LOOK_MS);
  const app = useLoaded({ method: 'GET', path: '/api/v2/app' }, { version });
  const states = useLoaded({ method: 'GET', path: '/api/v2/hooks' }, { version });
  const list = rowsOf<HookFares>(states.answer, 'hooks');
  return {
    seen: { hooks: hooksOfApp(isRecord(app.answer?.app) ? app.answer.app : undefined), tag: app.tag },
    fares: new Map(list.map((one) => [one.id, one])),
    isThere: app.answer !== undefined && states.answer !== undefined,
    error: app.error ?? states.error,
    isLoading: app.isLoading || states.isLoading,
    again: () => {
      app.again();
      states.again();
    },
  };
}

export function HooksPage() {
  const { seen, fares, isThere, error, again } = useHooks();
  const { hooks } = seen;
  const asked = useSignal<'new' | 'trial' | undefined>(undefined);
  const said = useSignal('');
  const close = (): void => {
    asked.value = undefined;
  };
  return (
    <>
      <Heading title="Webhooks">Webhooks</Heading>
      <p>Addresses to which rosterd sends events by HTTP: each event at least once, and those of one user in order.</p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {said.value === '' ? null : <Callout kind="good">{said.value}</Callout>}
      {mayOperate() ? (
        <div class="buttons">
          <button type="button" onClick={() => (asked.value = 'new')}>
            New webhook…
          </button>
          <button type="button" onClick={() => (asked.value = 'trial')}>
            Test an address…
          </button>
        </div>
      ) : null}
      {isThere && hooks.length === 0 ? <p class="none">There is no webhook.</p> : null}
      <ul class="cards hooks">
        {hooks.map((hook) => (
          <HookCard key={hook.id} hook={hook} fares={fares.get(hook.id)} />
        ))}
      </ul>
      {asked.value === 'new' ? (
        <HookForm
          seen={seen}
          hook={undefined}
          onClose={close}
          onDone={() => {
            close();
            said.value = 'The webhook was made. It gets every event from now on.';
            again();
          }}
        />
      ) : null}
      {asked.value === 'trial' ? <TrialDialog hook={undefined} onClose={close} /> : null}
    </>
  );
}

function HookCard({ hook, fares }: { readonly hook: HookSettings; readonly fares: HookFares | undefined }) {
  const state = fares === undefined ? undefined : stateOfHook(fares);
  return (
    <li>
      <p>
        <a href={linkTo(['hooks', hook.id])}>
          <Its text={hook.webhook_url === undefined ? hook.id : shownAddress(hook.webhook_url)} />
        </a>{' '}
        {state === undefined ? null : <Badges states={[state.badge]} />}
      </p>
      <p class="hint">
        <Its text={hook.id} />
      </p>
      {fares === undefined || state === undefined ? null : (
        <>
          {state.badge === 'up' ? null : <p>{state.says}</p>}
          <HookCounts fares={fares} />
        </>
      )}
    </li>
  );
}

/** In one line: what waits, what was given up, and when it last worked. */
export function HookCounts({ fares }: { readonly fares: HookFares }) {
  const { lag, parked, dead, lost, last_success_at, last_error } = fares;
  if (fares.kind !== 'webhook') return null;
  return (
    <dl class="counts">
      <Count name="Lag" value={lag} />
      <Count name="Parked" value={parked} />
      <Count name="Dead" value={dead} isBad={dead > 0} />
      <Count name="Lost" value={lost} isBad={lost > 0} />
      <div>
        <dt>Last success</dt>
        <dd>
          <Instant at={last_success_at} />
        </dd>
      </div>
      {last_error === undefined ? null : (
        <div>
          <dt>Last error</dt>
          <dd>
            <Instant at={last_error.at} />: <Its text={last_error.reason} />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Count({ name, value, isBad = false }: { readonly name: string; readonly value: number | undefined; readonly isBad?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? 'bad' : ''}>{value === undefined ? 'none' : value.toLocaleString('en')}</dd>
    </div>
  );
}
