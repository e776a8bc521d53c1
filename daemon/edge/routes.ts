/** Every endpoint there is, in the order in which the API description lists them. */

import { GROUPS_ROUTES } from './access/groups.ts';
import { ROLES_ROUTES } from './access/roles.ts';
import { DEVICES_ROUTES } from './app/devices.ts';
import { APP_ROUTES } from './app/settings.ts';
import { USAGE_ROUTES } from './app/usage.ts';
import { STUB_ROUTES } from './compat/stubs.ts';
import { OPENAPI_ROUTES } from './describe/routes.ts';
import { FEEDS_ROUTES } from './feeds/routes.ts';
import { HOOKS_ROUTES } from './hooks/hooks.ts';
import type { Endpoint } from './http/endpoint.ts';
import { DEBUG_ROUTES } from './live/why.ts';
import { MODERATION_ROUTES } from './moderation/routes.ts';
import { BACKUP_ROUTES } from './transfer/backup.ts';
import { EXPORT_ROUTES } from './transfer/exports.ts';
import { IMPORT_ROUTES } from './transfer/imports.ts';
import { GUEST_ROUTES } from './users/guests.ts';
import { HISTORY_ROUTES } from './users/history.ts';
import { LIFECYCLE_ROUTES } from './users/lifecycle.ts';
import { SYNC_ROUTES } from './users/revisions.ts';
import { USERS_ROUTES } from './users/users.ts';

export const ROUTES: readonly Endpoint[] = [
  ...USERS_ROUTES,
  ...LIFECYCLE_ROUTES,
  ...GUEST_ROUTES,
  ...EXPORT_ROUTES,
  ...HISTORY_ROUTES,
  ...MODERATION_ROUTES,
  ...ROLES_ROUTES,
  ...GROUPS_ROUTES,
  ...DEVICES_ROUTES,
  ...APP_ROUTES,
  ...USAGE_ROUTES,
  ...IMPORT_ROUTES,
  ...HOOKS_ROUTES,
  ...SYNC_ROUTES,
  ...DEBUG_ROUTES,
  ...BACKUP_ROUTES,
  ...FEEDS_ROUTES,
  ...STUB_ROUTES,
  ...OPENAPI_ROUTES,
];
