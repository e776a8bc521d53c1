/** The writing side of a live connection, as a session sees it; a WebSocket or a Socket.IO connection implements it. */
import type { Outlet } from '../../../pipeline/tell/subscriber.ts';

export interface SessionOutlet extends Outlet {
  /** The code of its goodbye; undefined while it has said none. */
  readonly goodbye: number | undefined;
  /** Sends one message of the session itself: an answer (it has `re`), or something that concerns this connection alone. */
  send(message: object): void;
  /** Asks the peer for a sign of life. */
  ping(): void;
}

/** The other side of a connection. */
export interface Peer {
  /** Where it calls from. */
  readonly address: string | undefined;
  /** Bytes that came from it so far. */
  readonly bytesRead: number;
  /** The wrapping of events for its transport. */
  readonly envelope: '' | 'io ';
}

/** Answers are made only while at most this many bytes wait for the peer. The longest answer is a page of a snapshot. */
export const ANSWERS_BYTES_MAX = 1024 * 1024;

/** For WebSocket servers: one frame of a connection in each turn of the event loop, however many arrive in one piece. */
export const ONE_FRAME_A_TURN = { allowSynchronousEvents: false } as const;

/** A peer that does not take part in its goodbye is cut off after this. */
export const CLOSE_GRACE_MS = 3_000;

/** The part of an outlet that shows how much its peer has taken. */
export type Taking = Pick<SessionOutlet, 'queuedBytes' | 'drained'>;

/** Waits until another answer may be sent to the peer. False when the peer is gone. */
export async function hasRoom(outlet: Taking): Promise<boolean> {
  return outlet.queuedBytes <= ANSWERS_BYTES_MAX || (await outlet.drained());
}
