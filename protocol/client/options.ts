/** The options of a client. */
import type { HttpCallerOptions } from './api/http-caller.ts';
import type { SocketClass } from './link/socket.ts';
import type { ApiSecret } from './tokens/secret.ts';

export interface RosterClientOptions extends HttpCallerOptions {
  /** Needed without a global WebSocket, such as in Node 20: the class of the `ws` package. */
  readonly webSocket?: SocketClass;
  /** Only on a server, never in a web page: `apiSecret('…')`. All calls over HTTP then use a server token. */
  readonly secret?: ApiSecret;
  /** Name of a durable consumer (server token only): the daemon keeps the position that `ack` sends, and resumes from it. */
  readonly durable?: string;
  /** After an interruption, emits only the newest state of each user. Default: every event. */
  readonly conflate?: boolean;
  /** In [0, 1); replaced in tests. */
  readonly random?: () => number;
}
