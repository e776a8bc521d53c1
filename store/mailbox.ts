/**
 * Messages to one other process on the same store, for what only that one can do, such as something with a connection that it has. A message
 * may be lost; whoever needs to know asks for an answer, and gives up after a while.
 *
 * It keeps MB1–MB4 (store/README.md).
 */

/** A message that was not taken within this time, by the clock of the storage, is dropped. */
export const MESSAGE_KEPT_MS = 5_000;
/** UTF-8 bytes of one message. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Messages of one process that the storage has not taken yet. */
export const MESSAGES_WAITING_MAX = 1_000;

export interface Mailbox {
  /** The name of this node, under which the others know it. */
  readonly node: string;
  /** Begins to receive. Resolves when messages arrive here from now on, or when it is closed. `receive` must not throw. */
  start(receive: (body: string, from: string) => void): Promise<void>;
  /**
   * Resolves when the storage has the message. Rejects when it does not take it, and at once while it is away or too many wait; then it may
   * still arrive. Throws RangeError for a message that is too long.
   */
  send(to: string, body: string): Promise<void>;
  close(): Promise<void>;
}
