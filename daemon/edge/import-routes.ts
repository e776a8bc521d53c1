/** Imports from uploaded files. */
import type { Endpoint } from './endpoint.ts';

export const IMPORT_ROUTES: readonly Endpoint[] = [];
