/**
 * Runs the daemon: a straight list of things that start, and the same list in
 * reverse, with a deadline, when it stops. Which log it runs on is decided by
 * whoever hands it the store (main.ts).
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { DataDirectory } from '../../../store/data-dir.ts';
import type { OnStoreEvent, StoreEvent } from '../../../store/events.ts';
import { createAuthenticator } from '../../edge/auth.ts';
import { OpenRequests } from '../../edge/http/open-requests.ts';
import { createHttp } from '../../edge/http/server.ts';
import type { UserHistory } from '../../edge/http/services.ts';
import { createUrlSigner, type UrlSigner } from '../../edge/http/signed-urls.ts';
import { Admission } from '../../edge/live/admission.ts';
import { ConnectGate } from '../../edge/live/session/connect-gate.ts';
import { Consumers } from '../../edge/live/session/consumers.ts';
import { LiveConnections } from '../../edge/live/session/control.ts';
import { HEARTBEAT, type Heartbeat, SessionRegistry } from '../../edge/live/session/registry.ts';
import { SocketIoServer } from '../../edge/live/socket-io/server.ts';
import { LiveServer } from '../../edge/live/websocket/server.ts';
import { RateLimits } from '../../edge/rate-limits.ts';
import { signToken } from '../../edge/sign-token.ts';
import { exportUrl } from '../../edge/transfer/exports.ts';
import { type RunningWebhooks, startWebhooks } from '../../jobs/hooks/start.ts';
import { startJobs } from '../../jobs/jobs.ts';
import { Files } from '../../jobs/transfer/files.ts';
import { Roster } from '../../pipeline/roster.ts';
import { LiveBackups } from '../backup/live-backups.ts';
import type { Config } from '../config/config.ts';
import type { Credentials } from '../config/credentials.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { packageVersion } from '../version.ts';
import { LogDestination } from './log-destination.ts';

/** A peer that takes nothing for so long while bytes wait for it is closed as slow. */
const STALL_MS = 30_000;
const STDERR = 2;
/** Requests that are being answered at a stop have so long to end. */
const LAST_ANSWERS_MS = 10_000;
/** A shutdown that takes longer than this beyond the drain is cut off: the journal needs no goodbye. */
const SHUTDOWN_MS = 60_000;

/** Opens what the directory lives on. Rejects when it cannot be used; nothing then stays open. */
export type OpenStore = (config: Config, onEvent: OnStoreEvent) => Promise<DataDirectory>;

export interface RunningDaemon {
  /** `http://127.0.0.1:8800`, with the port that was chosen. */
  readonly url: string;
  readonly roster: Roster;
  /** Drains live connections, finishes what was accepted, saves a snapshot, and gives the data directory back. */
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly config: Config;
  readonly credentials: Credentials;
  readonly openStore: OpenStore;
  readonly logger: Logger;
  /** The daemon cannot go on: its log failed, or cannot be followed. The process should end. */
  readonly onFatal: () => void;
  /** Of live connections. Default: that of the protocol. */
  readonly heartbeat?: Heartbeat;
}

