/**
 * The other processes that have the same store open, and the users that are online at each of them. Nothing of it is durable.
 *
 * It keeps PE1–PE6 (store/README.md).
 */

/** A node that has said nothing for this long, by the clock of the storage, is gone. */
export const NODE_GONE_MS = 10_000;

/** One that has said nothing for this long is forgotten: an operator has seen by then that it is gone. */
export const NODE_FORGOTTEN_MS = 24 * 3_600_000;

export interface PeerNode {
  readonly name: string;
  readonly version: string;
  /** The position that it had applied when it was last heard of. */
  readonly applied: number;
  /** When that was: milliseconds ago, by the clock of the storage. */
  readonly silentMs: number;
}

export interface PeersListener {
  /** The users online at another node, in place of those that were. */
  replaced(node: string, users: ReadonlySet<string>): void;
  changed(node: string, arrived: readonly string[], left: readonly string[]): void;
  /** It stopped, or has said nothing for too long. */
  gone(node: string): void;
}

export interface PeersOptions extends PeersListener {
  /** The users online here, asked for whenever all of them must be said anew. */
  readonly here: () => Iterable<string>;
  /** The position applied here. */
  readonly applied: () => number;
}

export interface Peers {
  /** The name of this node. */
  readonly node: string;
  /** Begins to say and to hear. Resolves when this node is known to the others. Rejects when another node has its name (PE4). */
  start(options: PeersOptions): Promise<void>;
  /** Says to the others that a user came online here, or is so no longer (PE1). */
  say(user: string, isHere: boolean): void;
  /** All nodes, this one too. Rejects when the storage does not answer. */
  nodes(): Promise<readonly PeerNode[]>;
  /** Says goodbye. */
  close(): Promise<void>;
}
