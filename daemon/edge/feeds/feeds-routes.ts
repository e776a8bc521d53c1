/** The feeds dialect. */
import type { Endpoint } from '../endpoint.ts';

export const FEEDS_ROUTES: readonly Endpoint[] = [];
