/**
 * The daemon: a straight list of parts that start, and the same list in reverse when it stops. The caller chooses the log by the
 * store that it passes (main.ts).
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { OnStoreEvent, StoreEvent } from '../../../store/events.ts';
import type { OnStored } from '../../../store/journal/options.ts';
import type { Store } from '../../../store/store.ts';
import { Durations } from '../../base/durations.ts';
import { HeapRoom } from '../../base/heap-room.ts';
import type { Policy } from '../../core/policy.ts';
import type { MakeServer } from '../../edge/http/open-connections.ts';
import { createUrlSigner } from '../../edge/http/signed-urls.ts';
import { HEARTBEAT, type Heartbeat } from '../../edge/live/session/heartbeat.ts';
import type { SessionRegistry } from '../../edge/live/session/registry.ts';
import { exportUrl } from '../../edge/transfer/exports.ts';
import { startWebhooks } from '../../jobs/hooks/start.ts';
import { type JobsOptions, startJobs } from '../../jobs/jobs.ts';
import { Files } from '../../jobs/transfer/files.ts';
import { Roster } from '../../pipeline/roster.ts';
import { NodeCondition } from '../../pipeline/write/node-condition.ts';
import type { Origins } from '../config/config.ts';
import type { Credentials } from '../config/credentials.ts';
import type { Config } from '../config/settings.ts';
import { packageVersion } from '../version.ts';
import { type Clocks, clocksOf } from './clocks.ts';
import { startEdge } from './edge.ts';
import { InsideServer } from './inside-server.ts';
import { listenForMetrics, type ServedMetrics } from './metrics.ts';
import { stopParts } from './stop.ts';

/**
 * Opens the storage that the settings name. Rejects when it cannot be used; nothing then stays open. `onStored`: receives how long it took to
 * make a group of entries durable.
 */
export type OpenStore = (config: Config, onEvent: OnStoreEvent, credentials: Credentials, onStored: OnStored) => Promise<Store>;

export interface RunningDaemon {
  /** `http://127.0.0.1:8800`, with the actual port. */
  readonly url: string;
  readonly roster: Roster;
  /** `http://127.0.0.1:8801/metrics`, with the actual port; undefined where there are none. */
  readonly metricsUrl: string | undefined;
  readonly sessions: Pick<SessionRegistry, 'all' | 'find'>;
  /** Drains live connections within `drain_ms`, finishes accepted work, saves a snapshot, and releases the data directory. */
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly config: Config;
  /** Where each setting came from, for the operator who asks. */
  readonly origins: Origins;
  readonly credentials: Credentials;
  readonly openStore: OpenStore;
  readonly logger: Logger;
  /** The daemon cannot continue: its log failed, or cannot be followed. The process should end. */
  readonly onFatal: () => void;
  /** Of live connections. Default: that of the protocol. */
  readonly heartbeat?: Heartbeat;
  /** Default: those of the storage, or the system's. */
  readonly clocks?: Partial<Clocks>;
  /** Makes the HTTP server. Default: Node's, which listens by itself. */
  readonly createServer?: MakeServer;
}

/** Peers have this long to take their goodbyes and answers at a stop, even where `drain_ms` is less. */
const STOP_MS_MIN = 1_000;
/** How long a start that failed may take to leave the other nodes, whose storage may be away. */
const LEAVE_MS = 2_000;

