/** Every endpoint there is, in the order in which the API description lists them. */
import { APP_ROUTES } from './app-routes.ts';
import { BACKUP_ROUTES } from './backup-routes.ts';
import { DEBUG_ROUTES } from './debug-routes.ts';
import { DEVICES_ROUTES } from './devices-routes.ts';
import type { Endpoint } from './endpoint.ts';
import { EXPORT_ROUTES } from './export-routes.ts';
import { FEEDS_ROUTES } from './feeds/feeds-routes.ts';
import { GROUPS_ROUTES } from './groups-routes.ts';
import { GUEST_ROUTES } from './guest-routes.ts';
import { HISTORY_ROUTES } from './history-routes.ts';
import { HOOKS_ROUTES } from './hooks-routes.ts';
import { IMPORT_ROUTES } from './import-routes.ts';
import { LIFECYCLE_ROUTES } from './lifecycle-routes.ts';
import { MODERATION_ROUTES } from './moderation-routes.ts';
import { OPENAPI_ROUTES } from './openapi-routes.ts';
import { ROLES_ROUTES } from './roles-routes.ts';
import { STUB_ROUTES } from './stub-routes.ts';
import { SYNC_ROUTES } from './sync-routes.ts';
import { USAGE_ROUTES } from './usage-routes.ts';
import { USERS_ROUTES } from './users-routes.ts';

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
