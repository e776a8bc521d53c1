/** Exports of users, and the files they end in. */
import type { Endpoint } from './endpoint.ts';

export const EXPORT_ROUTES: readonly Endpoint[] = [];
