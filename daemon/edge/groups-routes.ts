/** User groups. */
import type { Endpoint } from './endpoint.ts';

export const GROUPS_ROUTES: readonly Endpoint[] = [];
