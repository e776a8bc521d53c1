/** The body of `PATCH /app`: the settings that rosterd uses, and the types of the others in the published API. */
import Type, { type Static, type TOptional, type TSchema } from 'typebox';
import { AppSettings, EventHook } from './settings.ts';

const TEXT_CHARS_MAX = 2_048;
const NAME_CHARS_MAX = 255;
const LIST_MAX = 200;
const HOOKS_MAX = 100;
const GRANTS_PER_ROLE_MAX = 500;
const HOOK_TIMEOUT_MS_MAX = 60_000;

const Text = Type.String({ maxLength: TEXT_CHARS_MAX });
const Name = Type.String({ maxLength: NAME_CHARS_MAX });
const Names = Type.Array(Name, { maxItems: LIST_MAX });
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const AnyObject = Type.Object({});

/** The delivery target of a hook of kind `sqs` or `sns`: kept for the service that delivers to it. */
const QUEUE_FIELDS = {
  sqs_queue_url: Type.Optional(Text),
  sqs_region: Type.Optional(Text),
  sqs_auth_type: Type.Optional(Text),
  sqs_key: Type.Optional(Text),
  sqs_secret: Type.Optional(Text),
  sqs_role_arn: Type.Optional(Text),
  sns_topic_arn: Type.Optional(Text),
  sns_region: Type.Optional(Text),
  sns_auth_type: Type.Optional(Text),
  sns_key: Type.Optional(Text),
  sns_secret: Type.Optional(Text),
  sns_role_arn: Type.Optional(Text),
  sns_event_based_message_group_id_enabled: Type.Optional(Type.Boolean()),
} as const;

export const HookBody = Type.Object({
  /** A hook with a known id keeps its times; one without an id gets one. */
  id: Type.Optional(Name),
  hook_type: EventHook.properties.hook_type,
  /** Default true. */
  enabled: Type.Optional(Type.Boolean()),
  /** None: all. */
  event_types: Type.Optional(Names),
  webhook_url: Type.Optional(Text),
  product: Type.Optional(Type.Union(['all', 'chat', 'video', 'moderation', 'feeds'].map((product) => Type.Literal(product)))),
  /** 0: the default. */
  timeout_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: HOOK_TIMEOUT_MS_MAX })),
  dialect: Type.Optional(EventHook.properties.dialect),
  should_send_custom_events: Type.Optional(Type.Boolean()),
  callback: Type.Optional(AnyObject),
  failover_config: Type.Optional(AnyObject),
  ...QUEUE_FIELDS,
});
export type HookBody = Static<typeof HookBody>;

/** The settings that rosterd uses. */
export const NamedSettings = Type.Object({
  enforce_unique_usernames: Type.Optional(AppSettings.properties.enforce_unique_usernames),
  /** Another published spelling of the same setting. */
  enforce_unique_username: Type.Optional(AppSettings.properties.enforce_unique_usernames),
  /** RFC 3339, integer nanoseconds, or null to clear. */
  revoke_tokens_issued_before: Type.Optional(Type.Unknown()),
  name: Type.Optional(Name),
  organization: Type.Optional(Name),
  multi_tenant_enabled: Type.Optional(Type.Boolean()),
  guest_user_creation_disabled: Type.Optional(Type.Boolean()),
  disable_auth_checks: Type.Optional(Type.Boolean()),
  disable_permissions_checks: Type.Optional(Type.Boolean()),
  permission_version: Type.Optional(Type.Union([Type.Literal('v1'), Type.Literal('v2')])),
  /** true has the effect of `permission_version: "v2"`. */
  migrate_permissions_to_v2: Type.Optional(Type.Boolean()),
  user_search_disallowed_roles: Type.Optional(Names),
  /** Ids of permissions by role. Absent roles keep theirs; null restores the built-in ones of a role; {} those of all roles. */
  grants: Type.Optional(
    Type.Record(Type.String(), Type.Union([Type.Array(Type.String(), { maxItems: GRANTS_PER_ROLE_MAX }), Type.Null()])),
  ),
  webhook_url: Type.Optional(Text),
  webhook_events: Type.Optional(Names),
  /** Replaces all existing hooks. */
  event_hooks: Type.Optional(Type.Array(HookBody, { maxItems: HOOKS_MAX })),
  enable_hook_payload_compression: Type.Optional(Type.Boolean()),
});
export type NamedSettings = Static<typeof NamedSettings>;

