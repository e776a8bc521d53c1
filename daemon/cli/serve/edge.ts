/** Puts the outside of the daemon together: HTTP, WebSocket and Socket.IO on one port, with one set of sessions. */
import { readFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import type { Logger } from 'pino';
import { Turns } from '../../base/turns.ts';
import { createAuthenticator } from '../../edge/auth.ts';
import { OpenConnections } from '../../edge/http/open-connections.ts';
import { createHttp } from '../../edge/http/server.ts';
import type { Services, UserHistory } from '../../edge/http/services.ts';
import type { UrlSigner } from '../../edge/http/signed-urls.ts';
import { Admission } from '../../edge/live/admission.ts';
import { ConnectGate } from '../../edge/live/session/connect-gate.ts';
import { Consumers } from '../../edge/live/session/consumers.ts';
import { LiveConnections } from '../../edge/live/session/control.ts';
import { type Heartbeat, SessionRegistry } from '../../edge/live/session/registry.ts';
import { SocketIoServer } from '../../edge/live/socket-io/server.ts';
import { LiveServer } from '../../edge/live/websocket/server.ts';
import { StaleDrain } from '../../edge/nodes/stale-drain.ts';
import { RateLimits } from '../../edge/rate-limits.ts';
import { signToken } from '../../edge/sign-token.ts';
import type { RunningWebhooks } from '../../jobs/hooks/start.ts';
import type { Files } from '../../jobs/transfer/files.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { NodeCondition } from '../../pipeline/write/node-condition.ts';
import { LiveBackups } from '../backup/live-backups.ts';
import type { Credentials } from '../config/credentials.ts';
import type { Config } from '../config/settings.ts';
import { cannotListen } from './listen-error.ts';

/** A peer that takes nothing for this time while bytes wait for it is closed as slow. */
const STALL_MS = 30_000;
/** The part of the time for a stop over which the goodbyes are spread. The rest is left to the last peers, to take theirs. */
const GOODBYES_SHARE = 0.8;

export interface EdgeParts {
  readonly config: Config;
  readonly credentials: Credentials;
  readonly roster: Roster;
  readonly condition: NodeCondition;
  /** The clock of the log, milliseconds. */
  readonly nowMs: () => number;
  readonly files: Files;
  readonly history: UserHistory;
  readonly hooks: RunningWebhooks;
  readonly urls: UrlSigner;
  /** Receives the address that the daemon listens on. */
  readonly place: { url: string };
  readonly logger: Logger;
  readonly heartbeat: Heartbeat;
}

export interface RunningEdge {
  /** `http://127.0.0.1:8800`, with the actual port. */
  readonly url: string;
  /** Says goodbye to live connections, and answers the open requests. Whatever the peers do, it cuts them off after `maxMs`. */
  stop(maxMs: number): Promise<void>;
}

/** Resolves when it serves. Rejects when the address cannot be listened on. */
export async function startEdge(parts: EdgeParts): Promise<RunningEdge> {
  const { config, credentials, roster, condition, nowMs, urls, place, logger, heartbeat } = parts;
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
  const consumers = new Consumers({ roster, nowMs, onError });
  roster.onEvents((events, settingsChanged) => {
    for (const event of events) sessions.onEvent(event);
    if (settingsChanged) sessions.onSettings(roster.directory.app);
  });
  const tls = tlsOf(config);
  const rateLimits = rateLimitsOf(config);
  const http = createHttp({
    backend: roster,
    condition,
    urls,
    services: servicesOf(parts),
    authenticator,
    logger,
    origins: config.origins,
    live: new LiveConnections({ roster, sessions, consumers }),
    rateLimits,
    ...(tls === undefined ? {} : { tls }),
  });
  const retryMs = Math.max(1_000, config.drainMs);
  const turns = new Turns();
  const gate = new ConnectGate({ waitingMax: config.connectsWaitingMax, turns, random: Math.random });
  const context = { roster, authenticator, apiKey, sessions, consumers, gate, turns, rateLimits, logger, nowMs: Date.now, retryMs };
  const admission = new Admission({
    origins: config.origins,
    connectionsMax: config.connectionsMax,
    connectionsPerIpMax: config.connectionsPerIpMax === 0 ? Number.POSITIVE_INFINITY : config.connectionsPerIpMax,
  });
  const live = new LiveServer({ context, admission, stallMs: STALL_MS });
  live.attach(http.server);
  const socketIo = new SocketIoServer({ context, admission, stallMs: STALL_MS, heartbeat });
  socketIo.attach(http.server);
  const connections = new OpenConnections(http.server);
  const staleDrain = new StaleDrain({ condition, admission, sessions, windowMs: config.drainMs * GOODBYES_SHARE, logger });
  await http.listen(config.listen).catch(cannotListen(config.listen));
  sessions.start();
  staleDrain.start();
  place.url = urlOf(http.server, tls !== undefined);
  return {
    url: place.url,
    stop: async (maxMs) => {
      const overMs = performance.now() + maxMs;
      const leftMs = (): number => Math.max(0, overMs - performance.now());
      staleDrain.stop();
      roster.beginStopping();
      admission.stop();
      await sessions.drain(config.drainMs * GOODBYES_SHARE);
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

function servicesOf({ config, credentials, roster, nowMs, files, history, hooks, urls }: EdgeParts): Services {
  const backups = new LiveBackups({ freeze: () => roster.directory.freeze(), nowMs });
  return {
    files,
    history,
    hooks,
    issueToken: (claims) => signToken(claims, credentials.apiSecret),
    signUrl: urls.sign,
    nowMs,
    openBackup: (isCompressed) => backups.open(isCompressed),
    compatStubs: config.compatStubs,
  };
}

function rateLimitsOf({ rateLimits, rateLimitOverrides, guestsPerIpMax }: Config): RateLimits {
  return new RateLimits({ mode: rateLimits, overrides: rateLimitOverrides, guestsPerAddress: guestsPerIpMax });
}

function tlsOf({ tlsCert, tlsKey }: Config): { readonly cert: Buffer; readonly key: Buffer } | undefined {
  return tlsCert === undefined || tlsKey === undefined ? undefined : { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
}

function urlOf(server: Server, isTls: boolean): string {
  const { family, address, port } = server.address() as AddressInfo;
  return `${isTls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
