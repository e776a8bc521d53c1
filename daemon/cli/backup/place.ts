/** Where a command finds what a daemon has stored: a data directory, or a database. */
import { ConfigError } from '../config/config.ts';
import type { Config } from '../config/settings.ts';

/** The flags as they were given. */
export interface PlaceFlags {
  readonly data?: string;
  readonly log?: string;
}

export type StoredPlace = { readonly kind: 'data'; readonly data: string } | { readonly kind: 'log'; readonly log: string };

/** A flag says it; without one, the database when the settings name one. Throws ConfigError when both are flags. */
export function placeOf(flags: PlaceFlags, { data, log }: Pick<Config, 'data' | 'log'>): StoredPlace {
  if (flags.data !== undefined && flags.log !== undefined) throw new ConfigError(['give either --data or --log']);
  if (log === undefined || flags.data !== undefined) return { kind: 'data', data };
  return { kind: 'log', log };
}
