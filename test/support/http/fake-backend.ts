/** A directory service in memory, without log and queues, and the HTTP edge on top of it: the world of the edge's tests. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Budget, inSlices, type Walk } from '../../../daemon/base/slices.ts';
import { type TeamUsagePage, teamUsage } from '../../../daemon/core/app/usage.ts';
import { decide } from '../../../daemon/core/decide.ts';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import type { RecordsView } from '../../../daemon/core/directory/frozen-view.ts';
import { type NameCollisions, nameCollisions } from '../../../daemon/core/users/name-collisions.ts';
import { runQuery, type Visibility } from '../../../daemon/core/users/query.ts';
import { createAuthenticator } from '../../../daemon/edge/auth.ts';
import { Assets } from '../../../daemon/edge/console/assets.ts';
import { ConsoleDoor } from '../../../daemon/edge/console/door.ts';
import type { Backend } from '../../../daemon/edge/http/backend.ts';
import { createHttp, type HttpServerOptions } from '../../../daemon/edge/http/server.ts';
import type { LiveControl, Services } from '../../../daemon/edge/http/services.ts';
import { createUrlSigner } from '../../../daemon/edge/http/signed-urls.ts';
import type { Condition } from '../../../daemon/edge/nodes/readiness.ts';
import { RequestCounts } from '../../../daemon/edge/request-counts.ts';
import { isPrivateHost } from '../../../daemon/jobs/hooks/private-addresses.ts';
import type { Arrival } from '../../../daemon/pipeline/write/arrivals.ts';
import type { Lane } from '../../../daemon/pipeline/write/sequencer.ts';
import type { TeamUsageQuestion } from '../../../protocol/app/usage.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import type { QuerySpec } from '../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { DEFAULT_POLICY } from '../default-policy.ts';
import { checkAnswer, checkAnswerType } from './answer-check.ts';

/** 2026-03-04T05:06:07.000000Z, and one millisecond later with every command. */
const START = 1_772_600_767_000_000;

export class FakeBackend implements Backend {
  readonly directory = new Directory({ epoch: 'test', seq: 0 });
  readonly onlineIds = new Set<string>();
  /** What was submitted, in order. */
  readonly commands: { readonly command: Command; readonly lane: Lane }[] = [];
  ready = true;
  readonly clockGap = { ms: 0 };
  /** How waits for a position that is not there yet end. */
  arrival: () => Promise<Arrival> = async () => 'unknown';
  readonly arrivals = {
    has: ({ epoch, seq }: Position) => epoch === 'test' && seq <= this.directory.seq,
    until: () => this.arrival(),
  };
  readonly names: { collisions: NameCollisions | undefined } = { collisions: undefined };
  /** Thrown by the next submit in place of deciding it. */
  failure: unknown;
  /** Time of the last command, microseconds. */
  now = START;

  get position(): { epoch: string; seq: number } {
    return this.directory.position;
  }

  async submit(command: Command, lane: Lane, origin?: Origin): Promise<Outcome> {
    this.commands.push({ command, lane });
    if (this.failure !== undefined) throw this.failure;
    this.now += 1_000;
    const draft = new Draft(this.directory);
    if (origin !== undefined) draft.begin(origin);
    const outcome = decide(draft, command, this.now, DEFAULT_POLICY);
    if (draft.facts.length > 0) {
      this.directory.apply({ id: `entry-${this.now}`, time: this.now, first: this.directory.seq + 1, facts: draft.facts });
    }
    return outcome;
  }

  /** No change is ever later than another: what is hard-deleted was deleted before. */
  readonly past = { timeAfter: async () => undefined };

  async current(): Promise<void> {}

  preview(command: Command): Outcome {
    return decide(new Draft(this.directory), command, this.now, DEFAULT_POLICY);
  }

  freeze(): RecordsView {
    return this.directory.freezeRecords();
  }

