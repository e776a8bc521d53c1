/** The writing side of a live connection, as a session sees it; a WebSocket or a Socket.IO connection is behind it. */
import type { Outlet } from '../../../pipeline/tell/subscriber.ts';

export interface SessionOutlet extends Outlet {
  /** Sends one message of our own: an answer (it has `re`), or something that concerns this connection alone. */
  send(message: object): void;
  /** Asks the peer for a sign of life. */
  ping(): void;
}

/** Answers are made while no more than this waits for the peer. The longest one is a page of a snapshot. */
export const ANSWERS_BYTES_MAX = 1024 * 1024;

/** As much of a peer as says what it has taken. */
export type Taking = Pick<SessionOutlet, 'queuedBytes' | 'drained'>;

/** Waits until the peer may be given another answer. False when it is gone. */
export async function hasRoom(outlet: Taking): Promise<boolean> {
  return outlet.queuedBytes <= ANSWERS_BYTES_MAX || (await outlet.drained());
}
