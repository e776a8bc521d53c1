/** Devices and push preferences. */
import type { Endpoint } from './endpoint.ts';

export const DEVICES_ROUTES: readonly Endpoint[] = [];