/** Starts the daemon; resolves when it serves. Rejects when the store or the address cannot be used. */
export async function startDaemon({
  config,
  credentials,
  openStore,
  logger,
  onFatal,
  heartbeat = HEARTBEAT,
}: DaemonOptions): Promise<RunningDaemon> {
  const data = await openStore(config, (event) => {
    logStoreEvent(logger, event);
    // After a failed sync only a new process can find out what is on the disk; without the lock another one may be writing.
    if (event.type === 'journal-failed' || event.type === 'lock-lost') onFatal();
  });
  // Where it listens is known last, and asked for each time a link is made.
  const place = { url: '' };
  const urls = createUrlSigner({ secret: credentials.apiSecret, baseUrl: () => config.publicUrl ?? place.url, now: Date.now });
  try {
    const roster = await Roster.open({
      log: data.log,
      snapshots: data.snapshots,
      loaded: data.loaded,
      policy: {
        connectRole: config.connectRole,
        connectGuard: config.connectGuard,
        reuseHardDeleted: config.idsReuseHardDeleted,
        tasksKeptMicros: config.tasksKeptMs * 1_000,
        exportsKeptMicros: config.exportsKeptMs * 1_000,
        receiptsKeptMicros: config.receiptsKeptMs * 1_000,
      },
      logger,
      snapshotEveryFacts: config.snapshotChanges,
      historyBytes: config.historyBytes,
      outboxBytesMax: config.outboxBytesMax,
      presenceGraceMs: config.presenceGraceMs,
      exportUrl: (taskId) => exportUrl(taskId, { signUrl: urls.sign, nowMs: Date.now }),
      onFatal,
    });
    const files = await Files.open(config.data);
    const jobs = startJobs({
      roster,
      files,
      logger,
      nowMs: Date.now,
      exportsKeptMs: config.exportsKeptMs,
      tasksKeptMs: config.tasksKeptMs,
      reuseHardDeleted: config.idsReuseHardDeleted,
      history: { folder: join(config.data, 'history'), keepMs: config.historyKeptMs, bytesMax: config.historyBytesMax },
    });
    const hooks = await startWebhooks({
      roster,
      dataDirectory: config.data,
      ...credentials,
      version: packageVersion(),
      allowPrivate: config.webhooksAllowPrivate,
      concurrency: config.webhooksConcurrency,
      retryMs: config.webhooksRetryMs,
      deadKeptMs: config.webhooksDeadKeptMs,
      exportUrl: (taskId) => exportUrl(taskId, { signUrl: urls.sign, nowMs: Date.now }),
      logger,
    });
    const { history } = jobs;
    const edge = await startEdge({ config, credentials, roster, files, history, hooks, urls, place, logger, heartbeat });
    return {
      url: edge.url,
      roster,
      stop: async () => {
        await edge.stop();
        await jobs.stop();
        await hooks.stop();
        await roster.close();
        await data.close();
      },
    };
  } catch (error) {
    await data.close();
    throw error;
  }
}

interface EdgeParts {
  readonly config: Config;
  readonly credentials: Credentials;
  readonly roster: Roster;
  readonly files: Files;
  readonly history: UserHistory;
  readonly hooks: RunningWebhooks;
  readonly urls: UrlSigner;
  /** Told where the daemon listens. */
  readonly place: { url: string };
  readonly logger: Logger;
  readonly heartbeat: Heartbeat;
}

