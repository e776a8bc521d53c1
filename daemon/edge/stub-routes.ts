/** Stand-ins for channels, which rosterd does not have: some client test suites cannot start without them. */
import type { Endpoint } from './endpoint.ts';

export const STUB_ROUTES: readonly Endpoint[] = [];
