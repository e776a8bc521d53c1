/**
 * An outgoing HTTP request that always settles: with the head of an answer, or with the reason why there is none. Node alone does not
 * promise this: after `101 Switching Protocols`, for example, it reports neither an answer nor an error.
 *
 * It keeps OR1–OR3 (daemon/RULES.md).
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';

const SWITCHING_PROTOCOLS = 101;
/** Interim answers (1xx) before the real one: a peer that sends more of them only keeps this side busy. */
const INTERIM_MAX = 32;

export interface OutgoingRequest {
  /** http or https. */
  readonly url: URL;
  readonly options: RequestOptions;
  readonly body?: Uint8Array | undefined;
  /** Time for the head of the answer, and, unless `isStreamed`, for the whole of it. Milliseconds. */
  readonly timeoutMs: number;
  /** The answer may take as long as it likes, as long as it is never silent for `timeoutMs`. */
  readonly isStreamed?: boolean;
  /** Cuts off the request, and the answer. */
  readonly signal: AbortSignal;
}

export type Reached =
  /** `response` ends, or fails, in time: the caller listens for its errors. */
  | { readonly kind: 'answered'; readonly response: IncomingMessage }
  | { readonly kind: 'late' }
  | { readonly kind: 'aborted' }
  /** `isStale`: the peer had closed an idle connection, and has not seen the request. */
  | { readonly kind: 'failed'; readonly error: Error; readonly isStale: boolean };

class NoAnswer extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Never rejects. */
export function reach(outgoing: OutgoingRequest): Promise<Reached> {
  const { url, options, body, timeoutMs, isStreamed = false, signal } = outgoing;
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'aborted' });
    let request: ClientRequest;
    try {
      request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    } catch (error) {
      return resolve({ kind: 'failed', error: error instanceof Error ? error : new Error(String(error)), isStale: false });
    }
    let answer: IncomingMessage | undefined;
    const cut = (reached: Reached, reason: Error): void => {
      resolve(reached);
      // A reader of the answer learns the reason.
      (answer ?? request).destroy(reason);
    };
    const late = (): void => cut({ kind: 'late' }, lateError(timeoutMs));
    const timer = setTimeout(late, timeoutMs);
    const onAbort = (): void => cut({ kind: 'aborted' }, new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve({ kind: 'failed', error: new NoAnswer('ERR_NO_ANSWER', 'the connection was closed without an answer'), isStale: false });
    });
    request.on('error', (error) => {
      resolve({ kind: 'failed', error, isStale: isStale(request, error) });
      // A peer may refuse a body before it has read it all, and close: writing then fails, but the answer counts.
      if (answer === undefined) request.destroy();
    });
    const switched = (socket: Duplex): void => {
      resolve({ kind: 'failed', error: new NoAnswer('ERR_SWITCHED_PROTOCOLS', 'the answer switches to another protocol'), isStale: false });
      socket.destroy();
    };
    request.on('upgrade', (_, socket) => switched(socket));
    let interim = 0;
    request.on('information', () => {
      if (++interim !== INTERIM_MAX + 1) return;
      request.destroy(new NoAnswer('ERR_INTERIM_ANSWERS', `more than ${INTERIM_MAX} interim answers`));
    });
    request.on('response', (response) => {
      // Without the header `Upgrade`, Node takes it for an answer.
      if (response.statusCode === SWITCHING_PROTOCOLS) return switched(response.socket);
      answer = response;
      // Until the caller listens.
      response.on('error', () => {});
      if (isStreamed) {
        clearTimeout(timer);
        request.setTimeout(timeoutMs, late);
      }
      resolve({ kind: 'answered', response });
    });
    request.end(body);
  });
}

export function lateError(timeoutMs: number): Error {
  return new NoAnswer('ERR_LATE', `no answer within ${timeoutMs} ms`);
}

function isStale(request: ClientRequest, error: Error): boolean {
  return request.reusedSocket && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
