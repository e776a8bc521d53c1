/** The settings of the application that can be changed here: how each is typed, what a change means, and the request for it. Pure. */
import { type ApiCall, updateApp } from '../talk/api-call.ts';

/** As `/settings` lists it. */
export interface ShownAppSetting {
  readonly name: string;
  readonly value: unknown;
  readonly default: unknown;
  readonly origin: 'default' | 'api';
  readonly used: boolean;
}

export interface ShownDaemonSetting {
  readonly key: string;
  readonly value: string;
  readonly origin: 'default' | 'file' | 'env' | 'flag';
  readonly from: string;
  readonly default: string;
  readonly allowed: string;
  readonly about: string;
  readonly env: string;
  readonly flag: string;
  readonly secret: boolean;
}

export type SettingField =
  | { readonly kind: 'switch' | 'text' | 'list' | 'time' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

interface EditableSetting {
  readonly field: SettingField;
  readonly about: string;
  /** What a value means, beyond being stored. */
  says?(value: unknown): readonly string[];
}

const onOff =
  (on: string, off: string) =>
  (value: unknown): readonly string[] => [value === true ? on : off];

export const EDITABLE: ReadonlyMap<string, EditableSetting> = new Map<string, EditableSetting>([
  ['name', { field: { kind: 'text' }, about: 'Name of the application.' }],
  ['organization', { field: { kind: 'text' }, about: 'Who runs the application.' }],
  [
    'enforce_unique_usernames',
    {
      field: { kind: 'choice', choices: ['no', 'app', 'team'] },
      about: 'Whether two users may have the same name: in the application, or in a team.',
      says: (value) =>
        value === 'no'
          ? ['Users may have the same name.']
          : ['A name that another user has is refused from then on. Users who share a name now keep it.'],
    },
  ],
  [
    'multi_tenant_enabled',
    {
      field: { kind: 'switch' },
      about: 'Whether clients see only users of their own teams.',
      says: onOff(
        'Clients see only users of their own teams at once; those without a team see only each other.',
        'Clients see users of all teams at once.',
      ),
    },
  ],
  [
    'guest_user_creation_disabled',
    {
      field: { kind: 'switch' },
      about: 'Whether guests are turned away.',
      says: onOff('No new guests can be made. Those that there are stay.', 'Anybody with the API key can become a guest.'),
    },
  ],
  [
    'disable_auth_checks',
    {
      field: { kind: 'switch' },
      about: 'Whether users can connect with development tokens, which nobody signed.',
      says: onOff(
        'ANYBODY can then connect as ANY user, with a token of their own making. Only for development.',
        'Only signed tokens are good.',
      ),
    },
  ],
  [
    'disable_permissions_checks',
    {
      field: { kind: 'switch' },
      about: 'Whether clients may do what their role does not grant.',
      says: onOff('Every client may then do everything but change roles. Only for development.', 'Clients may do what their role grants.'),
    },
  ],
  ['permission_version', { field: { kind: 'choice', choices: ['v1', 'v2'] }, about: 'The version of permissions that clients read.' }],
  [
    'user_search_disallowed_roles',
    {
      field: { kind: 'list' },
      about: 'Roles whose users clients do not find.',
      says: () => ['It counts from the next query of a client on.'],
    },
  ],
  [
    'webhook_url',
    { field: { kind: 'text' }, about: 'Where events are sent by HTTP. Several, with their own choice of events: event_hooks.' },
  ],
  ['webhook_events', { field: { kind: 'list' }, about: 'The types of events that are sent there; none: all.' }],
  ['enable_hook_payload_compression', { field: { kind: 'switch' }, about: 'Whether the bodies of webhooks are packed.' }],
  [
    'revoke_tokens_issued_before',
    {
      field: { kind: 'time' },
      about: 'Tokens of users that were issued before this time are no longer good.',
      says: (value) =>
        value === null
          ? ['Tokens are good again, whenever they were issued.']
          : ['Connections with an older token end within a second. Their users need a new token.'],
    },
  ],
]);

/** The text of a field for a value. */
export function typedText({ kind }: SettingField, value: unknown): string {
  if (kind === 'list') return Array.isArray(value) ? value.join(', ') : '';
  if (kind === 'time') return typeof value === 'number' ? new Date(value / 1e6).toISOString() : '';
  return String(value ?? '');
}

/** A value as it is shown beside another one; null where there is nothing. */
export function settingShown(field: SettingField, value: unknown): unknown {
  if (typedText(field, value) === '') return field.kind === 'time' && typeof value === 'string' ? value : null;
  return field.kind === 'time' ? typedText(field, value) : value;
}

/** The value that was typed. Throws Error with what is wrong. */
export function typedValue({ kind }: SettingField, text: string): unknown {
  const trimmed = text.trim();
  if (kind === 'switch') return trimmed === 'true';
  if (kind === 'list') return trimmed === '' ? [] : trimmed.split(/[\s,]+/);
  if (kind !== 'time') return trimmed;
  if (trimmed === '') return null;
  const date = new Date(trimmed);
  if (Number.isNaN(date.getTime())) throw new Error('The time must be like 2026-03-04T05:06:07Z, or empty.');
  return date.toISOString();
}

/** Whether a typed value is what is there. */
export function isSameSetting(field: SettingField, before: unknown, after: unknown): boolean {
  const shown = field.kind === 'time' && typeof after === 'string' ? after : typedText(field, after);
  return typedText(field, before) === shown;
}

/** `tag`: the revision of the settings that were looked at. */
export function settingCall(name: string, value: unknown, tag: string | undefined): ApiCall {
  return updateApp({ [name]: value }, tag);
}

/** A value in which something is masked cannot be edited: the mask would be stored. */
export function isMasked(value: unknown): boolean {
  return JSON.stringify(value ?? null).includes('********');
}

/** How a setting of the daemon is changed. */
export function changeHint({ key, env, flag, secret }: Pick<ShownDaemonSetting, 'key' | 'env' | 'flag' | 'secret'>): string {
  const flagged = secret ? '' : `, or ${flag}`;
  return `"${key}" in the configuration file, or ${env}${flagged}; then restart the daemon.`;
}
