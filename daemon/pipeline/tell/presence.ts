/**
 * Which users are online: users with at least one live connection, and those whose last connection ended a moment ago. Kept in memory only:
 * after a crash everyone is offline until they reconnect.
 *
 * It keeps PR1–PR3 (daemon/RULES.md).
 */

import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
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
  /** Whether others may see that the user is online. */
  readonly isVisible: (id: string) => boolean;
  /** Receives the users whose presence, as others see it, changed. */
  readonly onChange: (changes: ReadonlyMap<string, boolean>) => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #sockets = new Map<string, number>();
  /** Users without a connection that still count as online, and until when; ordered by that time. */
  readonly #leaving = new Map<string, number>();
  /** Users whose online state was sent to others. */
  readonly #told = new Set<string>();
  readonly #touched = new Set<string>();
  #graceTimer: NodeJS.Timeout | undefined;
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

  arrived(id: string): void {
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

  /**
   * Ends the grace period of a user that was deleted or sent away. `isTold`: others receive the change; false for a user that no longer
   * exists.
   */
  forget(id: string, isTold: boolean): void {
    this.#leaving.delete(id);
    if (isTold) this.touch(id);
    else this.#told.delete(id);
  }

  /** A change of the record can change whether others see its user as online. */
  follow({ before, after }: Pick<UserChange, 'before' | 'after'>): void {
    if (after.deleted_at !== undefined) this.forget(after.id, false);
    else if (after.deactivated_at !== undefined) this.forget(after.id, true);
    else if (before?.invisible !== after.invisible && this.isOnline(after.id)) this.touch(after.id);
  }

  isOnline(id: string): boolean {
    return this.#sockets.has(id) || this.#leaving.has(id);
  }

  /** Called when something that decides how others see the user may have changed. */
  touch(id: string): void {
    this.#touched.add(id);
    this.#gatherTimer ??= setTimeout(() => this.#tell(), this.#options.gatherMs);
  }

  stop(): void {
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#gatherTimer);
  }

  #armGrace(): void {
    if (this.#graceTimer !== undefined) return;
    const [first] = this.#leaving.values();
    if (first === undefined) return;
    this.#graceTimer = setTimeout(() => this.#endGrace(), Math.max(1, first - this.#options.nowMs()));
    this.#graceTimer.unref();
  }

  #endGrace(): void {
    this.#graceTimer = undefined;
    const now = this.#options.nowMs();
    for (const [id, until] of this.#leaving) {
      if (until > now) break;
      this.#leaving.delete(id);
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
