/** The settings in force: those of the application, which can be changed here, and those of the daemon, which cannot. */

import { type Signal, useSignal } from '@preact/signals';
import { Heading } from '../parts/heading.tsx';
import { Callout, DoneText, Its, ItsValue } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { TextField } from '../parts/text-field.tsx';
import { Tick } from '../parts/tick.tsx';
import { rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { changeHint, EDITABLE, type ShownAppSetting, type ShownDaemonSetting } from './app-settings.ts';
import { SettingDialog } from './setting-dialog.tsx';

const DAEMON_ORIGINS = { default: 'default', file: 'file', env: 'environment', flag: 'flag' } as const;

export function SettingsPage() {
  const { answer, tag, error, isLoading, again } = useLoaded({ method: 'GET', path: '/api/v2/settings' });
  const text = useSignal('');
  const onlyChanged = useSignal(false);
  const asked = useSignal<ShownAppSetting | undefined>(undefined);
  const said = useSignal('');
  const app = rowsOf<ShownAppSetting>(answer, 'app');
  const daemon = rowsOf<ShownDaemonSetting>(answer, 'daemon');
  const isShown = (name: string, origin: string): boolean =>
    name.includes(text.value.trim().toLowerCase()) && (!onlyChanged.value || origin !== 'default');
  const shownApp = app.filter(({ name, origin }) => isShown(name, origin));
  const shownDaemon = daemon.filter(({ key, origin }) => isShown(key, origin));
  const repeated = shownApp.filter(({ used }) => !used);
  return (
    <>
      <Heading title="Settings">Settings</Heading>
      <SettingFilters text={text} onlyChanged={onlyChanged} />
      <p role="status" class="hint">
        {isLoading ? 'Looking…' : `${shownApp.length + shownDaemon.length} settings.`}
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <DoneText text={said.value} />
      <h2>Of the application</h2>
      <p>They are part of the directory, the same on all nodes, and count at once.</p>
      <ul class="cards" aria-label="Settings of the application">
        {shownApp
          .filter(({ used }) => used)
          .map((setting) => (
            <AppCard
              key={setting.name}
              setting={setting}
              change={() => {
                asked.value = setting;
              }}
            />
          ))}
      </ul>
      <details>
        <summary>{repeated.length} that rosterd only keeps and repeats</summary>
        <ul class="cards" aria-label="Settings that are only repeated">
          {repeated.map((setting) => (
            <AppCard key={setting.name} setting={setting} />
          ))}
        </ul>
      </details>
      <DaemonSettings shown={shownDaemon} />
      {asked.value === undefined ? null : (
        <SettingDialog
          setting={asked.value}
          tag={tag}
          onClose={() => {
            asked.value = undefined;
            again();
          }}
          onDone={(name) => {
            asked.value = undefined;
            said.value = `The setting ${name} is saved.`;
            again();
          }}
        />
      )}
    </>
  );
}

function SettingFilters({ text, onlyChanged }: { readonly text: Signal<string>; readonly onlyChanged: Signal<boolean> }) {
  return (
    <search class="filters">
      <TextField
        label="Name contains"
        isSearch
        value={text.value}
        onInput={(typed) => {
          text.value = typed;
        }}
      />
      <Tick
        isOn={onlyChanged.value}
        onChange={(isOn) => {
          onlyChanged.value = isOn;
        }}
      >
        Only those that differ from the default
      </Tick>
    </search>
  );
}

function DaemonSettings({ shown }: { readonly shown: readonly ShownDaemonSetting[] }) {
  return (
    <>
      <h2>Of the daemon</h2>
      <p>
        They are read when the daemon starts. Secrets are never shown. Where there are several nodes, these are those of the node that
        answers.
      </p>
      <ul class="cards" aria-label="Settings of the daemon">
        {shown.map((setting) => (
          <DaemonCard key={setting.key} setting={setting} />
        ))}
      </ul>
    </>
  );
}

function AppCard({ setting, change }: { readonly setting: ShownAppSetting; readonly change?: () => void }) {
  const { name, value, origin } = setting;
  const editable = EDITABLE.get(name);
  return (
    <li class="setting">
      <div>
        <p>
          <code>
            <Its text={name} />
          </code>{' '}
          <span class={`badge ${origin === 'api' ? 'created' : ''}`}>{origin === 'api' ? 'changed over the API' : 'default'}</span>
        </p>
        <ItsValue value={shownValue(name, value)} label={name} />
        {editable === undefined ? null : <p class="hint">{editable.about}</p>}
        {editable === undefined && change !== undefined ? (
          <p class="hint">
            {name === 'grants' ? (
              'Changed on the page of roles.'
            ) : (
              <>
                Changed with <code>rosterd call PATCH /api/v2/app</code>.
              </>
            )}
          </p>
        ) : null}
      </div>
      {change !== undefined && editable !== undefined && mayOperate() ? (
        <button type="button" onClick={change}>
          Change<span class="hidden"> {name}</span>…
        </button>
      ) : null}
    </li>
  );
}

/** Of a time, what people read. */
function shownValue(name: string, value: unknown): unknown {
  return name === 'revoke_tokens_issued_before' && typeof value === 'number' ? new Date(value / 1e6).toISOString() : value;
}

function DaemonCard({ setting }: { readonly setting: ShownDaemonSetting }) {
  const { key, value, origin, from, about, allowed, default: initial } = setting;
  return (
    <li>
      <p>
        <code>{key}</code> <span class={`badge ${origin === 'default' ? '' : 'created'}`}>{DAEMON_ORIGINS[origin]}</span>{' '}
        {origin === 'default' ? null : (
          <span class="hint">
            <Its text={from} />
          </span>
        )}
      </p>
      <p>
        <bdi class="its-value">{value}</bdi>
      </p>
      <details>
        <summary>What it does, and how to change it</summary>
        <p>{about.replaceAll('`', '')}</p>
        <p class="hint">
          Allowed: {allowed}. Default: {initial}. To change it: {changeHint(setting)}
        </p>
      </details>
    </li>
  );
}
