/** `GET /backup` of a running daemon, streamed. */
import type { IncomingMessage } from 'node:http';
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import { grouped } from '../../base/grouped.ts';
import { reach } from '../../base/outgoing.ts';
import { packageVersion } from '../version.ts';

/** An answer that is no backup is an error of a few hundred bytes. */
const ERROR_BYTES_MAX = 64 * 1024;
const REFUSAL_MS = 5_000;

export interface DownloadOptions {
  /** URL of the daemon, with or without a path prefix. */
  readonly url: string;
  readonly apiKey: string;
  /** A server token. */
  readonly token: string;
  readonly isCompressed: boolean;
  /** Longest time without new bytes. */
  readonly silenceMs: number;
  /** Ends the download; the chunks then reject with its reason. */
  readonly signal: AbortSignal;
}

/** Rejects with an Error that says what went wrong: no connection, a refusal of the daemon, a connection that broke off. */
export async function* download(options: DownloadOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal } = options;
  const response = await answered(options);
  if (response.statusCode !== 200) throw new Error(await refusal(response));
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error(`the connection broke after ${grouped(bytes)} bytes (${messageOf(error)})`, { cause: error });
  } finally {
    response.destroy();
  }
}

async function answered({ url, apiKey, token, isCompressed, silenceMs, signal }: DownloadOptions): Promise<IncomingMessage> {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, '')}/backup`;
  target.search = new URLSearchParams({ api_key: apiKey, ...(isCompressed ? { gzip: 'true' } : {}) }).toString();
  const headers = { Authorization: token, 'Stream-Auth-Type': 'jwt', 'X-Stream-Client': `rosterd-backup/${packageVersion()}` };
  const reached = await reach({ url: target, options: { headers }, timeoutMs: silenceMs, isStreamed: true, signal });
  if (reached.kind === 'answered') return reached.response;
  if (signal.aborted) throw signal.reason;
  const reason = reached.kind === 'failed' ? messageOf(reached.error) : `nothing came for ${silenceMs} ms`;
  throw new Error(`${url} cannot be reached: ${reason}`);
}

/** An answer that is no backup may be anything: it is read for a short time, and only its beginning. */
async function refusal(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => response.destroy(), REFUSAL_MS);
  try {
    for await (const part of response) {
      bytes += part.length;
      if (bytes > ERROR_BYTES_MAX) break;
      parts.push(part);
    }
  } catch {
    // What came of it counts.
  } finally {
    clearTimeout(timer);
  }
  const { message } = parseObject(Buffer.concat(parts).toString('utf8')) ?? {};
  if (typeof message === 'string') return `the daemon refuses: ${message} (status ${response.statusCode})`;
  return `the answer has status ${response.statusCode} and is no backup: is there a rosterd at this address?`;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  if (error instanceof Error) return error.message || error.name;
  return isObject(error) ? JSON.stringify(error) : String(error);
}
