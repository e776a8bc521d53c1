/**
 * HTTP calls of the client, over the global `fetch`. Repeats a rate-limited call when the daemon says so, a few times and with
 * bounded waits; renews an expired token once; asks another node where that cannot carry out a call twice. Every other failure rejects
 * with RosterClientError.
 */
import type { Position } from '../../base/position.ts';
import { positionOf, positionText } from '../../base/position-text.ts';
import { RosterClientError, refusal, unanswered } from '../client-error.ts';
import { Nodes, type NodeUrls } from '../nodes.ts';
import type { TokenKeeper } from '../tokens/token-keeper.ts';

export interface RetryOptions {
  /** The number of times that a rate-limited call is repeated; default 3. */
  readonly attempts?: number;
  /** The longest single wait, in ms; when the daemon asks for more, the call rejects at once. Default 10,000. */
  readonly maxWaitMs?: number;
}

export interface HttpCallerOptions {
  /** `http://…`, `https://…`, or the same with `ws`; without a path. Several: the nodes of one directory, in any order. */
  readonly url: NodeUrls;
  readonly apiKey: string;
  readonly retry?: RetryOptions;
  /** The longest time for one call and its answer, in ms; default 60,000. Then the call rejects. Nodes that a call may ask share it. */
  readonly timeoutMs?: number;
}

export interface HttpCall {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** The daemon carries out requests with the same key only once. Visible ASCII, at most 255 characters. */
  readonly idempotencyKey?: string | undefined;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const RETRY_ATTEMPTS = 3;
const RETRY_WAIT_MS = 10_000;
const TIMEOUT_MS = 60_000;
const POSITION = 'x-rosterd-position';
const STALE = 'x-rosterd-stale';
/** Statuses of a node, or of a proxy before it, that cannot serve at the moment. */
const AWAY: readonly number[] = [0, 502, 503, 504];
/** The name of this library and its platform: the daemon counts its user tokens as `web`. */
const CLIENT_NAME = 'rosterd-javascript';

export class HttpCaller {
  readonly #options: HttpCallerOptions;
  readonly #tokens: () => TokenKeeper | undefined;
  readonly #nodes: Nodes;
  /** The position of the last own write. Reads name it, so that another node that answers them has come there, too. */
  #written: Position | undefined;

  /** `tokens` returns the tokens for the current caller, or undefined for an anonymous user. `nodes`: those of `options.url`. */
  constructor(options: HttpCallerOptions, tokens: () => TokenKeeper | undefined, nodes = new Nodes(options.url)) {
    this.#options = options;
    this.#tokens = tokens;
    this.#nodes = nodes;
  }

  /** Notes a write of this client that was not made by a call. */
  wrote(position: Position): void {
    const last = this.#written;
    if (last?.epoch !== position.epoch || last.seq < position.seq) this.#written = position;
  }

  /** Returns the body of the answer as the API sends it. */
  async call<T>(method: Method, path: string, call: HttpCall = {}): Promise<T> {
    const { attempts = RETRY_ATTEMPTS, maxWaitMs = RETRY_WAIT_MS } = this.#options.retry ?? {};
    let isRenewed = false;
    for (let attempt = 0; ; attempt++) {
      const tokens = this.#tokens();
      const token = await tokens?.current();
      const answer = await this.#anywhere(method, path, call, token);
      if (!(answer instanceof RosterClientError)) return answer as T;
      if (answer.retry === 'new-token' && tokens?.canRenew === true && !isRenewed) {
        isRenewed = true;
        await tokens.renew(token);
        continue;
      }
      // The history was replaced, by a restore perhaps, and nothing of it has to be waited for.
      if (this.#written !== undefined && answer.errors.some((error) => error.path === POSITION)) {
        this.#written = undefined;
        continue;
      }
      const waitMs = answer.retryAfterMs ?? 1_000;
      if (answer.status !== 429 || attempt >= attempts || waitMs > maxWaitMs) throw answer;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** The answer of the first node that can serve. A call that a node may have carried out is repeated elsewhere only if that is harmless. */
  async #anywhere(method: Method, path: string, call: HttpCall, token: string | undefined): Promise<unknown> {
    const isHarmless = method === 'GET' || call.idempotencyKey !== undefined;
    const timeoutMs = (this.#options.timeoutMs ?? TIMEOUT_MS) / (isHarmless ? this.#nodes.count : 1);
    for (let left = this.#nodes.count - 1; ; left--) {
      const url = this.#nodes.current;
      const answer = await this.#once(method, path, call, { token, url, timeoutMs });
      if (!(answer instanceof RosterClientError && AWAY.includes(answer.status))) return answer;
      this.#nodes.leave(url);
      if (left === 0 || !(isHarmless || answer.outcome === 'not_stored')) return answer;
    }
  }

  /** Returns the answer, or the refusal as a value, since the call may be repeated. */
  async #once(
    method: Method,
    path: string,
    { query = {}, body, idempotencyKey }: HttpCall,
    { token, url, timeoutMs }: { readonly token: string | undefined; readonly url: string; readonly timeoutMs: number },
  ): Promise<unknown> {
    const { apiKey } = this.#options;
    const parameters = new URLSearchParams({ api_key: apiKey });
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    let response: Response;
    try {
      response = await fetch(`${httpUrl(url)}${path}?${parameters}`, {
        method,
        // `fetch` by itself waits for as long as bytes come, however slowly.
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          'stream-auth-type': token === undefined ? 'anonymous' : 'jwt',
          'x-stream-client': CLIENT_NAME,
          ...(token === undefined ? undefined : { authorization: token }),
          ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
          ...(method !== 'GET' || this.#written === undefined ? undefined : { [POSITION]: positionText(this.#written) }),
          ...(idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      return unanswered(`${method} ${path} got no answer`, error);
    }
    // What it knows may be old: the next call goes elsewhere.
    if (response.headers.has(STALE)) this.#nodes.leave(url);
    const position = method === 'GET' ? undefined : positionOf(response.headers.get(POSITION) ?? '');
    if (position !== undefined) this.wrote(position);
    const answer = await response.json().catch(() => undefined);
    if (response.ok && answer !== undefined) return answer;
    if (response.ok) return unanswered(`${method} ${path} was answered with something that is not JSON`);
    return refusal(answer, response.status, retryAfterMs(response.headers));
  }
}

/** `Retry-After`, in seconds in the header of every rate-limit refusal, as ms. */
function retryAfterMs(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}

function httpUrl(url: string): string {
  return url.replace(/^ws/, 'http').replace(/\/+$/, '');
}

/** An id as a part of a path. */
export function part(id: string): string {
  return encodeURIComponent(id);
}
