/** Puts the outside of the daemon together: HTTP, WebSocket and Socket.IO on one port, with one set of sessions. */

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Mailbox } from '../../../store/mailbox.ts';
import type { Store } from '../../../store/store.ts';
import type { Durations } from '../../base/durations.ts';
import { serverUrl } from '../../base/server-url.ts';
import { Turns } from '../../base/turns.ts';
import { type Authenticator, createAuthenticator } from '../../edge/auth.ts';
import { Assets } from '../../edge/console/assets.ts';
import { ConsoleDoor } from '../../edge/console/door.ts';
import type { SharedOfCalls } from '../../edge/http/call.ts';
import { type MakeServer, OpenConnections } from '../../edge/http/open-connections.ts';
import { createHttp } from '../../edge/http/server.ts';
import type { Services, UserHistory } from '../../edge/http/services.ts';
import type { UrlSigner } from '../../edge/http/signed-urls.ts';
import { Admission } from '../../edge/live/admission.ts';
import { LiveCounts } from '../../edge/live/live-counts.ts';
import { ConnectGate } from '../../edge/live/session/connect-gate.ts';
import { Consumers } from '../../edge/live/session/consumers.ts';
import { LiveConnections, type LiveConnectionsOptions } from '../../edge/live/session/control.ts';
import type { Heartbeat } from '../../edge/live/session/heartbeat.ts';
import { SessionRegistry } from '../../edge/live/session/registry.ts';
import { SocketLimit } from '../../edge/live/session/socket-limit.ts';
import { SocketIoServer } from '../../edge/live/socket-io/server.ts';
import { PackedFrames } from '../../edge/live/websocket/packed-frames.ts';
import { LiveServer } from '../../edge/live/websocket/server.ts';
import type { LivingNodes } from '../../edge/node-share.ts';
import { AllNodes } from '../../edge/nodes/all-nodes.ts';
import { NodeMail } from '../../edge/nodes/node-mail.ts';
import type { NodeState } from '../../edge/nodes/node-state.ts';
import { StaleDrain } from '../../edge/nodes/stale-drain.ts';
import { RateLimits } from '../../edge/rate-limits.ts';
import { RequestCounts } from '../../edge/request-counts.ts';
import { ROUTES } from '../../edge/routes.ts';
import { signToken } from '../../edge/sign-token.ts';
import type { RunningWebhooks } from '../../jobs/hooks/start.ts';
import type { Files } from '../../jobs/transfer/files.ts';
import { PlanFiles } from '../../jobs/transfer/plan-files.ts';
import type { LiveSources } from '../../metrics/live-metrics.ts';
import type { RequestSources } from '../../metrics/request-metrics.ts';
import { Samples } from '../../metrics/samples.ts';
import type { StorageSources } from '../../metrics/storage-metrics.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { NodeCondition } from '../../pipeline/write/node-condition.ts';
import { LiveBackups } from '../backup/live-backups.ts';
import type { Origins } from '../config/config.ts';
import type { Credentials } from '../config/credentials.ts';
import { effectiveSettings } from '../config/describe.ts';
import type { Config } from '../config/settings.ts';
import { packageBytes } from '../version.ts';
import { cannotListen } from './listen-error.ts';
import { nodeState } from './this-node.ts';

/** A peer that takes nothing for this time while bytes wait for it is closed as slow. */
const STALL_MS = 30_000;
/** The part of the time for a stop over which the goodbyes are spread. The rest is left to the last peers, to take theirs. */
const GOODBYES_SHARE = 0.8;

/** That rate limits may know: of the route table, and the two that only live connections have. */
const OPERATION_NAMES = [...new Set([...ROUTES.map(({ operation }) => operation), 'Connect', 'Subscribe'])];

export interface EdgeParts {
  readonly config: Config;
  /** Where each setting came from. */
  readonly origins: Origins;
  /** How long it took to make entries durable. */
  readonly appends: Durations;
  readonly credentials: Credentials;
  readonly roster: Roster;
  readonly condition: NodeCondition;
  /** The clock of the log, milliseconds. */
  readonly nowMs: () => number;
  /** The wall clock, by which tokens end, in milliseconds. */
  readonly wallMs: () => number;
  readonly files: Files;
  readonly history: UserHistory;
  readonly hooks: RunningWebhooks;
  readonly urls: UrlSigner;
  /** Receives the address that the daemon listens on. */
  readonly place: { url: string };
  readonly logger: Logger;
  readonly heartbeat: Heartbeat;
  /** Undefined where there are no other nodes. */
  readonly mailbox: Mailbox | undefined;
  /** Undefined where the log is not a journal of this daemon. */
  readonly journal: Store['journal'];
  /** Undefined: Node's server. */
  readonly createServer: MakeServer | undefined;
}

