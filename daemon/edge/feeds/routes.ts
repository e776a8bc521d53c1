/** The feeds dialect. What of it is not here is answered as not supported. */
import type { Endpoint } from '../http/endpoint.ts';
import { FEEDS_ACTIVITY_ROUTES } from './activities.ts';
import { FEEDS_FOLLOW_ROUTES } from './follows.ts';
import { FEEDS_USERS_ROUTES } from './users.ts';

export const FEEDS_ROUTES: readonly Endpoint[] = [...FEEDS_USERS_ROUTES, ...FEEDS_ACTIVITY_ROUTES, ...FEEDS_FOLLOW_ROUTES];