  query(spec: QuerySpec, visibility: Visibility, budget?: Budget): Promise<StoredUser[]> {
    return inSlices(
      runQuery(this.directory, spec, (id) => this.online(id), visibility),
      budget,
    );
  }

  async nameCollisions(scope: 'app' | 'team'): Promise<NameCollisions> {
    return finished(nameCollisions(this.directory, scope));
  }

  async teamUsage(question: TeamUsageQuestion): Promise<TeamUsagePage> {
    return finished(teamUsage(this.directory, question, this.now, (id) => this.online(id)));
  }

  online(id: string): boolean {
    return this.onlineIds.has(id);
  }
}

function finished<T>(steps: Walk<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export const API_KEY = 'key';
export const API_SECRET = 'secret-of-the-http-tests-that-is-long';

/** Time of the test world, milliseconds: tokens are judged by it. */
export const NOW_MS = START / 1000;

export function signed(
  claims: object,
  { secret = API_SECRET, header = { alg: 'HS256', typ: 'JWT' } as object, hash = 'sha256' } = {},
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`;
}

export const SERVER_TOKEN = signed({ server: true });

export function userToken(id: string, claims: object = {}): string {
  return signed({ user_id: id, ...claims });
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly details: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export interface Sent {
  /** Default: the server token. null: none. */
  readonly token?: string | null;
  readonly body?: unknown;
  /** In place of `body`: exactly these bytes. */
  readonly payload?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Tests reach into answers of every shape; an assertion fails where the shape is another. */
  readonly body: ReturnType<typeof JSON.parse>;
  readonly text: string;
}

export type Send = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT' | 'OPTIONS', path: string, sent?: Sent) => Promise<Received>;

/** What is wrong with the node; a test sets it. */
interface FakeCondition extends Condition {
  staleMs: number | undefined;
  isTooStale: boolean;
  trouble: { readonly reason: string } | undefined;
  /** What `writeTrouble` finds out. */
  refusal: { readonly reason: string } | undefined;
}

export interface HttpWorld {
  readonly backend: FakeBackend;
  readonly condition: FakeCondition;
  readonly app: ReturnType<typeof createHttp>;
  readonly logs: LogLine[];
  readonly send: Send;
}

const CONSOLE = { mode: 'loopback', publicUrl: undefined, hasTls: false } as const;
const CONSOLE_FOLDER = join(import.meta.dirname, '../../../dist/console');

/** Services without files. */
export function fakeServices(): Services {
  return {
    files: { saveUpload: async () => ({ bytes: 0 }), hasUpload: async () => false, openExport: async () => undefined },
    plans: { look: async () => ({ format: 'csv', columns: [], rows: [], map: {} }), changes: async () => ({ changes: [] }) },
    history: { page: async () => ({ items: [], from: 0 }) },
    hooks: {
      mayReach: (hostname) => !isPrivateHost(hostname),
      status: async () => [],
      deadLetters: async () => [],
      letter: () => Promise.reject(new RosterError('not_found', 'there is no such dead letter')),
      trial: async () => ({ status: 204, durationMs: 3, error: undefined }),
      replay: async () => ({ replaying: 0, remaining: 0 }),
    },
    issueToken: (claims) => signed(claims),
    noteToken: () => {},
    signUrl: (path, untilS) => `http://roster.test${path}?exp=${untilS}`,
    nowMs: () => NOW_MS,
    openBackup: () => {
      throw new Error('there is no backup here');
    },
    compatStubs: false,
    settings: [],
    nodes: { list: async () => [] },
  };
}

/** Where there are no live connections. */
export const NO_LIVE: LiveControl = {
  watch: () => undefined,
  connectionsOf: async () => [],
  backupStates: async () => [],
  traced: async () => [],
  why: () => Promise.reject(new Error('no live connections here')),
  rehearse: () => Promise.reject(new Error('no live connections here')),
  list: async () => ({ rows: [], total: 0, silent: [] }),
  close: () => Promise.reject(new Error('no live connections here')),
  removeConsumer: () => Promise.reject(new Error('no consumers here')),
};

