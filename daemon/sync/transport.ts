/** How requests reach a server, whatever lies between: HTTP for `rosterd sync`, nothing for an import inside the daemon. */
import { parseObject } from '../../protocol/base/json.ts';

export interface Reply {
  readonly status: number;
  /** By lower-case name. */
  header(name: string): string | undefined;
  /** The JSON object that was answered; undefined for everything else. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** The answer as it came, for messages. */
  readonly text: string;
}

/** Writes these users. Rejects with TransportError, or with the reason of `signal` once it aborts. */
export type Send<User> = (users: readonly User[], signal: AbortSignal) => Promise<Reply>;

export interface AskRequest {
  readonly method: 'GET' | 'POST';
  /** Below the address of the daemon: `/users`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer that is read as it comes. */
export interface StreamedReply {
  readonly status: number;
  /** Rejects with TransportError when the connection breaks. */
  readonly chunks: AsyncIterable<Buffer>;
}

/** The way to a server. Both reject with TransportError, or with the reason of `signal` once it aborts. */
export interface SyncServer {
  ask(request: AskRequest, signal: AbortSignal): Promise<Reply>;
  stream(request: AskRequest, signal: AbortSignal): Promise<StreamedReply>;
}

/** No answer: refused, cut, timed out. The request may have been carried out all the same. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
  }
}

export function replyOf(status: number, text: string, header: Reply['header'] = () => undefined): Reply {
  return { status, header, text, body: parseObject(text) };
}