const UploadConfig = Type.Object({
  allowed_file_extensions: Type.Optional(Names),
  blocked_file_extensions: Type.Optional(Names),
  allowed_mime_types: Type.Optional(Names),
  blocked_mime_types: Type.Optional(Names),
  size_limit: Type.Optional(Count),
});

/** Types of the published settings that rosterd does not use: clients could not read an answer that repeats a value of another type. */
const ECHOED: Readonly<Record<string, TOptional<TSchema>>> = {
  ...all(Type.Boolean(), [
    ...[
      'allow_multi_user_devices',
      'async_url_enrich_enabled',
      'auto_translation_enabled',
      'campaign_enabled',
      'channel_hide_members_only',
    ],
    ...['feed_audit_logs_enabled', 'feeds_moderation_enabled', 'image_moderation_enabled', 'member_custom_on_messages_enabled'],
    ...['moderation_analytics_enabled', 'moderation_audio_call_moderation_enabled', 'moderation_enabled'],
    ...['moderation_llm_configurability_enabled', 'moderation_multitenant_blocklist_enabled', 'moderation_onboarding_complete'],
    ...['moderation_video_call_moderation_enabled', 'use_hook_v2', 'user_response_time_enabled'],
  ]),
  ...all(Count, [
    ...['before_message_send_hook_attempt_timeout_ms', 'cdn_expiration_seconds', 'max_aggregated_activities_length'],
    ...['reminders_interval', 'reminders_max_members', 'reminders_max_per_user'],
  ]),
  ...all(Text, [
    ...['before_message_send_hook_url', 'chat_primary_use_case', 'custom_action_handler_url', 'feeds_v2_region'],
    ...['moderation_s3_image_access_role_arn', 'moderation_webhook_url', 'video_primary_use_case'],
    ...['sns_key', 'sns_secret', 'sns_topic_arn', 'sqs_key', 'sqs_secret', 'sqs_url'],
  ]),
  ...all(Names, ['allowed_flag_reasons', 'image_moderation_block_labels', 'image_moderation_labels']),
  ...all(Type.Array(AnyObject), ['geofences']),
  ...all(AnyObject, ['async_moderation_config', 'datadog_info', 'moderation_dashboard_preferences', 'push_config', 'push_notifications']),
  ...all(Type.Record(Type.String(), AnyObject), ['channel_configs', 'call_types']),
  ...all(Type.Record(Type.String(), Type.Array(AnyObject)), ['policies']),
  ...all(Type.Record(Type.String(), Type.Integer()), ['activity_metrics_config']),
  ...all(UploadConfig, ['file_upload_config', 'image_upload_config']),
};

/** Any other keys are allowed as well: they are kept and repeated. */
export const SettingsBody = Type.Object({ ...NamedSettings.properties, ...ECHOED });

/** Fields that only the server sets, and keys to push services, which would have no use here. They are ignored when sent. */
export const IGNORED: ReadonlySet<string> = new Set([
  ...['id', 'placement', 'suspended', 'suspended_explanation', 'created_at', 'updated_at', 'duration', 'collisions'],
  ...['apn_config', 'firebase_config', 'huawei_config', 'xiaomi_config'],
]);

/** PHP writes an empty map as `[]`. */
export const OBJECTS: ReadonlySet<string> = new Set([
  ...['grants', 'policies', 'channel_configs', 'call_types', 'activity_metrics_config', 'file_upload_config', 'image_upload_config'],
  ...['async_moderation_config', 'datadog_info', 'moderation_dashboard_preferences', 'push_config', 'push_notifications'],
]);

function all(schema: TSchema, names: readonly string[]): Record<string, TOptional<TSchema>> {
  return Object.fromEntries(names.map((name) => [name, Type.Optional(schema)]));
}
