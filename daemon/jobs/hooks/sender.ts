/**
 * Sends one request to a webhook. Connections are kept open and belong to one hook.
 *
 * It keeps WH4 and WH5 (daemon/RULES.md).
 */
import { type LookupAddress, type LookupAllOptions, type LookupOptions, lookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import { type Reached, reach } from '../../base/outgoing.ts';
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

const PRIVATE_REASON = 'the address is not on the public internet; webhooks.allow_private allows it';

class PrivateAddress extends Error {}

/** Resolves with all addresses of a name. */
type Resolve = (hostname: string, options: LookupAllOptions, callback: (error: Error | null, found: LookupAddress[]) => void) => void;

/** Of the addresses of a name, only public ones are tried; a name without public addresses is an error. */
export function publicLookup(resolve: Resolve): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const addresses = found.filter(({ address }) => !isPrivateAddress(address));
      const [first] = addresses;
      if (first === undefined) return callback(new PrivateAddress(PRIVATE_REASON), []);
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

export function createSender({ allowPrivate }: { readonly allowPrivate: boolean }): Sender {
  const reachable = allowPrivate ? {} : { lookup: publicLookup(lookup) };
  const kept = { http: new HttpAgent({ keepAlive: true, timeout: IDLE_MS }), https: new HttpsAgent({ keepAlive: true, timeout: IDLE_MS }) };
  const fresh = { http: new HttpAgent(), https: new HttpsAgent() };
  const post = async (what: Post): Promise<SendResult> => {
    const url = new URL(what.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return { kind: 'refused', reason: 'only http and https are delivered to' };
    if (!allowPrivate && isPrivateHost(url.hostname)) return { kind: 'refused', reason: PRIVATE_REASON };
    const scheme = url.protocol === 'http:' ? 'http' : 'https';
    const options = {
      method: 'POST',
      headers: { ...what.headers, 'Content-Length': what.body.length },
      ...reachable,
    };
    const endsMs = performance.now() + what.timeoutMs;
    const send = (agent: HttpAgent): Promise<Reached> => {
      const timeoutMs = Math.max(1, endsMs - performance.now());
      return reach({ url, options: { ...options, agent }, body: what.body, timeoutMs, signal: what.cut });
    };
    const first = await send(kept[scheme]);
    // The receiver had closed an idle connection. This is no failure: it never saw the request.
    return resultOf(first.kind === 'failed' && first.isStale ? await send(fresh[scheme]) : first);
  };
  return {
    post,
    close: () => {
      for (const { http, https } of [kept, fresh]) {
        http.destroy();
        https.destroy();
      }
    },
  };
}

function resultOf(reached: Reached): SendResult {
  switch (reached.kind) {
    case 'answered':
      drop(reached.response);
      return { kind: 'status', status: reached.response.statusCode ?? 0, retryAfterMs: retryAfterOf(reached.response) };
    case 'late':
      return { kind: 'timeout' };
    case 'aborted':
      return { kind: 'stopped' };
    case 'failed':
      return failureOf(reached.error);
  }
}

/** Reads a short answer to its end, so that its connection can be used again. */
function drop(response: IncomingMessage): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) response.destroy();
  });
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}

/** Uses codes only: texts of the system can contain parts of the URL. */
function failureOf(error: Error): SendResult {
  if (error instanceof PrivateAddress) return { kind: 'refused', reason: PRIVATE_REASON };
  return { kind: 'network', reason: `the connection failed (${codeOf(error)})` };
}

/** `Retry-After` in seconds or as a date. */
function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}
