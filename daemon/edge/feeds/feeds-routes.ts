/** The feeds dialect. What of it is not here is answered as not supported. */
import type { Endpoint } from '../endpoint.ts';
import { FEEDS_ACTIVITY_ROUTES } from './feeds-activity-routes.ts';
import { FEEDS_FOLLOW_ROUTES } from './feeds-follow-routes.ts';
import { FEEDS_USERS_ROUTES } from './feeds-users-routes.ts';

export const FEEDS_ROUTES: readonly Endpoint[] = [...FEEDS_USERS_ROUTES, ...FEEDS_ACTIVITY_ROUTES, ...FEEDS_FOLLOW_ROUTES];
