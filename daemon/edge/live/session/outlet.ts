/** The writing side of a live connection, as a session sees it; a WebSocket or a Socket.IO connection is behind it. */
import type { Outlet } from '../../../pipeline/tell/subscriber.ts';

export interface SessionOutlet extends Outlet {
  /** Sends one message of our own: an answer (it has `re`), or something that concerns this connection alone. */
  send(message: object): void;
  /** Asks the peer for a sign of life. */
  ping(): void;
}
