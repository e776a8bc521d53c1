/** `GET /backup` of a running daemon, streamed. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import { packageVersion } from '../version.ts';

/** An answer that is no backup is an error of a few hundred bytes. */
const ERROR_BYTES_MAX = 64 * 1024;

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
    throw new Error(`the connection broke after ${bytes.toLocaleString('en-US')} bytes (${messageOf(error)})`, { cause: error });
  } finally {
    response.destroy();
  }
}

function answered({ url, apiKey, token, isCompressed, silenceMs, signal }: DownloadOptions): Promise<IncomingMessage> {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, '')}/backup`;
  target.search = new URLSearchParams({ api_key: apiKey, ...(isCompressed ? { gzip: 'true' } : {}) }).toString();
  const headers = { Authorization: token, 'Stream-Auth-Type': 'jwt', 'X-Stream-Client': `rosterd-backup/${packageVersion()}` };
  const request = target.protocol === 'https:' ? httpsRequest(target, { headers }) : httpRequest(target, { headers });
  return new Promise((resolve, reject) => {
    const abort = () => request.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    request.setTimeout(silenceMs, () => request.destroy(new Error(`nothing came for ${silenceMs} ms`)));
    request.once('close', () => signal.removeEventListener('abort', abort));
    request.on('error', (error) => reject(signal.aborted ? signal.reason : new Error(`${url} cannot be reached: ${messageOf(error)}`)));
    request.on('response', resolve);
    if (signal.aborted) abort();
    else request.end();
  });
}

async function refusal(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    if (bytes > ERROR_BYTES_MAX) break;
    parts.push(part);
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
