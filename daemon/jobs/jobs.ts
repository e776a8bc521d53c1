/** Long work beside the directory: exports, imports, the history of users, and everything that expires. */

import type { HistoryTable } from '../../store/history.ts';
import type { Fence, Leases } from '../../store/leases.ts';
import { aborted } from '../base/aborted.ts';
import type { Clock } from '../base/clock.ts';
import type { RosterLogger } from '../base/logger.ts';
import type { Roster } from '../pipeline/roster.ts';
import { HistoryJob } from './history/follower.ts';
import { SharedHistory } from './history/shared.ts';
import { type HeldJob, whileHeld } from './tasks/hold.ts';
import { Housekeeping } from './tasks/housekeeping.ts';
import { Runner } from './tasks/runner.ts';
import { taskWork } from './transfer/exports.ts';
import type { Files } from './transfer/files.ts';
import { importWork } from './transfer/imports.ts';
import { planWork, type SyncPlansOptions } from './transfer/plans.ts';
import { clearWorkFolder } from './transfer/work-folder.ts';

/** The job of the node that works on tasks and imports. Its name is stored. */
const TASKS = 'tasks';

export interface JobsOptions {
  readonly roster: Roster;
  readonly files: Files;
  /** Undefined where no other process can be. */
  readonly leases: Leases | undefined;
  readonly logger: RosterLogger;
  readonly clock: Clock;
  /** The clock of the sequencer, milliseconds. */
  readonly nowMs: () => number;
  readonly exportsKeptMs: number;
  readonly tasksKeptMs: number;
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
  /** The endpoints of this daemon, for sync plans. */
  readonly serverFor: SyncPlansOptions['serverFor'];
  /** Of sync plans alone; see there. Nothing else is in it: what a process that was killed left there is removed. */
  readonly workFolder: string;
  /**
   * The history of users: how long a change is kept (0: no history), its size limit in bytes, and where it is: in the table that the nodes
   * share, if there is one, otherwise in the folder.
   */
  readonly history: {
    readonly folder: string;
    readonly table: HistoryTable | undefined;
    readonly keepMs: number;
    readonly bytesMax: number;
  };
}

export interface Jobs {
  readonly history: Pick<HistoryJob, 'page'>;
  /** Stops the running work; it continues at the next start. */
  stop(): Promise<void>;
}

/** Resumes the unfinished work of an earlier daemon, and takes up new work from now on. */
export function startJobs(options: JobsOptions): Jobs {
  const { roster, leases, logger, clock } = options;
  const { table, ...kept } = options.history;
  const history =
    table === undefined || leases === undefined
      ? new HistoryJob({ roster, logger, clock, ...kept })
      : new SharedHistory({ roster, logger, clock, table, leases, ...kept });
  const stopping = new AbortController();
  const submit: Roster['submit'] = (command, ...how) => roster.submit(command, ...how);
  const tasks = clearWorkFolder(options.workFolder)
    .catch((error: unknown) => logger.error({ err: error }, 'files of a plan could not be removed'))
    .then(() => whileHeld({ job: TASKS, leases, submit, clock, logger }, stopping.signal, (held) => workOnTasks(options, held)));
  history.start();
  return {
    history,
    stop: async () => {
      stopping.abort();
      await tasks;
      // Last, so that the history includes the changes of the others.
      await history.stop();
    },
  };
}

async function workOnTasks(options: JobsOptions, { submit, signal, token }: HeldJob): Promise<void> {
  const { logger, clock, exportsKeptMs, tasksKeptMs, reuseHardDeleted, serverFor, workFolder } = options;
  const { directory } = options.roster;
  const onApplied: Roster['onApplied'] = (...listener) => options.roster.onApplied(...listener);
  const roster = { directory, submit, onApplied, online: (id: string) => options.roster.online(id) };
  const files = heldFiles(options.files, token === undefined ? undefined : { job: TASKS, token });
  const nowMs = () => clock.now();
  const runner = new Runner({
    works: [
      taskWork({ roster, files, nowMs }),
      importWork({ roster, files, clock, random: Math.random, logger, reuseHardDeleted }),
      planWork({ roster, files, workFolder, serverFor, clock, random: Math.random, logger }),
    ],
    onApplied,
    clock,
    random: Math.random,
    logger,
  });
  // The clock of the sequencer, so that the two agree about what is due.
  const housekeeping = new Housekeeping({ roster, files, logger, nowMs: options.nowMs, exportsKeptMs, tasksKeptMs });
  runner.start();
  housekeeping.start();
  await aborted(signal);
  await Promise.all([runner.stop(), housekeeping.stop()]);
}

/** The files as the holder of the job works with them: whoever lost it stores and removes none. */
function heldFiles(
  files: Files,
  fence: Fence | undefined,
): Pick<Files, 'openUpload' | 'writeExport' | 'writePlan' | 'openPlan' | 'removeOld'> {
  return {
    openUpload: (path) => files.openUpload(path),
    writeExport: (id, lines) => files.writeExport(id, lines, fence),
    writePlan: (id, chunks) => files.writePlan(id, chunks, fence),
    openPlan: (id) => files.openPlan(id),
    removeOld: (ages) => files.removeOld(ages, fence),
  };
}
