/** Bans, mutes, flags and blocks. */
import type { Endpoint } from './endpoint.ts';

export const MODERATION_ROUTES: readonly Endpoint[] = [];