export interface RunningEdge {
  /** `http://127.0.0.1:8800`, with the actual port. */
  readonly url: string;
  readonly sessions: SessionRegistry;
  readonly counts: Pick<LiveSources, 'live' | 'admission' | 'gate'> & RequestSources & Pick<StorageSources, 'backups'>;
  /** What calls from inside the daemon share with requests. */
  readonly calls: SharedOfCalls;
  /** Says goodbye to live connections, and answers the open requests. Whatever the peers do, it cuts them off after `maxMs`. */
  stop(maxMs: number): Promise<void>;
}

/** Resolves when it serves. Rejects when the address cannot be listened on. */
export async function startEdge(parts: EdgeParts): Promise<RunningEdge> {
  const { config, credentials, roster, condition, urls, place, logger, heartbeat, wallMs, createServer } = parts;
  const { apiKey } = credentials;
  const authenticator = authenticatorOf(parts);
  const [sessions, mail] = [sessionsOf(parts), mailOf(parts)];
  const onError = (error: unknown) => logger.error({ err: error }, 'acknowledgements of durable consumers could not be stored');
  const consumers = new Consumers({ roster, mail, onError });
  const tls = tlsOf(config);
  const [counts, requests] = [new LiveCounts(), new RequestCounts()];
  const backups = new LiveBackups({ freeze: () => roster.directory.freeze(), nowMs: parts.nowMs });
  const [rateLimits, door] = [rateLimitsOf(parts), doorOf(parts)];
  const admission = admissionOf(parts, counts);
  const { samples, state, nodes } = watchedNodes(parts, admission, mail);
  const services = servicesOf(parts, backups, nodes);
  const live = new LiveConnections({ roster, sessions, consumers, backups, mail, state, ...inquiryOf(parts) });
  const http = createHttp({
    ...{ backend: roster, condition, urls, services, counts: requests, authenticator, logger },
    origins: config.origins,
    console: { door, assets: new Assets((name) => packageBytes(`dist/console/${name}`)) },
    live,
    rateLimits,
    ...{ ...(tls && { tls }), ...(createServer && { createServer }) },
  });
  const [retryMs, goodbyesMs] = [Math.max(1_000, config.drainMs), config.drainMs * GOODBYES_SHARE];
  const turns = new Turns();
  const gate = new ConnectGate({ waitingMax: config.connectsWaitingMax, turns, random: Math.random });
  const socketLimit = new SocketLimit({ sessions, presence: roster.presence, mail });
  const context = {
    ...{ roster, authenticator, apiKey, sessions, consumers, socketLimit, gate, turns },
    ...{ rateLimits, counts, logger, nowMs: wallMs, retryMs },
  };
  const packed = config.liveCompression ? new PackedFrames() : undefined;
  new LiveServer({ context, admission, door, stallMs: STALL_MS, packed }).attach(http.server);
  const socketIo = new SocketIoServer({ context, admission, stallMs: STALL_MS, heartbeat, packed });
  socketIo.attach(http.server);
  const connections = new OpenConnections(http.server);
  const staleDrain = new StaleDrain({ condition, admission, sessions, windowMs: goodbyesMs, logger });
  await live.start();
  await http.listen(config.listen).catch(cannotListen(config.listen));
  sessions.start();
  samples.start();
  staleDrain.start();
  place.url = serverUrl(http.server.address() as AddressInfo, tls !== undefined);
  return {
    url: place.url,
    counts: { live: counts, admission, gate, requests, connections, rateLimits, authenticator, backups, operations: OPERATION_NAMES },
    calls: { backend: roster, services, rateLimits, endpoints: ROUTES, live },
    sessions,
    stop: async (maxMs) => {
      const overMs = performance.now() + maxMs;
      const leftMs = (): number => Math.max(0, overMs - performance.now());
      staleDrain.stop();
      samples.stop();
      roster.beginStopping();
      admission.stop();
      await Promise.all([sessions.drain(goodbyesMs), noticed(config)]);
      sessions.stop();
      await socketIo.close(leftMs());
      const closed = http.close();
      await connections.idle(leftMs());
      connections.cut();
      await closed;
      await consumers.stop();
    },
  };
}

