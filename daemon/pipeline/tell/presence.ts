/**
 * Which users are online: users with at least one live connection, and those whose last connection ended a moment ago. Kept in memory only:
 * after a crash everyone is offline until they reconnect. Where several nodes share a directory, each counts its own connections, and a user is
 * online while any of them says so.
 *
 * It keeps PR1–PR3, PR11 and PR12 (daemon/RULES.md).
 */

import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { type SteadyClock, steadyClock } from '../../base/clock.ts';
import type { UserChange } from '../../core/directory/record.ts';

/** Whether others may see the user as online: it exists and has not asked to be invisible. */
export function mayShowOnline(user: StoredUser | undefined): boolean {
  return user !== undefined && isAlive(user) && user.invisible !== true && user.deactivated_at === undefined;
}

export interface PresenceOptions {
  readonly graceMs: number;
  readonly gatherMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** A timer of the same clock. Default: one of this process. */
  readonly after?: SteadyClock['after'];
  /** Whether others may see that the user is online. */
  readonly isVisible: (id: string) => boolean;
  /** Receives the users whose presence, as others see it, changed. */
  readonly onChange: (changes: ReadonlyMap<string, boolean>) => void;
  /** Receives the users that are online here, or no longer, for the other nodes. Called in the moment of the change. */
  readonly onHere?: (id: string, isHere: boolean) => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #sockets = new Map<string, number>();
  /** Users without a connection that still count as online, and until when; ordered by that time. */
  readonly #leaving = new Map<string, number>();
  /** Users whose online state was sent to others. */
  readonly #told = new Set<string>();
  readonly #touched = new Set<string>();
  /** The users that are online at each other node, by the name of the node. */
  readonly #elsewhere = new Map<string, Set<string>>();
  /** The ends of nodes that are gone: their users have until then to come back. */
  readonly #ends = new Map<string, NodeJS.Timeout>();
  /** Stops the timer of the first user that leaves. */
  #stopGrace: (() => void) | undefined;
  #gatherTimer: NodeJS.Timeout | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Users with a live connection, invisible ones included. */
  get connected(): Iterable<string> {
    return this.#sockets.keys();
  }

  /** Users that others see as online. */
  get visible(): ReadonlySet<string> {
    return this.#told;
  }

  /** Users with a connection here, or that had one a moment ago. */
  get here(): Iterable<string> {
    return [...this.#sockets.keys(), ...this.#leaving.keys()];
  }

  /** The other nodes that are alive, as far as this one has heard. */
  get otherNodes(): readonly string[] {
    return [...this.#elsewhere.keys()].filter((node) => this.hasNode(node));
  }

  /** Whether this is the name of another node that is alive. */
  hasNode(node: string): boolean {
    return this.#elsewhere.has(node) && !this.#ends.has(node);
  }

  /** The other nodes at which the user is online. */
  nodesOf(id: string): readonly string[] {
    return this.otherNodes.filter((node) => this.#elsewhere.get(node)?.has(id));
  }

  arrived(id: string): void {
    if (!this.#isHere(id)) this.#options.onHere?.(id, true);
    this.#sockets.set(id, (this.#sockets.get(id) ?? 0) + 1);
    this.#leaving.delete(id);
    this.touch(id);
  }

  left(id: string): void {
    const rest = (this.#sockets.get(id) ?? 1) - 1;
    if (rest > 0) {
      this.#sockets.set(id, rest);
      return;
    }
    this.#sockets.delete(id);
    this.#leaving.delete(id);
    this.#leaving.set(id, this.#options.nowMs() + this.#options.graceMs);
    this.#armGrace();
  }

  /** All users that are online at another node, in place of those that were. */
  replaceElsewhere(node: string, ids: ReadonlySet<string>): void {
    clearTimeout(this.#ends.get(node));
    this.#ends.delete(node);
    const before = this.#elsewhere.get(node) ?? new Set<string>();
    this.#elsewhere.set(node, new Set(ids));
    for (const id of before) if (!ids.has(id)) this.touch(id);
    for (const id of ids) if (!before.has(id)) this.touch(id);
  }

  /** Users that came online at another node, or are so no longer. */
  changeElsewhere(node: string, arrived: readonly string[], left: readonly string[]): void {
    const ids = this.#elsewhere.get(node) ?? new Set<string>();
    this.#elsewhere.set(node, ids);
    for (const id of left) ids.delete(id);
    for (const id of arrived) ids.add(id);
    for (const id of [...arrived, ...left]) this.touch(id);
  }

  /** Another node is gone: its users have the time to come back that they have after every cut. */
  loseNode(node: string): void {
    if (!this.#elsewhere.has(node) || this.#ends.has(node)) return;
    this.#ends.set(
      node,
      setTimeout(() => {
        this.replaceElsewhere(node, new Set());
        this.#elsewhere.delete(node);
      }, this.#options.graceMs).unref(),
    );
  }

  /**
   * Ends the grace period of a user that was deleted or sent away. `isTold`: others receive the change; false for a user that no longer
   * exists.
   */
  forget(id: string, isTold: boolean): void {
    if (this.#leaving.delete(id) && !this.#sockets.has(id)) this.#options.onHere?.(id, false);
    if (isTold) this.touch(id);
    else this.#told.delete(id);
  }

  /** A change of the record can change whether others see its user as online. */
  follow({ before, after }: Pick<UserChange, 'before' | 'after'>): void {
    if (after.deleted_at !== undefined) this.forget(after.id, false);
    else if (after.deactivated_at !== undefined) this.forget(after.id, true);
    // Of a user that connected to another node, this one may have heard before it has the record.
    else if ((before === undefined || before.invisible !== after.invisible) && this.isOnline(after.id)) this.touch(after.id);
  }

  isOnline(id: string): boolean {
    if (this.#isHere(id)) return true;
    for (const ids of this.#elsewhere.values()) if (ids.has(id)) return true;
    return false;
  }

  #isHere(id: string): boolean {
    return this.#sockets.has(id) || this.#leaving.has(id);
  }

  /** Called when something that decides how others see the user may have changed. */
  touch(id: string): void {
    this.#touched.add(id);
    this.#gatherTimer ??= setTimeout(() => this.#tell(), this.#options.gatherMs);
  }

  stop(): void {
    this.#stopGrace?.();
    clearTimeout(this.#gatherTimer);
    for (const timer of this.#ends.values()) clearTimeout(timer);
  }

  #armGrace(): void {
    if (this.#stopGrace !== undefined) return;
    const [first] = this.#leaving.values();
    if (first === undefined) return;
    const { nowMs, after = steadyClock.after } = this.#options;
    this.#stopGrace = after(Math.max(1, first - nowMs()), () => this.#endGrace());
  }

  #endGrace(): void {
    this.#stopGrace = undefined;
    const now = this.#options.nowMs();
    for (const [id, until] of this.#leaving) {
      if (until > now) break;
      this.#leaving.delete(id);
      this.#options.onHere?.(id, false);
      this.touch(id);
    }
    this.#armGrace();
  }

  #tell(): void {
    this.#gatherTimer = undefined;
    const changes = new Map<string, boolean>();
    for (const id of this.#touched) {
      const isOnline = this.isOnline(id) && this.#options.isVisible(id);
      if (isOnline === this.#told.has(id)) continue;
      if (isOnline) this.#told.add(id);
      else this.#told.delete(id);
      changes.set(id, isOnline);
    }
    this.#touched.clear();
    if (changes.size > 0) this.#options.onChange(changes);
  }
}
