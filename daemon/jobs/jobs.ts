/** Long work beside the directory: exports, imports, the history of users, and everything that expires. */

import type { Clock } from '../base/clock.ts';
import type { RosterLogger } from '../base/logger.ts';
import { wallClock } from '../base/wall-clock.ts';
import type { Roster } from '../pipeline/roster.ts';
import { HistoryJob } from './history/follower.ts';
import { Housekeeping } from './tasks/housekeeping.ts';
import { Runner } from './tasks/runner.ts';
import { taskWork } from './transfer/exports.ts';
import type { Files } from './transfer/files.ts';
import { importWork } from './transfer/imports.ts';

export interface JobsOptions {
  readonly roster: Roster;
  readonly files: Files;
  readonly logger: RosterLogger;
  readonly clock: Clock;
  readonly exportsKeptMs: number;
  readonly tasksKeptMs: number;
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
  /** The history of users: its folder, how long a change is kept (0: no history), and its size limit in bytes. */
  readonly history: { readonly folder: string; readonly keepMs: number; readonly bytesMax: number };
}

export interface Jobs {
  readonly history: Pick<HistoryJob, 'page'>;
  /** Stops the running work; it continues at the next start. */
  stop(): Promise<void>;
}

/** Resumes the unfinished work of an earlier daemon, and takes up new work from now on. */
export function startJobs(options: JobsOptions): Jobs {
  const { roster, files, logger, clock, exportsKeptMs, tasksKeptMs, reuseHardDeleted } = options;
  const nowMs = () => clock.now();
  const runner = new Runner({
    works: [taskWork({ roster, files, nowMs }), importWork({ roster, files, clock, random: Math.random, logger, reuseHardDeleted })],
    onApplied: (listener) => roster.onApplied(listener),
    clock,
    random: Math.random,
    logger,
  });
  // The clock of the sequencer, so that the two agree about what is due.
  const housekeeping = new Housekeeping({ roster, files, logger, nowMs: () => wallClock() / 1_000, exportsKeptMs, tasksKeptMs });
  const history = new HistoryJob({ roster, logger, clock, ...options.history });
  runner.start();
  housekeeping.start();
  history.start();
  return {
    history,
    stop: async () => {
      await Promise.all([runner.stop(), housekeeping.stop()]);
      // Last, so that the history includes the changes of the others.
      await history.stop();
    },
  };
}
