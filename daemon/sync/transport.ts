/** The way of requests to a server: over HTTP for `rosterd sync`, by direct calls for an import inside the daemon. */
import { parseObject } from '../../protocol/base/json.ts';
import { isUnsentCode } from '../../protocol/client/client-error.ts';

export interface Reply {
  readonly status: number;
  /** By lower-case name. */
  header(name: string): string | undefined;
  /** The JSON object of the answer; undefined for all other content. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** The raw answer, for messages. */
  readonly text: string;
}

/** Writes these users. Rejects with TransportError, or with the reason of `signal` once it aborts. */
export type Send<User> = (users: readonly User[], signal: AbortSignal) => Promise<Reply>;

export interface AskRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the address of the daemon, such as `/users`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `If-Match`: the revision that it requires. */
  readonly ifMatch?: string;
}

/** An answer that is read as it arrives. */
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

/** There was no answer: refused, cut, timed out. The request may still have been carried out. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
  }
}

/** Whether a write that ended so may be stored. `thrown` in place of a reply: what the attempt rejected with. */
export function mayBeStored(ended: { readonly reply: Reply } | { readonly thrown: unknown }): boolean {
  if ('reply' in ended) return ended.reply.status >= 500 && ended.reply.body?.outcome !== 'not_stored';
  const { thrown } = ended;
  const cause = thrown instanceof TransportError ? thrown.cause : undefined;
  return !(cause instanceof Error && 'code' in cause && isUnsentCode(cause.code));
}

export function replyOf(status: number, text: string, header: Reply['header'] = () => undefined): Reply {
  return { status, header, text, body: parseObject(text) };
}