/** Starts the daemon; resolves when it serves. Rejects when the store or an address cannot be used. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const metrics = await listenForMetrics(options.config, options.logger);
  const room = new HeapRoom(options.logger);
  room.start();
  const end = async (): Promise<void> => {
    room.stop();
    await metrics.close();
  };
  try {
    const { stop, ...running } = await startParts(options, metrics, room);
    return { ...running, stop: () => stop().finally(end) };
  } catch (error) {
    await end();
    throw error;
  }
}

async function startParts(options: DaemonOptions, metrics: ServedMetrics, room: HeapRoom): Promise<RunningDaemon> {
  const { config, origins, credentials, logger, onFatal, heartbeat = HEARTBEAT } = options;
  const appends = new Durations();
  const store = await openedStore(options, appends);
  const { now, nowMs, clock, wallMs, steady } = { ...clocksOf(store.clock), ...options.clocks };
  // The address is known last, and is read each time a link is made.
  const place = { url: '' };
  const urls = createUrlSigner({ secret: credentials.apiSecret, baseUrl: () => config.publicUrl ?? place.url, now: wallMs });
  const linkToExport = (taskId: string): string => exportUrl(taskId, { signUrl: urls.sign, nowMs: wallMs });
  try {
    const roster = await Roster.open({
      ...{ log: store.log, snapshots: store.snapshots, loaded: store.loaded, leases: store.leases, peers: store.peers },
      ...{ policy: policyOf(config), hasRoom: (users: number) => room.has(users), logger },
      snapshotEveryFacts: config.snapshotChanges,
      historyBytes: config.historyBytes,
      outboxBytesMax: config.outboxBytesMax,
      presenceGraceMs: config.presenceGraceMs,
      exportUrl: linkToExport,
      now,
      steady,
      onFatal,
    });
    const [files, inside] = [new Files(store.blobs), new InsideServer()];
    const jobs = startJobs({
      ...{ roster, files, leases: store.leases, logger, clock },
      serverFor: (plan) => inside.forPlan(plan),
      workFolder: join(config.data, 'work'),
      nowMs: () => now() / 1_000,
      ...{ exportsKeptMs: config.exportsKeptMs, tasksKeptMs: config.tasksKeptMs },
      reuseHardDeleted: config.idsReuseHardDeleted,
      history: keptHistory(config, store),
    });
    const hooks = await startWebhooks({
      roster,
      dataDirectory: config.data,
      leases: store.leases,
      letters: store.letters,
      ...credentials,
      version: packageVersion(),
      allowPrivate: config.webhooksAllowPrivate,
      concurrency: config.webhooksConcurrency,
      retryMs: config.webhooksRetryMs,
      deadKeptMs: config.webhooksDeadKeptMs,
      exportUrl: linkToExport,
      logger,
      clock,
    });
    const { history } = jobs;
    const { log, clock: storeClock, writeRefusal } = store;
    const condition = new NodeCondition({ log, clock: storeClock, writeRefusal, logger, staleMaxMs: config.staleMaxMs });
    const edge = await startEdge({
      ...{ config, origins, appends, credentials, roster, condition, nowMs, wallMs, files, history, hooks, urls, place, logger, heartbeat },
      ...{ mailbox: store.mailbox, journal: store.journal, createServer: options.createServer },
    });
    inside.open(edge.calls);
    const { journal, leases } = store;
    metrics.show({
      ...{ ...edge.counts, roster, condition, hooks, nowMs, appends, journal },
      ...{ version: packageVersion(), dataDirectory: config.data, sharedHead: leases === undefined ? undefined : () => log.head.seq },
    });
    const stop = () => stopParts({ edge, hooks, jobs, roster, store, logger }, Math.max(config.drainMs, STOP_MS_MIN));
    return { url: edge.url, roster, sessions: edge.sessions, metricsUrl: metrics.url, stop };
  } catch (error) {
    // No trace among the nodes: the next start, with other settings perhaps, need not wait until this one counts as gone.
    await Promise.race([store.peers?.close(), delay(LEAVE_MS, undefined, { ref: false })]);
    await store.close();
    throw error;
  }
}

function keptHistory(config: Config, { history }: Store): JobsOptions['history'] {
  return { folder: join(config.data, 'history'), table: history, keepMs: config.historyKeptMs, bytesMax: config.historyBytesMax };
}

/** Events after which only a new start helps. */
const ENDING: ReadonlySet<StoreEvent['type']> = new Set(['journal-failed', 'lock-lost', 'history-replaced', 'format-raised']);

async function openedStore({ config, credentials, openStore, logger, onFatal }: DaemonOptions, appends: Durations): Promise<Store> {
  const onEvent: OnStoreEvent = (event) => {
    logStoreEvent(logger, event);
    // After a failed sync, only a new process can read what is on disk; without the lock, another one may be writing.
    if (ENDING.has(event.type)) onFatal();
  };
  return await openStore(config, onEvent, credentials, (ms) => appends.observe(ms));
}

function policyOf(config: Config): Policy {
  return {
    connectRole: config.connectRole,
    connectGuard: config.connectGuard,
    reuseHardDeleted: config.idsReuseHardDeleted,
    tasksKeptMicros: config.tasksKeptMs * 1_000,
    exportsKeptMicros: config.exportsKeptMs * 1_000,
    receiptsKeptMicros: config.receiptsKeptMs * 1_000,
  };
}

/** Logs the events of the store: most are routine, some concern the operator. */
function logStoreEvent(logger: Logger, event: StoreEvent): void {
  switch (event.type) {
    case 'segment-removed':
    case 'entries-removed':
    case 'storage-back':
    case 'writes-accepted':
    case 'epoch-started':
      logger.info(event, event.type);
      break;
    case 'torn-tail-dropped':
    case 'append-rolled-back':
    case 'clean-marker-failed':
    case 'lock-taken-over':
    case 'storage-awaited':
      logger.warn(event, event.type);
      break;
    case 'settings-differ':
      logger.warn(event, `${event.type}: compare what "rosterd config print" says about them on this node and on ${event.node}`);
      break;
    case 'journal-failed':
    case 'snapshot-damaged':
    case 'lock-lost':
    case 'held-segment-removed':
    case 'held-entries-removed':
    case 'storage-away':
    case 'writes-refused':
    case 'history-replaced':
    case 'format-raised':
      logger.error(event, event.type);
      break;
  }
}
