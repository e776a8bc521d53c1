/** How a client is made. */
import type { HttpCallerOptions } from './api/http-caller.ts';
import type { SocketClass } from './link/socket.ts';
import type { ApiSecret } from './tokens/secret.ts';

export interface RosterClientOptions extends HttpCallerOptions {
  /** Needed where there is no global WebSocket, such as Node 20: the class of the `ws` package. */
  readonly webSocket?: SocketClass;
  /** On a server, and never in a web page: `apiSecret('…')`. All calls over HTTP are then made with a server token. */
  readonly secret?: ApiSecret;
  /** Name of a durable consumer (server token only): the daemon keeps the position that `ack` tells it, and goes on from there. */
  readonly durable?: string;
  /** Of what was missed while away, only the newest state of each user is handed on. Default: every event. */
  readonly conflate?: boolean;
  /** In [0, 1); replaced in tests. */
  readonly random?: () => number;
}
