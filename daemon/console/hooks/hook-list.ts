/** Webhooks as the console shows and changes them: the settings, how each fares, and what of an address is shown. Pure. */
import { type ApiCall, type JsonRecord, updateApp } from '../talk/api-call.ts';

/** The id of the hook that the setting `webhook_url` makes. */
export const URL_SETTING = 'webhook_url';

/** A hook of `GET /app`, or the setting `webhook_url` in the same form. */
export interface HookSettings {
  readonly id: string;
  readonly hook_type: string;
  readonly enabled: boolean;
  readonly event_types: readonly string[];
  readonly webhook_url?: string;
  readonly timeout_ms?: number;
  readonly dialect: string;
  /** What the console does not know of is kept as it is. */
  readonly [other: string]: unknown;
}

/** How a hook fares, as `GET /hooks` says. Times are nanoseconds. */
export interface HookFares {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly lag?: number;
  readonly parked: number;
  readonly dead: number;
  readonly lost: number;
  readonly last_error?: { readonly reason: string; readonly at: number };
  readonly last_success_at?: number;
}

/** What a form of a webhook holds. */
export interface HookFields {
  /** Empty: as it is. */
  readonly url: string;
  /** With commas or spaces between; empty: all. */
  readonly eventTypes: string;
  readonly dialect: string;
  /** Milliseconds; empty: the default. */
  readonly timeoutMs: string;
}

/** The hooks of the settings in their order, that of `webhook_url` first. */
export function hooksOfApp(app: JsonRecord | undefined): readonly HookSettings[] {
  const list = Array.isArray(app?.event_hooks) ? (app.event_hooks as readonly HookSettings[]) : [];
  const url = app?.webhook_url;
  if (typeof url !== 'string' || url === '') return list;
  const event_types = Array.isArray(app?.webhook_events) ? app.webhook_events : [];
  return [{ id: URL_SETTING, hook_type: 'webhook', enabled: true, event_types, webhook_url: url, dialect: 'v1' }, ...list];
}

/** The state in a word that is a badge, and in a sentence. */
export function stateOfHook({ state, kind, last_error }: HookFares): { readonly badge: string; readonly says: string } {
  switch (state) {
    case 'ok':
      return { badge: 'up', says: 'Events are delivered.' };
    case 'down':
      return {
        badge: 'down',
        says: `Nothing gets through${last_error === undefined ? '' : `: ${last_error.reason}`}. Events wait; single requests try it.`,
      };
    case 'disabled':
      return { badge: 'disabled', says: 'It is switched off, and collects nothing.' };
    default:
      return { badge: state, says: `rosterd keeps the settings of a hook of the kind ${kind}, and delivers nothing to it.` };
  }
}

/** An address without what may be secret: a user and a password, and the values of its query. */
export function shownAddress(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  const query = [...url.searchParams.keys()].map((key) => `${key}=•••`).join('&');
  return `${url.protocol}//${url.username === '' ? '' : '•••@'}${url.host}${url.pathname}${query === '' ? '' : `?${query}`}`;
}

/** The other settings of a hook, with a mask for what may be secret. */
export function otherSettings(hook: HookSettings): JsonRecord {
  const shown = new Set([
    'id',
    'hook_type',
    'enabled',
    'event_types',
    'webhook_url',
    'timeout_ms',
    'dialect',
    'product',
    'created_at',
    'updated_at',
  ]);
  const rest = Object.entries(hook).filter(([key]) => !shown.has(key));
  return Object.fromEntries(rest.map(([key, value]) => [key, /secret|key|token|password/i.test(key) ? '•••' : value]));
}

/** The hooks of the settings as they were looked at, and the revision of these settings. */
export interface SeenHooks {
  readonly hooks: readonly HookSettings[];
  readonly tag: string | undefined;
}

/** The call that puts a hook in the place of the one with its id, or at the end. */
export function putCall({ hooks, tag }: SeenHooks, hook: HookSettings | Omit<HookSettings, 'id'>): ApiCall {
  const { id } = hook;
  if (id === URL_SETTING) return updateApp({ webhook_url: hook.webhook_url, webhook_events: hook.event_types }, tag);
  const isKnown = hooks.some((one) => one.id === id);
  return updateHooks(isKnown ? hooks.map((one) => (one.id === id ? hook : one)) : [...hooks, hook], tag);
}

export function removeCall({ hooks, tag }: SeenHooks, id: string): ApiCall {
  if (id === URL_SETTING) return updateApp({ webhook_url: '' }, tag);
  return updateHooks(
    hooks.filter((one) => one.id !== id),
    tag,
  );
}

function updateHooks(hooks: readonly (HookSettings | Omit<HookSettings, 'id'>)[], tag: string | undefined): ApiCall {
  const sent = hooks.filter(({ id }) => id !== URL_SETTING).map(({ created_at: _, updated_at: __, ...hook }) => hook);
  return updateApp({ event_hooks: sent }, tag);
}

export function fieldsOf(hook: HookSettings | undefined): HookFields {
  const { event_types = [], dialect = 'v2', timeout_ms } = hook ?? {};
  return { url: '', eventTypes: event_types.join(', '), dialect, timeoutMs: timeout_ms === undefined ? '' : String(timeout_ms) };
}

/** The hook that a form makes of `before`, or a new one. Wrong fields are for the daemon to name. */
export function hookOfFields(before: HookSettings | undefined, fields: HookFields): HookSettings | Omit<HookSettings, 'id'> {
  const event_types = fields.eventTypes.split(/[\s,]+/).filter((type) => type !== '');
  const url = fields.url.trim();
  const { timeout_ms: _, ...kept } = before ?? { hook_type: 'webhook', enabled: true };
  return {
    ...kept,
    ...(url === '' ? undefined : { webhook_url: url }),
    event_types,
    dialect: fields.dialect,
    ...timeoutOf(fields.timeoutMs),
  } as HookSettings;
}

/** What is no number is sent as it is, so that the daemon refuses it by name. */
export function timeoutOf(text: string): JsonRecord | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  return { timeout_ms: /^\d+$/.test(trimmed) ? Number(trimmed) : trimmed };
}
