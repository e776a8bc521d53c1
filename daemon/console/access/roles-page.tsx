/** Roles, and what the clients of each may do. */

import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, DoneText, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { TextField } from '../parts/text-field.tsx';
import { Tick } from '../parts/tick.tsx';
import { whyUnchanged } from '../talk/api.ts';
import { rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { type GrantSettings, grantSettingsOf, grantsCall, grantsOf, grantsSay } from './role-grants.ts';

interface ShownRole {
  readonly name: string;
  readonly custom: boolean;
}

type Asked = { readonly kind: 'create' } | { readonly kind: 'delete' | 'grants'; readonly role: ShownRole };

export function RolesPage() {
  const version = useSignal(0);
  const asked = useSignal<Asked | undefined>(undefined);
  const said = useSignal('');
  const { answer, error } = useLoaded({ method: 'GET', path: '/api/v2/roles' }, { version: version.value });
  const app = useLoaded({ method: 'GET', path: '/api/v2/app' }, { version: version.value });
  const listed = useLoaded({ method: 'GET', path: '/api/v2/permissions' });
  const roles = rowsOf<ShownRole>(answer, 'roles');
  const settings = grantSettingsOf(app.answer?.app, listed.answer?.permissions);
  const close = (): void => {
    asked.value = undefined;
  };
  const seen = (): void => {
    close();
    version.value++;
  };
  const done = (text: string): void => {
    seen();
    said.value = text;
  };
  const isKnown = app.answer !== undefined && listed.answer !== undefined;
  const failed = error ?? app.error ?? listed.error;
  return (
    <>
      <Heading title="Roles">Roles</Heading>
      <p>Each user has one role. It decides what the clients of the user may do; servers may do everything.</p>
      {settings.isUnchecked ? (
        <Callout kind="error">{'"disable_permissions_checks" is on: every client may do everything, whatever is set here.'}</Callout>
      ) : null}
      {failed === undefined ? null : <Callout kind="error">{failed}</Callout>}
      <DoneText text={said.value} />
      {mayOperate() ? (
        <button
          type="button"
          onClick={() => {
            asked.value = { kind: 'create' };
          }}
        >
          Create a role…
        </button>
      ) : null}
      <ul class="cards" aria-label="Roles">
        {isKnown
          ? roles.map((role) => (
              <RoleCard
                key={role.name}
                role={role}
                settings={settings}
                ask={(kind) => {
                  asked.value = { kind, role };
                }}
              />
            ))
          : null}
      </ul>
      {asked.value?.kind === 'create' ? <CreateDialog onClose={close} onDone={done} /> : null}
      {asked.value?.kind === 'delete' ? <DeleteDialog role={asked.value.role} onClose={close} onDone={done} /> : null}
      {asked.value?.kind === 'grants' ? (
        <GrantsDialog role={asked.value.role} settings={settings} tag={app.tag} onClose={seen} onDone={done} />
      ) : null}
    </>
  );
}

interface RoleCardProps {
  readonly role: ShownRole;
  readonly settings: GrantSettings;
  readonly ask: (kind: 'delete' | 'grants') => void;
}

function RoleCard({ role, settings, ask }: RoleCardProps) {
  const { ids, isSet } = grantsOf(role.name, settings);
  return (
    <li>
      <h2>
        <Its text={role.name} /> <span class="badge">{role.custom ? 'custom' : 'built-in'}</span>{' '}
        {isSet ? <span class="badge created">own permissions</span> : null}
      </h2>
      {ids.length === 0 ? <p class="none">Its clients may do nothing.</p> : null}
      <ul class="inline" aria-label={`Permissions of ${role.name}`}>
        {ids.map((id) => (
          <li key={id}>
            <code>
              <Its text={id} />
            </code>
          </li>
        ))}
      </ul>
      <div class="buttons">
        <a href={linkTo(['users'], { role: role.name })}>Users with this role</a>
        {mayOperate() ? (
          <button type="button" onClick={() => ask('grants')}>
            Change permissions<span class="hidden"> of {role.name}</span>…
          </button>
        ) : null}
        {mayOperate() && role.custom ? (
          <button type="button" class="grave" onClick={() => ask('delete')}>
            Delete<span class="hidden"> {role.name}</span>…
          </button>
        ) : null}
      </div>
    </li>
  );
}

interface RoleDialogProps {
  readonly onClose: () => void;
  readonly onDone: (said: string) => void;
}

function CreateDialog({ onClose, onDone }: RoleDialogProps) {
  const name = useSignal('');
  return (
    <Confirm
      title="Create a role?"
      label="Create"
      isReady={name.value !== ''}
      says={['Users can be given the role from then on.', 'Its clients may do what those of "user" may, until you change that.']}
      call={{ method: 'POST', path: '/api/v2/roles', body: { name: name.value } }}
      onClose={onClose}
      onDone={() => onDone(`The role ${name.value} is there.`)}
    >
      <TextField
        label="Name"
        value={name.value}
        onInput={(typed) => {
          name.value = typed;
        }}
      />
    </Confirm>
  );
}

function DeleteDialog({ role: { name }, onClose, onDone }: RoleDialogProps & { readonly role: ShownRole }) {
  return (
    <Confirm
      title={`Delete the role ${name}?`}
      label="Delete"
      isGrave
      says={['It is refused while a user has the role, or while it has permissions of its own.']}
      call={{ method: 'DELETE', path: `/api/v2/roles/${encodeURIComponent(name)}` }}
      onClose={onClose}
      onDone={() => onDone(`The role ${name} is deleted.`)}
    />
  );
}

interface GrantsDialogProps extends RoleDialogProps {
  readonly role: ShownRole;
  readonly settings: GrantSettings;
  /** The revision of the settings. */
  readonly tag: string | undefined;
}

function GrantsDialog({ role: { name }, settings, tag, onClose, onDone }: GrantsDialogProps) {
  const { ids: before, isSet } = grantsOf(name, settings);
  const chosen = useSignal<readonly string[]>(before);
  const isReset = useSignal(false);
  const built = grantsOf(name, { ...settings, grants: {} }).ids;
  const after = isReset.value ? built : chosen.value;
  const known = [
    ...settings.permissions,
    ...before.filter((id) => !settings.permissions.some((one) => one.id === id)).map((id) => ({ id, description: '' })),
  ];
  return (
    <Confirm
      title={`Permissions of ${name}`}
      label="Save"
      says={
        isReset.value ? [...grantsSay(name, before, after), 'The role has the built-in permissions again.'] : grantsSay(name, before, after)
      }
      call={grantsCall(name, isReset.value ? null : chosen.value, tag)}
      explain={whyUnchanged('The settings have')}
      onClose={onClose}
      onDone={() => onDone(`The permissions of ${name} are saved.`)}
    >
      <fieldset disabled={isReset.value}>
        <legend>Its clients may</legend>
        {known.map(({ id, description }) => (
          <Tick
            key={id}
            isOn={after.includes(id)}
            onChange={(isOn) => {
              const others = chosen.value.filter((one) => one !== id);
              chosen.value = isOn ? [...others, id] : others;
            }}
          >
            <span>
              <code>
                <Its text={id} />
              </code>{' '}
              <span class="hint">
                <Its text={description || 'no description'} />
              </span>
            </span>
          </Tick>
        ))}
      </fieldset>
      {isSet ? (
        <Tick
          isOn={isReset.value}
          onChange={(isOn) => {
            isReset.value = isOn;
          }}
        >
          Back to the built-in permissions
        </Tick>
      ) : null}
    </Confirm>
  );
}