/** The HTTP edge over a directory in memory. Every answer is checked for what all answers must have, and against its description. */
export function httpWorld(options: Partial<HttpServerOptions> = {}): HttpWorld {
  const backend = new FakeBackend();
  const condition: FakeCondition = {
    ...{ staleMs: undefined, isTooStale: false, trouble: undefined, refusal: undefined },
    writeTrouble: async () => condition.trouble ?? condition.refusal,
  };
  const logs: LogLine[] = [];
  const at = (level: LogLine['level']) => (details: object, text: string) => void logs.push({ level, details: { ...details }, text });
  const app = createHttp({
    backend,
    condition,
    authenticator: createAuthenticator({ apiKey: API_KEY, apiSecret: API_SECRET, directory: backend.directory, now: () => NOW_MS }),
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    origins: [],
    live: NO_LIVE,
    rateLimits: { mode: 'clients' },
    counts: new RequestCounts(),
    console: {
      door: new ConsoleDoor({ ...CONSOLE, apiKey: API_KEY, apiSecret: API_SECRET, backend, nowMs: () => NOW_MS }),
      assets: new Assets((name) => readFileSync(join(CONSOLE_FOLDER, name))),
    },
    urls: createUrlSigner({ secret: API_SECRET, baseUrl: () => 'http://roster.test', now: () => NOW_MS }),
    services: fakeServices(),
    ...options,
  });
  const send: Send = async (method, path, { token = SERVER_TOKEN, body, payload, headers = {}, query = {} } = {}) => {
    const data = payload ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await app.inject({
      method,
      url: path,
      query: { api_key: API_KEY, ...query },
      headers: {
        'stream-auth-type': 'jwt',
        ...(token === null ? {} : { authorization: token }),
        ...(data === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(data === undefined ? {} : { payload: data }),
    });
    const received: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(response.headers)) received[name] = value === undefined ? undefined : String(value);
    checkRateHeaders(received);
    const text = response.payload;
    if (text !== '') checkAnswerType(method, path, response.statusCode, received['content-type']);
    const isJson = received['content-type']?.startsWith('application/json') === true;
    const answer = isJson && text !== '' ? JSON.parse(text) : undefined;
    // What watches the process asks for these; they have a form of their own.
    if (isJson && !/^\/(healthz|readyz)$/.test(path)) checkAnswer(method, path, response.statusCode, answer);
    return { status: response.statusCode, headers: received, body: answer, text };
  };
  return { backend, condition, app, logs, send };
}

/** Every answer says how it stands with the limits, whatever else it says. */
function checkRateHeaders(headers: Readonly<Record<string, string | undefined>>): void {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => Number(headers[`x-ratelimit-${name}`]));
  assert.ok(limit !== undefined && limit > 0, `x-ratelimit-limit is ${limit}`);
  assert.ok(remaining !== undefined && remaining >= 0 && remaining <= limit, `x-ratelimit-remaining is ${remaining} of ${limit}`);
  assert.ok(reset !== undefined && Math.abs(reset - Date.now() / 1000) < 62, `x-ratelimit-reset is ${reset}`);
}

/** The error a caller sees: its code in body and status, its form, and a field it names. */
export function assertRefused(received: Received, status: number, code: number, field?: string, text?: RegExp): void {
  const { body } = received;
  assert.equal(received.status, status, received.text);
  assert.equal(body.code, code, received.text);
  assert.equal(body.StatusCode, status);
  assert.match(body.duration, /^\d+\.\d\dms$/);
  assert.match(body.message, /^[A-Za-z]+ failed with error: ".*"$/s);
  assert.deepEqual(body.details, []);
  assert.equal(typeof body.more_info, 'string');
  if (field !== undefined) {
    assert.ok(Object.hasOwn(body.exception_fields ?? {}, field), `${field} is not among ${Object.keys(body.exception_fields ?? {})}`);
  }
  if (text !== undefined) assert.match(received.text, text);
}
