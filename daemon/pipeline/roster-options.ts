/** What a directory as a service is opened on. */

import type { Leases } from '../../store/leases.ts';
import type { Log } from '../../store/log.ts';
import type { Peers } from '../../store/peers.ts';
import type { LoadedSnapshot, SnapshotStore } from '../../store/snapshot.ts';
import type { SteadyClock } from '../base/clock.ts';
import type { RosterLogger } from '../base/logger.ts';
import type { wallClock } from '../base/wall-clock.ts';
import type { Policy } from '../core/policy.ts';
import type { HubOptions } from './tell/hub.ts';

export interface RosterOptions extends Pick<HubOptions, 'outboxBytesMax'> {
  readonly log: Log;
  readonly snapshots: SnapshotStore;
  readonly loaded: LoadedSnapshot | undefined;
  /** The other nodes with this log; undefined where no other process can be. */
  readonly leases?: Leases | undefined;
  readonly peers?: Peers | undefined;
  readonly policy: Policy;
  readonly logger: RosterLogger;
  /** Facts between two snapshots. */
  readonly snapshotEveryFacts: number;
  /** Bytes of recent events kept in memory, from which subscribers resume without reading the disk. */
  readonly historyBytes: number;
  /** How long a user whose last connection ended still counts as online. */
  readonly presenceGraceMs: number;
  /** Makes the link to the file of a finished export, which the event about the export carries. Absent: the event carries no link. */
  readonly exportUrl?: (taskId: string) => string;
  /** The clock of the log, microseconds. Default: the wall clock of this machine. */
  readonly now?: typeof wallClock;
  /** The clock of the grace that users have to come back. Default: the monotonic one of this process. */
  readonly steady?: SteadyClock;
  /** Whether there is memory for more than these users. Default: always. */
  readonly hasRoom?: (users: number) => boolean;
  /** Called once when the directory can no longer follow the log; the process should then end. */
  readonly onFatal: (error: unknown) => void;
}
