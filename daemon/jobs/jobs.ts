/** Long work beside the directory: exports, imports, and the end of what has an end. */

import type { Clock } from '../base/clock.ts';
import type { RosterLogger } from '../base/logger.ts';
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
  /** The history of users: its folder, how long a change is kept (0: nothing is), and how many bytes. */
  readonly history: { readonly folder: string; readonly keepMs: number; readonly bytesMax: number };
}

export interface Jobs {
  readonly history: Pick<HistoryJob, 'page'>;
  /** Stops what is under way; it goes on with the next start. */
  stop(): Promise<void>;
}

/** Takes up what an earlier daemon left unfinished, and from now on whatever is asked for. */
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
  // The sequencer's clock: after a step of the system's clock the two differ, and what is due by one is not by the other.
  const sequencerMs = () => performance.timeOrigin + performance.now();
  const housekeeping = new Housekeeping({ roster, files, logger, nowMs: sequencerMs, exportsKeptMs, tasksKeptMs });
  const history = new HistoryJob({ roster, logger, clock, ...options.history });
  runner.start();
  housekeeping.start();
  history.start();
  return {
    history,
    stop: async () => {
      await Promise.all([runner.stop(), housekeeping.stop()]);
      // Last, so that it has what the others wrote.
      await history.stop();
    },
  };
}
