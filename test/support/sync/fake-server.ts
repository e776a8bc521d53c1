/**
 * What the commands are tested against: a server that upserts users like rosterd and misbehaves on request, a clock that
 * passes only when everybody waits, and a process that is only pretended.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Clock } from '../../../daemon/base/clock.ts';
import type { CommandIo, Output } from '../../../daemon/cli/io.ts';

type Users = Readonly<Record<string, Record<string, unknown>>>;

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly users: Users;
}

/** What one request gets in place of a proper answer. */
export type Misbehaviour =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  /** The connection is reset before anything was answered. */
  | { readonly kind: 'reset' }
  /** The users are stored, but the connection breaks in the middle of the answer. */
  | { readonly kind: 'cut' }
  /** Nothing ever comes. */
  | { readonly kind: 'hang' };

export interface FieldProblem {
  readonly path: string;
  readonly message: string;
  readonly code?: number;
}

export class FakeServer {
  /** Users as they were stored, as JSON texts. */
  readonly directory = new Map<string, string>();
  readonly requests: ReceivedRequest[] = [];
  /** Used up one per request, before anything else. */
  readonly misbehaviours: Misbehaviour[] = [];
  /** Problems that refuse a batch with 400, each naming its user. */
  problemsOf: (users: Users) => readonly FieldProblem[] = () => [];
  /** Refuses a batch with 400 without saying which user is to blame. */
  isUnnamedProblem: (user: Record<string, unknown>) => boolean = () => false;
  /** Called before each answer; a promise holds it back. */
  beforeAnswer: () => Promise<void> | void = () => {};
  tellsChanges = true;
  headers: () => Record<string, string> = () => ({});
  /** Most requests that were open at the same time. */
  openMost = 0;
  connections = 0;
  #open = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', () => this.connections++);
  }

  static async start(t: TestContext): Promise<FakeServer> {
    const fake = new FakeServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      fake.#server.closeAllConnections();
      return new Promise((resolve) => fake.#server.close(resolve));
    });
    return fake;
  }

  get url(): string {
    // The server listens on TCP, so its address is an AddressInfo.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open++;
    this.openMost = Math.max(this.openMost, this.#open);
    response.on('close', () => this.#open--);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { users }: { users: Users } = JSON.parse(Buffer.concat(parts).toString());
    this.requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, users });
    await this.beforeAnswer();
    const wrong = this.misbehaviours.shift();
    if (wrong === undefined) this.#answer(response, users);
    else this.#misbehave(response, users, wrong);
  }

  #misbehave(response: ServerResponse, users: Users, wrong: Misbehaviour): void {
    switch (wrong.kind) {
      case 'status':
        this.#send(response, wrong.status, wrong.body ?? { code: -1, message: `made to answer ${wrong.status}` }, wrong.headers);
        break;
      case 'reset':
        response.socket?.resetAndDestroy();
        break;
      case 'cut':
        this.#store(users);
        response.writeHead(201, { 'Content-Length': '1000' });
        response.write('{"users":', () => response.socket?.resetAndDestroy());
        break;
      case 'hang':
        break;
    }
  }

  #answer(response: ServerResponse, users: Users): void {
    const problems = this.problemsOf(users);
    if (problems.length > 0) {
      this.#send(response, 400, { code: 4, message: 'UpdateUsers failed with error', StatusCode: 400, details: [], errors: problems });
    } else if (Object.values(users).some((user) => this.isUnnamedProblem(user))) {
      this.#send(response, 400, { code: 4, message: 'somebody is wrong', StatusCode: 400, details: [] });
    } else {
      const changes = this.#store(users);
      this.#send(response, 201, { users, ...(this.tellsChanges ? changes : {}), duration: '1ms' });
    }
  }

  #store(users: Users): { created: string[]; updated: string[]; unchanged: string[] } {
    const changes = { created: [] as string[], updated: [] as string[], unchanged: [] as string[] };
    for (const [id, user] of Object.entries(users)) {
      const text = JSON.stringify(user);
      const before = this.directory.get(id);
      changes[before === undefined ? 'created' : before === text ? 'unchanged' : 'updated'].push(id);
      this.directory.set(id, text);
    }
    return changes;
  }

  #send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
    response.writeHead(status, { 'Content-Type': 'application/json', ...this.headers(), ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Time passes only when nothing else happens: it then jumps to where the next sleeper wakes. */
export class FakeClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];
  #isTicking = false;
  /** Every wait that was asked for, in milliseconds. */
  readonly slept: number[] = [];

  constructor(nowMs = 1_800_000_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    this.slept.push(ms);
    return new Promise((resolve) => {
      const sleeper: Sleeper = { at: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    setImmediate(() => {
      this.#isTicking = false;
      const due = Math.min(...this.#sleepers.map(({ at }) => at));
      if (due === Number.POSITIVE_INFINITY) return;
      this.#nowMs = Math.max(this.#nowMs, due);
      const awake = this.#sleepers.filter(({ at }) => at <= this.#nowMs);
      this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#nowMs);
      for (const { wake } of awake) wake();
      if (this.#sleepers.length > 0) this.#tick();
    });
  }
}

class Recorder implements Output {
  text = '';
  readonly isTTY = false;

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }
}

export interface FakeIo extends CommandIo {
  readonly stdout: Recorder;
  readonly stderr: Recorder;
  /** Presses Ctrl-C. Before the command `listens` for it, nothing happens. */
  interrupt(): void;
  /** Resolves when the command listens for Ctrl-C. */
  readonly listens: Promise<void>;
}

export function fakeIo(options: { cwd: string; env?: Record<string, string>; stdin?: Readable; nowMs?: number }): FakeIo {
  const handlers = new Set<() => void>();
  let nowListens = (): void => {};
  const listens = new Promise<void>((resolve) => {
    nowListens = resolve;
  });
  return {
    stdin: options.stdin ?? Readable.from([]),
    stdout: new Recorder(),
    stderr: new Recorder(),
    env: options.env ?? {},
    cwd: options.cwd,
    now: () => options.nowMs ?? Date.now(),
    onInterrupt: (handler) => {
      handlers.add(handler);
      nowListens();
      return () => handlers.delete(handler);
    },
    listens,
    interrupt: () => {
      for (const handler of handlers) handler();
    },
  };
}
