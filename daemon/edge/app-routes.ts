/** Endpoints about the application itself: settings, tasks, rate limits. */
import Type from 'typebox';
import { Nothing, timeIn as timeSchema } from '../../protocol/answers.ts';
import type { AppSettings } from '../../protocol/app-settings.ts';
import type { Dialect } from '../../protocol/decode-user.ts';
import { type Task, TaskStatus } from '../../protocol/docs.ts';
import { fieldErrors, RosterError } from '../../protocol/errors.ts';
import { clip } from '../../protocol/explain.ts';
import { type QueryFields, queryFlag } from '../../protocol/lifecycle-requests.ts';
import { decodeSettings, SettingsBody } from '../../protocol/requests.ts';
import { type Micros, toNanos, toRfc3339 } from '../../protocol/time.ts';
import { type Endpoint, inBothDialects } from './endpoint.ts';
import { PLATFORMS, type Platform } from './rate-limits.ts';

export const APP_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/app', (dialect) => ({
    operation: 'GetApp',
    method: 'GET',
    access: 'server',
    summary: 'The settings of the application',
    answer: Type.Object({ app: Type.Object({}, { additionalProperties: true }) }),
    handle: ({ backend }) => ({ body: { app: renderApp(backend.directory.app, dialect) } }),
  })),
  ...inBothDialects('/app', () => ({
    operation: 'UpdateApp',
    method: 'PATCH',
    access: 'server',
    summary: 'Changes settings of the application',
    body: SettingsBody,
    answer: Nothing,
    handle: async ({ backend, body }) => {
      const { seq } = await backend.submit(decodeSettings(await body()), 'live');
      return { body: {}, seq };
    },
  })),
  ...inBothDialects('/tasks/:id', (dialect) => ({
    operation: 'GetTask',
    method: 'GET',
    access: 'server',
    summary: 'How far a task is',
    answer: Type.Object({
      task_id: Type.String(),
      status: TaskStatus,
      created_at: timeSchema(dialect),
      updated_at: timeSchema(dialect),
      result: Type.Optional(Type.Object({}, { additionalProperties: true })),
      error: Type.Optional(Type.Object({ type: Type.String(), description: Type.String() })),
    }),
    handle: ({ backend, id }) => {
      const task = backend.directory.docs.get('task', id);
      if (task === undefined) throw new RosterError('not_found', `the task ${clip(id)} does not exist`);
      return { body: renderTask(task, dialect) };
    },
  })),
  ...inBothDialects('/rate_limits', () => ({
    operation: 'GetRateLimits',
    method: 'GET',
    access: 'user',
    summary: 'Limits of endpoints and what remains of them',
    query: Type.Object({
      ...Object.fromEntries(PLATFORMS.map((platform) => [platform, Type.Optional(Type.Boolean())])),
      endpoints: Type.Optional(Type.String()),
    }),
    answer: Type.Record(
      Type.String(),
      Type.Record(Type.String(), Type.Object({ limit: Type.Integer(), remaining: Type.Integer(), reset: Type.Integer() })),
    ),
    handle: async ({ rateLimits, query }) => {
      const endpoints = endpointNames(query.endpoints);
      const wanted = wantedPlatforms(query);
      const reports = await Promise.all(wanted.map(async (platform) => [platform, await rateLimits.report(platform, endpoints)] as const));
      return { body: Object.fromEntries(reports) };
    },
  })),
];

function timeIn(dialect: Dialect): (time: Micros) => string | number {
  return dialect === 'v1' ? toRfc3339 : toNanos;
}

function renderTask({ id, status, created_at, updated_at, result, error }: Task, dialect: Dialect): Record<string, unknown> {
  const time = timeIn(dialect);
  return {
    task_id: id,
    status,
    created_at: time(created_at),
    updated_at: time(updated_at),
    ...(result === undefined ? undefined : { result }),
    ...(error === undefined ? undefined : { error }),
  };
}

/** A platform is wanted when its switch is on; all are when none is. */
function wantedPlatforms(query: QueryFields): readonly Platform[] {
  const wanted = PLATFORMS.filter((platform) => queryFlag(query, platform) === true);
  return wanted.length > 0 ? wanted : PLATFORMS;
}

/** `endpoints=A,B`. The names need not be known to rosterd, only be names. */
function endpointNames(text: string | undefined): string[] {
  const names = (text ?? '').split(',').filter((name) => name !== '');
  if (names.every((name) => /^[A-Za-z]{1,64}$/.test(name))) return names;
  throw fieldErrors('input', [{ path: 'endpoints', message: 'must be names of endpoints with commas between them' }]);
}

const UPLOAD_CONFIG = {
  allowed_file_extensions: [],
  blocked_file_extensions: [],
  allowed_mime_types: [],
  blocked_mime_types: [],
  size_limit: 0,
} as const;

/** Fields that clients expect of an application and that a users-only server has nothing to say about. */
const APP_DEFAULTS = {
  name: 'rosterd',
  organization: '',
  id: 0,
  placement: '',
  suspended: false,
  suspended_explanation: '',
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

function renderApp(
  { enforce_unique_usernames, revoke_tokens_issued_before: stamp }: AppSettings,
  dialect: Dialect,
): Record<string, unknown> {
  return {
    ...APP_DEFAULTS,
    enforce_unique_usernames,
    ...(stamp === undefined ? undefined : { revoke_tokens_issued_before: timeIn(dialect)(stamp) }),
  };
}