/** What the answers to operators' questions about live connections rest on. */
function inquiryOf({ config, journal, nowMs }: EdgeParts): Pick<LiveConnectionsOptions, 'retention' | 'nowMs' | 'outboxBytesMax'> {
  const { retentionBytes: bytes, retentionAgeMs: ageMs, retentionChanges: changes, outboxBytesMax } = config;
  return { retention: { bytes, ageMs, changes, extent: () => journal?.extent }, nowMs, outboxBytesMax };
}

function sessionsOf({ roster, heartbeat, mailbox, wallMs }: EdgeParts): SessionRegistry {
  const sessions = new SessionRegistry({
    ...{ nowMs: wallMs, app: roster.directory.app, heartbeat, node: mailbox?.node },
    handedSeq: () => roster.hub.flushedSeq,
  });
  roster.onEvents((events, settingsChanged) => {
    for (const event of events) sessions.onEvent(event);
    if (settingsChanged) sessions.onSettings(roster.directory.app);
  });
  return sessions;
}

function authenticatorOf({ config, credentials, roster, wallMs }: EdgeParts): Authenticator {
  const { directory } = roster;
  return createAuthenticator({ ...credentials, directory, now: wallMs, reuseHardDeleted: config.idsReuseHardDeleted });
}

function doorOf({ config, credentials, roster, wallMs }: EdgeParts): ConsoleDoor {
  const { console: mode, publicUrl, tlsCert } = config;
  return new ConsoleDoor({ ...credentials, mode, publicUrl, hasTls: tlsCert !== undefined, backend: roster, nowMs: wallMs });
}

/** The nodes that are alive, this one included. */
function livingNodes({ mailbox, roster }: EdgeParts): LivingNodes {
  return mailbox === undefined ? () => 1 : () => 1 + roster.presence.otherNodes.length;
}

/** How this node is doing, and all others. */
function watchedNodes(parts: EdgeParts, admission: Admission, mail: NodeMail | undefined) {
  const { config, roster } = parts;
  const samples = new Samples({ ...parts, admission });
  const state = (after: number): Promise<NodeState> => nodeState({ ...parts, samples, dataDirectory: config.data }, after);
  return { samples, state, nodes: new AllNodes({ state, mail, otherNodes: () => roster.presence.otherNodes }) };
}

function admissionOf(parts: EdgeParts, counts: LiveCounts): Admission {
  const { origins, connectionsMax, connectionsPerIpMax } = parts.config;
  return new Admission({
    origins,
    connectionsMax,
    connectionsPerIpMax: connectionsPerIpMax === 0 ? Number.POSITIVE_INFINITY : connectionsPerIpMax,
    nodes: livingNodes(parts),
    counts,
  });
}

function mailOf({ mailbox, roster, logger }: EdgeParts): NodeMail | undefined {
  if (mailbox === undefined) return undefined;
  const onError = (error: unknown) => logger.error({ err: error }, 'unexpected error in the answer to another node');
  return new NodeMail({ mailbox, hasNode: (node) => roster.presence.hasNode(node), onError });
}

/** ND14: where there are other nodes, whoever shares out the requests has time to notice that this one is not ready. */
async function noticed({ log, drainMs }: Config): Promise<void> {
  if (log !== undefined) await delay(drainMs * GOODBYES_SHARE);
}

function servicesOf(parts: EdgeParts, backups: LiveBackups, nodes: AllNodes): Services {
  const { config, origins, credentials, nowMs, files, history, hooks, urls, logger } = parts;
  return {
    files,
    plans: new PlanFiles(files),
    history,
    hooks,
    issueToken: (claims) => signToken(claims, credentials.apiSecret),
    noteToken: (made) => logger.info(made, 'a token was made for a user'),
    signUrl: urls.sign,
    nowMs,
    settings: effectiveSettings({ config, origins }),
    nodes,
    openBackup: (isCompressed) => backups.open(isCompressed),
    compatStubs: config.compatStubs,
  };
}

function rateLimitsOf(parts: EdgeParts): RateLimits {
  const { rateLimits, rateLimitOverrides, guestsPerIpMax } = parts.config;
  const nodes = livingNodes(parts);
  return new RateLimits({ mode: rateLimits, overrides: rateLimitOverrides, guestsPerAddress: guestsPerIpMax, nodes });
}

function tlsOf({ tlsCert, tlsKey }: Config): { readonly cert: Buffer; readonly key: Buffer } | undefined {
  return tlsCert === undefined || tlsKey === undefined ? undefined : { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
}
