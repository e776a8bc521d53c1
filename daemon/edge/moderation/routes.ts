/** Bans, mutes, flags and blocks. */

import type { Endpoint } from '../http/endpoint.ts';
import { BANS_ROUTES } from './bans.ts';
import { BLOCKS_ROUTES } from './blocks.ts';
import { FLAGS_ROUTES } from './flags.ts';
import { MUTES_ROUTES } from './mutes.ts';

export const MODERATION_ROUTES: readonly Endpoint[] = [...BANS_ROUTES, ...MUTES_ROUTES, ...FLAGS_ROUTES, ...BLOCKS_ROUTES];
