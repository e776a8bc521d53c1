/** The settings of the application as the chat dialects show them. Pure. */
import Type, { type TSchema } from 'typebox';
import type { Dialect } from '../base/reading.ts';
import type { Micros } from '../base/time.ts';
import { timeIn } from '../users/answers.ts';
import { timeOf } from '../users/render.ts';
import type { AppSettings, EventHook } from './settings.ts';

export const UPLOAD_CONFIG = {
  allowed_file_extensions: [],
  blocked_file_extensions: [],
  allowed_mime_types: [],
  blocked_mime_types: [],
  size_limit: 0,
} as const;

/** The values of settings that were never set. Most of these fields have no use in a directory of users, but clients read them. */
export const APP_DEFAULTS = {
  name: 'rosterd',
  organization: '',
  id: 0,
  placement: '',
  suspended: false,
  suspended_explanation: '',
  enforce_unique_usernames: 'no',
  enforce_unique_username: 'no',
  multi_tenant_enabled: false,
  guest_user_creation_disabled: false,
  disable_auth_checks: false,
  disable_permissions_checks: false,
  permission_version: 'v2',
  allow_multi_user_devices: false,
  async_url_enrich_enabled: false,
  auto_translation_enabled: false,
  campaign_enabled: false,
  cdn_expiration_seconds: 0,
  custom_action_handler_url: '',
  enable_hook_payload_compression: false,
  feed_audit_logs_enabled: false,
  image_moderation_enabled: false,
  max_aggregated_activities_length: 0,
  member_custom_on_messages_enabled: false,
  moderation_audio_call_moderation_enabled: false,
  moderation_enabled: false,
  moderation_llm_configurability_enabled: false,
  moderation_multitenant_blocklist_enabled: false,
  moderation_video_call_moderation_enabled: false,
  moderation_webhook_url: '',
  reminders_interval: 0,
  use_hook_v2: false,
  user_response_time_enabled: false,
  webhook_url: '',
  webhook_events: [],
  event_hooks: [],
  user_search_disallowed_roles: [],
  sqs_url: '',
  sqs_key: '',
  sqs_secret: '',
  sns_topic_arn: '',
  sns_key: '',
  sns_secret: '',
  grants: {},
  policies: {},
  channel_configs: {},
  call_types: {},
  push_notifications: { version: 'v2', offline_only: false },
  file_upload_config: UPLOAD_CONFIG,
  image_upload_config: UPLOAD_CONFIG,
} as const;

const DEFAULTS: ReadonlyMap<string, unknown> = new Map(Object.entries(APP_DEFAULTS));

/** The value of a setting that was never set; undefined when none is shown. */
export function appDefault(name: string): unknown {
  return DEFAULTS.get(name);
}

/** Schema of the settings as shown. Settings that rosterd only repeats may be beside these. */
export function appIn(dialect: Dialect): TSchema {
  const shown = Object.entries(APP_DEFAULTS).map(([name, value]) => [name, schemaOf(value)] as const);
  const time = timeIn(dialect);
  const hook = Type.Object(
    {
      id: Type.String(),
      hook_type: Type.String(),
      enabled: Type.Boolean(),
      event_types: Type.Array(Type.String()),
      product: Type.String(),
      webhook_url: Type.Optional(Type.String()),
      timeout_ms: Type.Optional(Type.Integer()),
      dialect: Type.String(),
      created_at: time,
      updated_at: time,
    },
    { additionalProperties: true },
  );
  return Type.Object(
    {
      ...Object.fromEntries(shown),
      event_hooks: Type.Array(hook),
      grants: Type.Record(Type.String(), Type.Array(Type.String())),
      revoke_tokens_issued_before: Type.Optional(time),
    },
    { additionalProperties: true },
  );
}

function schemaOf(value: unknown): TSchema {
  if (typeof value === 'string') return Type.String();
  if (typeof value === 'boolean') return Type.Boolean();
  if (typeof value === 'number') return Type.Integer();
  if (Array.isArray(value)) return Type.Array(Type.String());
  return Type.Object({}, { additionalProperties: true });
}

export function renderApp(app: AppSettings, dialect: Dialect): Record<string, unknown> {
  const { other, permissions: _, event_hooks: hooks = [], revoke_tokens_issued_before: stamp, ...named } = app;
  const time = timeOf(dialect);
  return {
    ...APP_DEFAULTS,
    ...other,
    ...named,
    enforce_unique_username: app.enforce_unique_usernames,
    event_hooks: hooks.map((hook) => renderHook(hook, time)),
    ...(stamp === undefined ? undefined : { revoke_tokens_issued_before: time(stamp) }),
  };
}

function renderHook({ rest, ...hook }: EventHook, time: (at: Micros) => string | number): Record<string, unknown> {
  return { product: 'all', ...rest, ...hook, created_at: time(hook.created_at), updated_at: time(hook.updated_at) };
}
