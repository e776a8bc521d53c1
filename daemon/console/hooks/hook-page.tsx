/** One webhook: how it fares, its settings, what can be done, and the events that were given up. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, Its, ItsValue } from '../parts/its.tsx';
import { mayOperate } from '../talk/session.ts';
import { HookForm } from './hook-form.tsx';
import {
  type HookFares,
  type HookSettings,
  otherSettings,
  putCall,
  removeCall,
  shownAddress,
  stateOfHook,
  URL_SETTING,
} from './hook-list.ts';
import { HookCounts, useHooks } from './hooks-page.tsx';
import { LettersSection } from './letters-section.tsx';
import { TrialDialog } from './trial-dialog.tsx';

export function HookPage({ id }: { readonly id: string }) {
  const { hooks, fares, isThere, error, again } = useHooks();
  const said = useSignal('');
  const hook = hooks.find((one) => one.id === id);
  const state = fares.get(id);
  return (
    <>
      <p>
        <a href={linkTo(['hooks'])}>All webhooks</a>
      </p>
      <Heading title="Webhook">
        <Its text={hook?.webhook_url === undefined ? id : shownAddress(hook.webhook_url)} />
      </Heading>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {said.value === '' ? null : <Callout kind="good">{said.value}</Callout>}
      {isThere && hook === undefined ? <p>There is no such webhook now.</p> : null}
      {hook === undefined ? null : (
        <>
          {state === undefined ? null : <FaresSection fares={state} />}
          {mayOperate() ? (
            <HookActions
              hooks={hooks}
              hook={hook}
              onDone={(text) => {
                said.value = text;
                again();
              }}
            />
          ) : null}
          <SettingsSection hook={hook} />
          {hook.hook_type === 'webhook' ? <LettersSection hookId={id} dead={state?.dead ?? 0} isEnabled={hook.enabled} /> : null}
        </>
      )}
    </>
  );
}

function FaresSection({ fares }: { readonly fares: HookFares }) {
  const { badge, says } = stateOfHook(fares);
  return (
    <section aria-label="How it fares">
      <p role="status">
        <Badges states={[badge]} /> {says}
      </p>
      <HookCounts fares={fares} />
      <p class="hint">
        Lag: positions still to process. Parked: waiting for another try. Dead: given up, kept below. Lost: gone, as there was no room left.
      </p>
    </section>
  );
}

function SettingsSection({ hook }: { readonly hook: HookSettings }) {
  const rest = otherSettings(hook);
  return (
    <section aria-labelledby="hook-settings">
      <h2 id="hook-settings">Settings</h2>
      <dl>
        <dt>Id</dt>
        <dd>
          <Its text={hook.id} />
        </dd>
        <dt>Kind</dt>
        <dd>{hook.hook_type}</dd>
        <dt>Event types</dt>
        <dd>{hook.event_types.length === 0 ? 'all' : <Its text={hook.event_types.join(', ')} />}</dd>
        <dt>Form</dt>
        <dd>{hook.dialect}</dd>
        <dt>Time for one request</dt>
        <dd>{hook.timeout_ms === undefined ? '6,000 ms' : `${hook.timeout_ms.toLocaleString('en')} ms`}</dd>
        {Object.keys(rest).length === 0 ? null : (
          <>
            <dt>Others</dt>
            <dd>
              <ItsValue value={rest} label="Other settings" />
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

interface HookActionsProps {
  readonly hooks: readonly HookSettings[];
  readonly hook: HookSettings;
  /** Gets what was done, in words. */
  readonly onDone: (said: string) => void;
}

type Asked = 'edit' | 'switch' | 'remove' | 'trial' | undefined;

function HookActions({ hooks, hook, onDone }: HookActionsProps) {
  const asked = useSignal<Asked>(undefined);
  const ask = (what: Asked) => () => {
    asked.value = what;
  };
  const close = ask(undefined);
  const done = (text: string) => () => {
    close();
    onDone(text);
  };
  const isWebhook = hook.hook_type === 'webhook';
  return (
    <section aria-label="Actions">
      <div class="buttons">
        {isWebhook ? (
          <>
            <button type="button" onClick={ask('trial')}>
              Send a test event…
            </button>
            <button type="button" onClick={ask('edit')}>
              Change…
            </button>
          </>
        ) : null}
        {hook.id === URL_SETTING ? null : (
          <button type="button" onClick={ask('switch')}>
            {hook.enabled ? 'Disable…' : 'Enable…'}
          </button>
        )}
        <button type="button" class="grave" onClick={ask('remove')}>
          Remove…
        </button>
      </div>
      {asked.value === 'trial' ? <TrialDialog hook={hook} onClose={close} /> : null}
      {asked.value === 'edit' ? <HookForm hooks={hooks} hook={hook} onClose={close} onDone={done('The webhook was changed.')} /> : null}
      {asked.value === 'switch' ? (
        <Confirm
          title={hook.enabled ? 'Disable this webhook?' : 'Enable this webhook?'}
          label={hook.enabled ? 'Disable' : 'Enable'}
          call={putCall(hooks, { ...hook, enabled: !hook.enabled })}
          onClose={close}
          onDone={done(hook.enabled ? 'The webhook is disabled.' : 'The webhook is enabled.')}
        >
          <p>
            {hook.enabled
              ? 'Nothing more is sent to it. Events of the time in which it is disabled are never sent; what is parked or dead is kept.'
              : 'It gets every event from now on, and what is parked is tried at once.'}
          </p>
        </Confirm>
      ) : null}
      {asked.value === 'remove' ? (
        <Confirm
          title="Remove this webhook?"
          label="Remove"
          isGrave
          call={removeCall(hooks, hook.id)}
          onClose={close}
          onDone={done('The webhook was removed.')}
        >
          <p>Nothing more is sent to it, and everything that is parked or dead is removed with it. That cannot be undone.</p>
        </Confirm>
      ) : null}
    </section>
  );
}
