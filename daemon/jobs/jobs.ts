/** Long work beside the directory: exports, imports, and the end of what has an end. */
import type { Roster, RosterLogger } from '../pipeline/roster.ts';
import type { Files } from './files.ts';

export interface JobsOptions {
  readonly roster: Roster;
  readonly files: Files;
  readonly logger: RosterLogger;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
}

export interface Jobs {
  /** Stops what is under way; it goes on with the next start. */
  stop(): Promise<void>;
}

export function startJobs(_options: JobsOptions): Jobs {
  return { stop: async () => {} };
}
