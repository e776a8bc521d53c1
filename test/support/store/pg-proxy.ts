/**
 * Stands between a log and PostgreSQL, knows what is asked, and lets a test decide what becomes of it: pass, wait, arrive late, or get lost
 * on the way there or back.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** One question of one connection. */
export interface Exchange {
  /** Hands the question on; the answer comes here instead of to the client. Rejects when the server is gone. */
  forward(): Promise<Buffer>;
  /** Hands an answer to the client. */
  answer(bytes: Buffer): void;
  /** The client loses its connection; that to the server stays, so that a question can still arrive there. */
  cutClient(): void;
  cut(): void;
}

type Handler = (exchange: Exchange) => Promise<void>;

export class PgProxy {
  readonly #server: Server;
  /** Where new connections lead. */
  to: number;
  readonly #sockets = new Set<Socket>();
  readonly #handlers = new Map<string, Handler>();
  /** Every chunk, in both directions, arrives later by this. */
  lagMs = 0;
  /** New connections are refused. */
  isAway = false;
  /** Nothing passes, and nobody is told. */
  isSilent = false;

  static async open(to: number): Promise<PgProxy> {
    const proxy = new PgProxy(to);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(to: number) {
    this.to = to;
    this.#server = createServer((client) => this.#serve(client));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Every question that names the prepared statement, until another handler is set. */
  on(statement: string, handler: Handler | undefined): void {
    if (handler === undefined) this.#handlers.delete(statement);
    else this.#handlers.set(statement, handler);
  }

  /** The next question that names it. */
  once(statement: string, handler: Handler): void {
    this.on(statement, async (exchange) => {
      this.on(statement, undefined);
      await handler(exchange);
    });
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    if (this.isAway) return void client.destroy();
    const server = connect(this.to, '127.0.0.1');
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    const connection = new ProxiedConnection(client, server, (question) => this.#handlerOf(question));
    client.on('data', (chunk: Buffer) => this.#later(() => connection.fromClient(chunk)));
    server.on('data', (chunk: Buffer) => this.#later(() => connection.fromServer(chunk)));
    client.on('close', () => connection.clientClosed());
    server.on('close', () => connection.serverClosed());
  }

  #handlerOf(question: Buffer): Handler | undefined {
    for (const [statement, handler] of this.#handlers) if (question.includes(statement)) return handler;
    return undefined;
  }

  #later(work: () => void): void {
    if (this.isSilent) return;
    if (this.lagMs === 0) work();
    else setTimeout(work, this.lagMs);
  }
}

/** Types of messages that end a question: Sync, Query, Terminate, password. */
const ENDS = new Set([...'SQXp'].map((type) => type.charCodeAt(0)));
const READY = 'Z'.charCodeAt(0);

class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #handlerOf: (question: Buffer) => Handler | undefined;
  #received = Buffer.alloc(0);
  #question: Buffer[] = [];
  #isStarted = false;
  #isDetached = false;
  #busy: Promise<void> = Promise.resolve();
  /** Set while an answer is being gathered. */
  #answer: { bytes: Buffer; readonly resolve: (bytes: Buffer) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(client: Socket, server: Socket, handlerOf: (question: Buffer) => Handler | undefined) {
    this.#client = client;
    this.#server = server;
    this.#handlerOf = handlerOf;
  }

  fromClient(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      // The first message has no type.
      const start = this.#isStarted ? 1 : 0;
      if (this.#received.length < start + 4) return;
      const length = start + this.#received.readUInt32BE(start);
      if (this.#received.length < length) return;
      const message = this.#received.subarray(0, length);
      this.#received = this.#received.subarray(length);
      this.#question.push(message);
      if (this.#isStarted && !ENDS.has(message[0] ?? 0)) continue;
      this.#isStarted = true;
      const question = Buffer.concat(this.#question.splice(0));
      this.#busy = this.#busy.then(() => this.#ask(question)).catch(() => {});
    }
  }

  async #ask(question: Buffer): Promise<void> {
    const handler = this.#handlerOf(question);
    if (handler === undefined) return void this.#server.write(question);
    await handler({
      forward: () =>
        new Promise((resolve, reject) => {
          this.#answer = { bytes: Buffer.alloc(0), resolve, reject };
          if (this.#server.destroyed) reject(new Error('the server is gone'));
          else this.#server.write(question);
        }),
      answer: (bytes) => this.#client.write(bytes),
      cutClient: () => {
        this.#isDetached = true;
        this.#client.destroy();
      },
      cut: () => {
        this.#client.destroy();
        this.#server.destroy();
      },
    });
  }

  fromServer(chunk: Buffer): void {
    const answer = this.#answer;
    if (answer === undefined) return void (this.#client.destroyed || this.#client.write(chunk));
    answer.bytes = Buffer.concat([answer.bytes, chunk]);
    // ReadyForQuery has six bytes and comes last.
    if (answer.bytes.at(-6) !== READY || answer.bytes.readUInt32BE(answer.bytes.length - 5) !== 5) return;
    this.#answer = undefined;
    answer.resolve(answer.bytes);
  }

  clientClosed(): void {
    if (!this.#isDetached) this.#server.destroy();
  }

  serverClosed(): void {
    this.#answer?.reject(new Error('the server is gone'));
    this.#client.destroy();
  }
}
