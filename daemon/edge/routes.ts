/** Every endpoint, in the order in which the API description lists them. */

import { GROUPS_ROUTES } from './access/groups.ts';
import { PERMISSIONS_ROUTES } from './access/permissions.ts';
import { ROLES_ROUTES } from './access/roles.ts';
import { SIGN_INS_ROUTES } from './access/sign-ins.ts';
import { USER_TOKENS_ROUTES } from './access/user-tokens.ts';
import { DEVICES_ROUTES } from './app/devices.ts';
import { SETTINGS_ROUTES } from './app/effective.ts';
import { APP_ROUTES } from './app/settings.ts';
import { TASKS_ROUTES } from './app/tasks.ts';
import { USAGE_ROUTES } from './app/usage.ts';
import { STUB_ROUTES } from './compat/stubs.ts';
import { OPENAPI_ROUTES } from './describe/routes.ts';
import { FEEDS_ACTIVITY_ROUTES } from './feeds/activities.ts';
import { FEEDS_FOLLOW_ROUTES } from './feeds/follows.ts';
import { FEEDS_REPORT_ROUTES } from './feeds/reports.ts';
import { FEEDS_USERS_ROUTES } from './feeds/users.ts';
import { HOOKS_ROUTES } from './hooks/hooks.ts';
import type { Endpoint } from './http/endpoint.ts';
import { CONNECTIONS_ROUTES } from './live/connections.ts';
import { REHEARSAL_ROUTES } from './live/rehearsal.ts';
import { DEBUG_ROUTES } from './live/why.ts';
import { BANS_ROUTES } from './moderation/bans.ts';
import { BLOCKS_ROUTES } from './moderation/blocks.ts';
import { FLAGS_ROUTES } from './moderation/flags.ts';
import { MUTES_ROUTES } from './moderation/mutes.ts';
import { NODES_ROUTES } from './nodes/nodes.ts';
import { BACKUP_ROUTES } from './transfer/backup.ts';
import { EXPORT_ROUTES } from './transfer/exports.ts';
import { IMPORT_ROUTES } from './transfer/imports.ts';
import { PLAN_ROUTES } from './transfer/plans.ts';
import { COMPARISON_ROUTES } from './users/comparison.ts';
import { GUEST_ROUTES } from './users/guests.ts';
import { HISTORY_ROUTES } from './users/history.ts';
import { LIFECYCLE_ROUTES } from './users/lifecycle.ts';
import { PATCH_ROUTES } from './users/patch.ts';
import { QUERY_ROUTES } from './users/query.ts';
import { SYNC_ROUTES } from './users/revisions.ts';
import { UPSERT_ROUTES } from './users/upsert.ts';

export const ROUTES: readonly Endpoint[] = [
  ...UPSERT_ROUTES,
  ...PATCH_ROUTES,
  ...QUERY_ROUTES,
  ...LIFECYCLE_ROUTES,
  ...GUEST_ROUTES,
  ...EXPORT_ROUTES,
  ...HISTORY_ROUTES,
  ...BANS_ROUTES,
  ...MUTES_ROUTES,
  ...FLAGS_ROUTES,
  ...BLOCKS_ROUTES,
  ...ROLES_ROUTES,
  ...PERMISSIONS_ROUTES,
  ...GROUPS_ROUTES,
  ...DEVICES_ROUTES,
  ...APP_ROUTES,
  ...TASKS_ROUTES,
  ...USAGE_ROUTES,
  ...IMPORT_ROUTES,
  ...HOOKS_ROUTES,
  ...SYNC_ROUTES,
  ...COMPARISON_ROUTES,
  ...PLAN_ROUTES,
  ...DEBUG_ROUTES,
  ...REHEARSAL_ROUTES,
  ...CONNECTIONS_ROUTES,
  ...NODES_ROUTES,
  ...SETTINGS_ROUTES,
  ...SIGN_INS_ROUTES,
  ...USER_TOKENS_ROUTES,
  ...BACKUP_ROUTES,
  // The feeds dialect. Its endpoints that rosterd lacks are answered as not supported.
  ...FEEDS_USERS_ROUTES,
  ...FEEDS_ACTIVITY_ROUTES,
  ...FEEDS_FOLLOW_ROUTES,
  ...FEEDS_REPORT_ROUTES,
  ...STUB_ROUTES,
  ...OPENAPI_ROUTES,
];
