/** Guests, and events of the application's own. */
import type { Endpoint } from './endpoint.ts';

export const GUEST_ROUTES: readonly Endpoint[] = [];
