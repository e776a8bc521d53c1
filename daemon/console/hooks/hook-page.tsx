/** One webhook: how it fares, its settings, what can be done, and the events that were given up. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, Its, ItsValue } from '../parts/its.tsx';
import { whyUnchanged } from '../talk/api.ts';
import { mayOperate } from '../talk/session.ts';
import { HookForm } from './hook-form.tsx';
import {
  type HookFares,
  type HookSettings,
  otherSettings,
  putCall,
  removeCall,
  type SeenHooks,
  shownAddress,
  stateOfHook,
  URL_SETTING,
} from './hook-list.ts';
import { HookCounts, useHooks } from './hooks-page.tsx';
import { LettersSection } from './letters-section.tsx';
import { TrialDialog } from './trial-dialog.tsx';

export function HookPage({ id }: { readonly id: string }) {
  const { seen, fares, isThere, error, again } = useHooks();
  const said = useSignal('');
  const hook = seen.hooks.find((one) => one.id === id);
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
              seen={seen}
              hook={hook}
              onDone={(text) => {
                said.value = text;
              }}
              again={again}
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
  readonly seen: SeenHooks;
  readonly hook: HookSettings;
  /** Gets what was done, in words. */
  readonly onDone: (said: string) => void;
  /** Looks at the settings again. */
  readonly again: () => void;
}

/** With the settings as they were when it was asked for: the page goes on looking at them. */
interface Asked extends Pick<HookActionsProps, 'seen' | 'hook'> {
  readonly what: 'edit' | 'switch' | 'remove' | 'trial';
}

function HookActions({ seen, hook, onDone, again }: HookActionsProps) {
  const asked = useSignal<Asked | undefined>(undefined);
  const ask = (what: Asked['what']) => () => {
    asked.value = { what, seen, hook };
  };
  const close = (): void => {
    asked.value = undefined;
    again();
  };
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
      {asked.value === undefined ? null : <AskedDialog asked={asked.value} close={close} done={done} />}
    </section>
  );
}

interface AskedDialogProps {
  readonly asked: Asked;
  readonly close: () => void;
  readonly done: (said: string) => () => void;
}

function AskedDialog({ asked: { what, seen, hook }, close, done }: AskedDialogProps) {
  const explain = whyUnchanged('The settings have');
  switch (what) {
    case 'trial':
      return <TrialDialog hook={hook} onClose={close} />;
    case 'edit':
      return <HookForm seen={seen} hook={hook} onClose={close} onDone={done('The webhook was changed.')} />;
    case 'switch':
      return (
        <Confirm
          title={hook.enabled ? 'Disable this webhook?' : 'Enable this webhook?'}
          label={hook.enabled ? 'Disable' : 'Enable'}
          call={putCall(seen, { ...hook, enabled: !hook.enabled })}
          explain={explain}
          onClose={close}
          onDone={done(hook.enabled ? 'The webhook is disabled.' : 'The webhook is enabled.')}
        >
          <p>
            {hook.enabled
              ? 'Nothing more is sent to it. Events of the time in which it is disabled are never sent; what is parked or dead is kept.'
              : 'It gets every event from now on, and what is parked is tried at once.'}
          </p>
        </Confirm>
      );
    case 'remove':
      return (
        <Confirm
          title="Remove this webhook?"
          label="Remove"
          isGrave
          call={removeCall(seen, hook.id)}
          explain={explain}
          onClose={close}
          onDone={done('The webhook was removed.')}
        >
          <p>Nothing more is sent to it, and everything that is parked or dead is removed with it. That cannot be undone.</p>
        </Confirm>
      );
  }
}
