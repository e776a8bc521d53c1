/** The hooks of the application, derived from its settings for delivery. Pure. */
import type { AppSettings } from '../app/settings.ts';

/** Id of the hook that the setting `webhook_url` defines. No other hook may have it. */
export const WEBHOOK_URL_ID = 'webhook_url';

export type HookKind = 'webhook' | 'sqs' | 'sns' | 'pending_message';

export interface Hook {
  readonly id: string;
  readonly kind: HookKind;
  readonly isEnabled: boolean;
  /** The address of a webhook; empty for the other kinds, which are only kept. */
  readonly url: string;
  /** Empty: all. */
  readonly eventTypes: readonly string[];
  /** Whether custom events of the application are sent; undefined: as `eventTypes` says. */
  readonly custom: boolean | undefined;
  readonly dialect: 'v1' | 'v2';
  /** Time for one request; undefined: the default. */
  readonly timeoutMs: number | undefined;
  readonly isCompressed: boolean;
}

/** In the order in which they were set, with that of `webhook_url` first. */
export function hooksOf(app: AppSettings): readonly Hook[] {
  const isCompressed = app.enable_hook_payload_compression === true;
  const hooks: Hook[] = [];
  if (app.webhook_url !== undefined && app.webhook_url !== '') {
    const { webhook_url: url, webhook_events: eventTypes = [] } = app;
    const fixed = { kind: 'webhook', isEnabled: true, custom: undefined, dialect: 'v1', timeoutMs: undefined } as const;
    hooks.push({ id: WEBHOOK_URL_ID, url, eventTypes, isCompressed, ...fixed });
  }
  for (const {
    id,
    hook_type: kind,
    enabled,
    webhook_url: url = '',
    event_types: eventTypes,
    dialect,
    timeout_ms,
    rest,
  } of app.event_hooks ?? []) {
    const sends = rest?.should_send_custom_events;
    const custom = typeof sends === 'boolean' ? sends : undefined;
    hooks.push({ id, kind, isEnabled: enabled, url, eventTypes, custom, dialect, timeoutMs: timeout_ms, isCompressed });
  }
  return hooks;
}

/** Whether events are kept for this hook until they are delivered. */
export function isCollecting({ kind, isEnabled, url }: Hook): boolean {
  return kind === 'webhook' && isEnabled && url !== '';
}

/**
 * WH19: the event types asked for, all when there are none; custom events of the application by `should_send_custom_events`, if
 * it is set. The product does not matter: users belong to every product.
 */
export function wantsEvent({ eventTypes, custom }: Hook, type: string, isCustom: boolean): boolean {
  if (isCustom && custom !== undefined) return custom;
  return eventTypes.length === 0 || eventTypes.includes(type);
}
