/**
 * Sends one request to a webhook. Connections are kept open and belong to one hook.
 *
 * It keeps WH4 and WH5 (daemon/RULES.md).
 */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isPrivateAddress, isPrivateHost } from './private-addresses.ts';
import type { SendResult } from './quick-attempts.ts';

const ANSWER_BYTES_MAX = 64 * 1024;
/** Time after which an idle connection is closed. */
const IDLE_MS = 60_000;

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
  readonly timeoutMs: number;
  /** Cuts off the request. */
  readonly cut: AbortSignal;
}

export interface Sender {
  /** Never rejects. */
  post(post: Post): Promise<SendResult>;
  close(): void;
}

const PRIVATE = 'ERR_PRIVATE_ADDRESS';
const PRIVATE_REASON = 'the address is not on the public internet; webhooks.allow_private allows it';

class PrivateAddress extends Error {
  readonly code = PRIVATE;
}

/** Of the addresses of a name, only public ones are tried; a name without public addresses is an error. */
const lookupPublic: LookupFunction = (hostname, options: LookupOptions, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
    if (error !== null) return callback(error, []);
    const addresses = found.filter(({ address }) => !isPrivateAddress(address));
    const [first] = addresses;
    if (first === undefined) return callback(new PrivateAddress(PRIVATE_REASON), []);
    if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

export function createSender({ allowPrivate }: { readonly allowPrivate: boolean }): Sender {
  const http = new HttpAgent({ keepAlive: true, timeout: IDLE_MS });
  const https = new HttpsAgent({ keepAlive: true, timeout: IDLE_MS });
  const post = async (what: Post): Promise<SendResult> => {
    const url = new URL(what.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return { kind: 'refused', reason: 'only http and https are delivered to' };
    if (!allowPrivate && isPrivateHost(url.hostname)) return { kind: 'refused', reason: PRIVATE_REASON };
    const isPlain = url.protocol === 'http:';
    const options = {
      method: 'POST',
      headers: { ...what.headers, 'Content-Length': what.body.length },
      agent: isPlain ? http : https,
      ...(allowPrivate ? {} : { lookup: lookupPublic }),
    };
    const start = isPlain ? httpRequest : httpsRequest;
    const first = await once(start, url, options, what);
    // The receiver had closed an idle connection. This is no failure: it never saw the request.
    return first === 'stale' ? await again(start, url, options, what) : first;
  };
  return {
    post,
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
}

async function again(start: typeof httpRequest, url: URL, options: RequestOptions, what: Post): Promise<SendResult> {
  const answer = await once(start, url, { ...options, agent: false }, what);
  return answer === 'stale' ? { kind: 'network', reason: 'the connection broke' } : answer;
}

function once(start: typeof httpRequest, url: URL, options: RequestOptions, { body, timeoutMs, cut }: Post): Promise<SendResult | 'stale'> {
  return new Promise((resolve) => {
    if (cut.aborted) return resolve({ kind: 'stopped' });
    const request = start(url, options);
    const end = (answer: SendResult | 'stale'): void => {
      resolve(answer);
      request.destroy();
    };
    const timer = setTimeout(() => end({ kind: 'timeout' }), timeoutMs);
    const onCut = (): void => end({ kind: 'stopped' });
    cut.addEventListener('abort', onCut, { once: true });
    request.on('close', () => {
      clearTimeout(timer);
      cut.removeEventListener('abort', onCut);
    });
    request.on('error', (error) => end(request.reusedSocket && isBroken(error) ? 'stale' : answerOf(error)));
    request.on('response', (response) => {
      resolve({ kind: 'status', status: response.statusCode ?? 0, retryAfterMs: retryAfterOf(response) });
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) request.destroy();
      });
      response.on('error', () => request.destroy());
    });
    request.end(body);
  });
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}

function isBroken(error: Error): boolean {
  return codeOf(error) === 'ECONNRESET' || codeOf(error) === 'EPIPE';
}

/** Uses codes only: texts of the system can contain parts of the URL. */
function answerOf(error: Error): SendResult {
  const code = codeOf(error);
  if (code === PRIVATE) return { kind: 'refused', reason: PRIVATE_REASON };
  return { kind: 'network', reason: `the connection failed (${code})` };
}

/** `Retry-After` in seconds or as a date. */
function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}
