/** A receiver of webhooks as an application would run it: real HTTP, every signature checked, and as unreliable as a test wants it. */
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';

/** What happens to a request: an answer, silence, or the end of its connection. */
export type Behaviour = number | 'hang' | 'cut' | 'redirect' | 'late-cut';

export interface Delivery {
  readonly id: string;
  readonly attempt: number;
  readonly type: string;
  readonly user: string;
  readonly seq: number;
  // Tests look into bodies of every shape; asserting on a wrong one fails the test all the same.
  // biome-ignore lint/suspicious/noExplicitAny: the body is what the test is about
  readonly body: any;
  readonly headers: IncomingMessage['headers'];
  /** What was answered. */
  readonly behaviour: Behaviour;
}

export class HookReceiver {
  readonly secret: string;
  /** Everything that arrived with a right signature, in order. */
  readonly arrived: Delivery[] = [];
  /** What must never happen. */
  readonly problems: string[] = [];
  behave: (delivery: Omit<Delivery, 'behaviour'>) => Behaviour = () => 200;
  #server: Server;
  #port = 0;
  #changed: () => void = () => {};

  constructor(secret: string) {
    this.secret = secret;
    this.#server = this.#make();
  }

  #make(): Server {
    return createServer((request, response) => void this.#take(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook?key=query-secret`;
  }

  /** Listens, on the same port as before. */
  async live(): Promise<this> {
    this.#server = this.#make();
    this.#port ||= await freePort();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    return this;
  }

  /** Nobody listens any more, and every connection is cut. */
  async die(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** What was taken with a 2xx. */
  get taken(): readonly Delivery[] {
    return this.arrived.filter(({ behaviour }) => typeof behaviour === 'number' && behaviour >= 200 && behaviour < 300);
  }

  /** Resolves once the condition holds; it is looked at after every request. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Of each user: what was taken for the first time came in order. */
  checkOrder(): void {
    const last = new Map<string, number>();
    const seen = new Set<string>();
    for (const { id, user, seq } of this.taken) {
      if (seen.has(id)) continue;
      seen.add(id);
      const before = last.get(user) ?? 0;
      assert.ok(seq > before, `${user}: ${seq} came after ${before}`);
      last.set(user, seq);
    }
    assert.deepEqual(this.problems, []);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // The sender was killed in the middle; it sends again.
      return;
    }
    const sent = Buffer.concat(chunks);
    const { headers } = request;
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    const expected = createHmac('sha256', this.secret).update(plain).digest();
    const given = Buffer.from(String(headers['x-signature']), 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) this.problems.push('a wrong signature');
    const body = JSON.parse(plain.toString('utf8'));
    const delivery = {
      id: String(headers['x-webhook-id']),
      attempt: Number(headers['x-webhook-attempt']),
      type: body.type,
      user: body.user?.id ?? body.user_group?.id ?? '',
      seq: body.seq,
      body,
      headers,
    };
    const behaviour = this.behave(delivery);
    this.arrived.push({ ...delivery, behaviour });
    this.#answer(behaviour, request, response);
    this.#changed();
  }

  #answer(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse): void {
    if (behaviour === 'hang') return;
    if (behaviour === 'cut') request.socket.destroy();
    else if (behaviour === 'late-cut') {
      response.writeHead(500, { 'Content-Length': '1000' });
      response.write('half');
      request.socket.destroySoon();
    } else if (behaviour === 'redirect') response.writeHead(302, { Location: this.url.replace('/hook', '/elsewhere') }).end();
    else response.writeHead(behaviour).end('fine');
  }
}
