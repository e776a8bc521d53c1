/** Roles and permissions. */
import type { Endpoint } from './endpoint.ts';

export const ROLES_ROUTES: readonly Endpoint[] = [];