async function startEdge(parts: EdgeParts) {
  const { config, credentials, roster, files, history, hooks, urls, place, logger, heartbeat } = parts;
  const { apiKey, apiSecret } = credentials;
  const authenticator = createAuthenticator({
    apiKey,
    apiSecret,
    directory: roster.directory,
    now: Date.now,
    reuseHardDeleted: config.idsReuseHardDeleted,
  });
  const sessions = new SessionRegistry({ nowMs: Date.now, app: roster.directory.app, heartbeat });
  const onError = (error: unknown) => logger.error({ err: error }, 'acknowledgements of durable consumers could not be stored');
  const consumers = new Consumers({ roster, nowMs: Date.now, onError });
  roster.onEvents((events, settingsChanged) => {
    for (const event of events) sessions.onEvent(event);
    if (settingsChanged) sessions.onSettings(roster.directory.app);
  });
  const tls =
    config.tlsCert === undefined || config.tlsKey === undefined
      ? undefined
      : { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) };
  const rateLimits = new RateLimits({ mode: config.rateLimits, overrides: config.rateLimitOverrides });
  const backups = new LiveBackups({ freeze: () => roster.directory.freeze(), nowMs: Date.now });
  const http = createHttp({
    backend: roster,
    urls,
    services: {
      files,
      history,
      hooks,
      issueToken: (claims) => signToken(claims, apiSecret),
      signUrl: urls.sign,
      nowMs: Date.now,
      openBackup: (isCompressed) => backups.open(isCompressed),
      compatStubs: config.compatStubs,
    },
    authenticator,
    logger,
    origins: config.origins,
    live: new LiveConnections({ roster, sessions, consumers }),
    rateLimits,
    ...(tls === undefined ? {} : { tls }),
  });
  const retryMs = Math.max(1_000, config.drainMs);
  const gate = new ConnectGate({ waitingMax: config.connectsWaitingMax, turns: roster.turns, random: Math.random });
  const context = { roster, authenticator, apiKey, sessions, consumers, gate, rateLimits, logger, nowMs: Date.now, retryMs };
  const admission = new Admission({
    origins: config.origins,
    connectionsMax: config.connectionsMax,
    connectionsPerIpMax: config.connectionsPerIpMax === 0 ? Number.POSITIVE_INFINITY : config.connectionsPerIpMax,
  });
  const live = new LiveServer({ context, admission, stallMs: STALL_MS });
  live.attach(http.server);
  const socketIo = new SocketIoServer({ context, admission, stallMs: STALL_MS, heartbeat });
  socketIo.attach(http.server);
  const requests = new OpenRequests(http.server);
  await http.listen({ host: config.listen.host, port: config.listen.port });
  sessions.start();
  const address = http.server.address() as AddressInfo;
  place.url = `${tls === undefined ? 'http' : 'https'}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  return {
    url: place.url,
    stop: async () => {
      roster.beginStopping();
      admission.stop();
      await sessions.drain(config.drainMs);
      sessions.stop();
      await socketIo.close();
      const closed = http.close();
      await requests.done(LAST_ANSWERS_MS);
      http.server.closeAllConnections();
      await closed;
      await consumers.stop();
    },
  };
}

/** What the store did by itself: most of it is routine, some of it an operator should hear of. */
function logStoreEvent(logger: Logger, event: StoreEvent): void {
  switch (event.type) {
    case 'segment-removed':
    case 'epoch-started':
      logger.info(event, event.type);
      break;
    case 'torn-tail-dropped':
    case 'append-rolled-back':
    case 'clean-marker-failed':
    case 'lock-taken-over':
      logger.warn(event, event.type);
      break;
    case 'journal-failed':
    case 'snapshot-damaged':
    case 'lock-lost':
    case 'held-segment-removed':
      logger.error(event, event.type);
      break;
  }
}

/** `rosterd serve`: runs until it is interrupted. Resolves with the exit code. */
export async function serve(config: Config, credentials: Credentials, openStore: OpenStore, io: CommandIo): Promise<number> {
  const log = new LogDestination(STDERR);
  process.once('exit', () => log.flushNow());
  const logger = pino({ level: config.logLevel }, log);
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  let interrupts = 0;
  io.onInterrupt(() => {
    // A second signal means that whoever sent it does not want to wait.
    if (++interrupts > 1) process.exit(EXIT.interrupted);
    finish(EXIT.ok);
  });
  const daemon = await startDaemon({ config, credentials, openStore, logger, onFatal: () => finish(EXIT.failed) });
  io.stdout.write(greeting(daemon, config, credentials));
  const code = await finished;
  setTimeout(() => process.exit(EXIT.failed), config.drainMs + SHUTDOWN_MS).unref();
  await daemon.stop();
  return code;
}

/** At most six lines: where it is, where its data is, and what to do next. */
function greeting({ url, roster }: RunningDaemon, config: Config, credentials: Credentials): string {
  const live = url.replace(/^http/, 'ws');
  const dataFlag = config.data === `${process.cwd()}/rosterd-data` ? '' : ` --data ${config.data}`;
  return [
    `rosterd listens on ${url} (live: ${live}/live, ${live}/connect)`,
    `data directory: ${config.data}, ${roster.directory.size} users`,
    `API key: ${credentials.apiKey} (secret: ${secretPlace(config, credentials)})`,
    'next, in another terminal: see every change as it happens, and bring in users',
    `  npx rosterd watch --url ${url}${dataFlag}`,
    `  echo '{"id":"ann","name":"Ann"}' | npx rosterd sync - --url ${url}${dataFlag}`,
    '',
  ].join('\n');
}

function secretPlace(config: Config, { origin }: Credentials): string {
  return origin === 'configured' ? 'as configured' : `in ${config.data}/credentials.json`;
}
