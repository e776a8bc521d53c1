/**
 * The HTTP listener of the metrics: apart from that of the callers, so that a scrape is answered while these are turned away, and no caller of
 * the API reaches it.
 *
 * It keeps MX2, MX3 and MX6 (daemon/RULES.md).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorText } from '../../protocol/base/errors.ts';
import type { EdgeLogger } from '../base/logger.ts';
import { serverUrl } from '../base/server-url.ts';

/** Enough for a few scrapers, and nothing that anybody can hold up by more. */
const CONNECTIONS_MAX = 32;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
/** Longer than the usual interval of scrapes, so that a scraper keeps its connection. */
const KEEP_ALIVE_MS = 75_000;
/** A peer that has not taken its answer by then is cut off. */
const ANSWER_MS = 15_000;
const PATH = '/metrics';

export interface ScrapeSource {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsListenerOptions {
  /** Asked for as `Authorization: Bearer …`; undefined: nothing is asked for. */
  readonly token: string | undefined;
  readonly logger: Pick<EdgeLogger, 'error'>;
  /** Default: 15 s. */
  readonly answerMs?: number;
}

export class MetricsListener {
  readonly #options: MetricsListenerOptions;
  readonly #server: Server;
  readonly #wanted: Buffer | undefined;
  #shown: ScrapeSource | undefined;

  constructor(options: MetricsListenerOptions) {
    this.#options = options;
    this.#wanted = options.token === undefined ? undefined : digest(options.token);
    this.#server = createServer(
      { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS, connectionsCheckingInterval: HEADERS_MS },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  }

  /** `http://127.0.0.1:8801/metrics`, with the actual port; undefined while it does not listen. */
  get url(): string | undefined {
    const place = this.#server.address() as AddressInfo | null;
    if (place === null) return undefined;
    return `${serverUrl(place)}${PATH}`;
  }

  /** Until then, a scrape is told that the daemon starts. */
  show(shown: ScrapeSource): void {
    this.#shown = shown;
  }

  /** Rejects with the error of the system when the address cannot be listened on. */
  async listen(place: { readonly host: string; readonly port: number }): Promise<void> {
    this.#server.listen(place.port, place.host);
    await once(this.#server, 'listening');
    // Such as too many open files: the listener goes on.
    this.#server.on('error', (error) => this.#options.logger.error({ err: error }, 'the listener of the metrics had an error'));
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const late = setTimeout(() => request.socket.destroy(), this.#options.answerMs ?? ANSWER_MS);
    response.once('close', () => clearTimeout(late));
    // The rest of a body is not waited for.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
      response.shouldKeepAlive = false;
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'the metrics could not be read');
      if (!response.headersSent) say(response, 500, `the metrics could not be read: ${errorText(error)}`);
    }
  }

  async #answer({ method, url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isAdmitted(headers.authorization)) {
      response.setHeader('WWW-Authenticate', 'Bearer');
      say(response, 401, 'the header Authorization must be "Bearer " and the token that metrics.token sets');
      return;
    }
    if ((method !== 'GET' && method !== 'HEAD') || url.split('?', 1)[0] !== PATH) {
      say(response, 404, `there is only GET ${PATH}`);
      return;
    }
    if (this.#shown === undefined) {
      say(response, 503, 'the daemon is starting');
      return;
    }
    const text = await this.#shown.text();
    response.writeHead(200, { 'Content-Type': this.#shown.contentType, 'Content-Length': Buffer.byteLength(text) });
    response.end(method === 'HEAD' ? undefined : text);
  }

  /** In a time that does not depend on how much of the token is right: digests have one length. */
  #isAdmitted(given: string | undefined): boolean {
    if (this.#wanted === undefined) return true;
    const token = /^bearer +(\S+) *$/i.exec(given ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(token), this.#wanted);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(text) + 1 });
  response.end(`${text}\n`);
}
