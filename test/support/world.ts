/**
 * The test world: one daemon with everything at its default, on a port of its
 * own and in a directory of its own, that tears itself down. An option that a test sets means something.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type Clock, systemClock } from '../../daemon/base/clock.ts';
import { loadConfig } from '../../daemon/cli/config/config.ts';
import { type OpenStore, type RunningDaemon, startDaemon } from '../../daemon/cli/serve/daemon.ts';
import { HEARTBEAT, type Heartbeat } from '../../daemon/edge/live/session/heartbeat.ts';
import { encodeToken } from '../../protocol/base/tokens.ts';
import { openDataDirectory } from '../../store/data-dir.ts';
import { checkAnswer, checkAnswerType } from './http/answer-check.ts';
import { type AnswerHeaders, send } from './http/request.ts';
import { assertNoSecret, leakIn, markToken, SECRET } from './http/secrecy.ts';
import { LiveClient } from './live/live-client.ts';

export const API_KEY = 'test-key';
export const API_SECRET = SECRET;

const sign = (input: string): string => createHmac('sha256', API_SECRET).update(input).digest('base64url');

export function serverToken(claims: Record<string, unknown> = {}): string {
  return markToken(encodeToken({ server: true, ...claims }, sign));
}

export function userToken(id: string, claims: Record<string, unknown> = {}): string {
  return markToken(encodeToken({ user_id: id, ...claims }, sign));
}

/** A clock that runs `times` as fast as the system's. */
export function fastClock(times: number): Clock {
  const startMs = Date.now();
  return {
    now: () => startMs + (Date.now() - startMs) * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}

export interface WorldOptions {
  /** Settings as flags, by their name without dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** A directory that outlives the world; made and removed by the world when absent. */
  readonly data?: string;
  readonly openStore?: OpenStore;
  /** Every log line, as one JSON text. */
  readonly onLog?: (line: string) => void;
  readonly heartbeat?: Partial<Heartbeat>;
  /** Of jobs and webhooks. */
  readonly clock?: Clock;
  /** The daemon says that it cannot go on. */
  readonly onFatal?: () => void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  // Tests look into answers of every shape; asserting on a wrong one fails the test all the same.
  // biome-ignore lint/suspicious/noExplicitAny: the body of an answer is what the test is about
  readonly body: any;
}

export class World {
  readonly daemon: RunningDaemon;
  readonly data: string;
  readonly #clients: LiveClient[] = [];

  private constructor(daemon: RunningDaemon, data: string) {
    this.daemon = daemon;
    this.data = data;
  }

  static async start(t: TestContext, options: WorldOptions = {}): Promise<World> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'rosterd-')));
    const flags = {
      listen: '127.0.0.1:0',
      data,
      'drain-ms': '0',
      'log-level': 'debug',
      'metrics-listen': 'off',
      ...options.flags,
    };
    const { config, origins } = loadConfig({ flags, env: {}, cwd: data });
    const leaks: string[] = [];
    const onLog = (line: string): void => {
      const leak = leakIn(line);
      if (leak !== undefined) leaks.push(`${leak}: ${line}`);
      options.onLog?.(line);
    };
    const daemon = await startDaemon({
      config,
      origins,
      credentials: { apiKey: API_KEY, apiSecret: API_SECRET, origin: 'configured' },
      openStore: options.openStore ?? ((_, onEvent, __, onStored) => openDataDirectory(data, { onEvent, journal: { onStored } })),
      logger: pino({ level: config.logLevel }, { write: onLog }),
      onFatal: options.onFatal ?? (() => {}),
      heartbeat: { ...HEARTBEAT, ...options.heartbeat },
      ...(options.clock === undefined ? {} : { clocks: { clock: options.clock } }),
    });
    const world = new World(daemon, data);
    // The hooks of a test stay as long as its parent, and all that they name.
    const held: { world?: World } = { world };
    t.after(async () => {
      await held.world?.stop();
      delete held.world;
      if (options.data === undefined) await rm(data, { recursive: true, force: true });
      assert.deepEqual(leaks, [], 'SC2 no token and no secret in the log');
    });
    return world;
  }

  #stopped: Promise<void> | undefined;

  /** Stops the daemon; harmless when it is stopped already. */
  stop(): Promise<void> {
    for (const client of this.#clients) client.terminate();
    this.#stopped ??= this.daemon.stop();
    return this.#stopped;
  }

  get liveUrl(): string {
    return this.daemon.url.replace(/^http/, 'ws');
  }

  /** A raw live connection that has sent nothing yet. */
  async open(path = '/live'): Promise<LiveClient> {
    const client = await LiveClient.open(`${this.liveUrl}${path}`);
    this.#clients.push(client);
    return client;
  }

  /** A subscriber with a server token. */
  async subscriber(connect: Record<string, unknown> = {}): Promise<LiveClient> {
    const client = await this.open();
    await client.request({ op: 'connect', api_key: API_KEY, token: serverToken(), ...connect });
    return client;
  }

  /** A chat client connected as `id`. */
  async chat(id: string, details: Record<string, unknown> = {}, connect: Record<string, unknown> = {}): Promise<LiveClient> {
    const client = await this.open();
    await client.request({ op: 'connect', api_key: API_KEY, token: userToken(id), user: { id, ...details }, ...connect });
    return client;
  }

  /** A request with a server token, or with `token`. The answer is held against its description. */
  async http(method: string, path: string, body?: unknown, token: string = serverToken()): Promise<HttpAnswer> {
    const url = new URL(path, this.daemon.url);
    url.searchParams.set('api_key', API_KEY);
    const { status, headers, text } = await send(url, {
      method,
      headers: {
        Authorization: token,
        'Stream-Auth-Type': 'jwt',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (status >= 400) assertNoSecret(text, 'an error');
    const answer = JSON.parse(text);
    checkAnswerType(method, url.pathname, status, headers.get('content-type'));
    if (!/^\/(healthz|readyz)$/.test(url.pathname)) checkAnswer(method, url.pathname, status, answer);
    return { status, headers, body: answer };
  }

  /** Upserts users given as a list, in the v2 dialect. */
  upsert(...users: readonly { readonly id: string; readonly [key: string]: unknown }[]): Promise<HttpAnswer> {
    return this.http('POST', '/api/v2/users', { users: Object.fromEntries(users.map((user) => [user.id, user])) });
  }
}
