/** The description of the API. */
import type { Endpoint } from './endpoint.ts';

export const OPENAPI_ROUTES: readonly Endpoint[] = [];
