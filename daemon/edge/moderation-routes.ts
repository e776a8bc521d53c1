/** Bans, mutes, flags and blocks. */
import { BANS_ROUTES } from './bans-routes.ts';
import { BLOCKS_ROUTES } from './blocks-routes.ts';
import type { Endpoint } from './endpoint.ts';
import { FLAGS_ROUTES } from './flags-routes.ts';
import { MUTES_ROUTES } from './mutes-routes.ts';

export const MODERATION_ROUTES: readonly Endpoint[] = [...BANS_ROUTES, ...MUTES_ROUTES, ...FLAGS_ROUTES, ...BLOCKS_ROUTES];
