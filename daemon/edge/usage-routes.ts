/** Who was active: by month, by day and by team. */
import type { Endpoint } from './endpoint.ts';

export const USAGE_ROUTES: readonly Endpoint[] = [];
