/**
 * Who is there: users with at least one live connection, and those whose last
 * one ended a moment ago. Kept in memory only: after a crash everyone is away
 * until they come back.
 *
 * It keeps PR1–PR3 (daemon/RULES.md).
 */

import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { UserChange } from '../../core/directory/record.ts';

/** Others may know of somebody who is there and has not asked to be invisible. */
export function mayShowOnline(user: StoredUser | undefined): boolean {
  return user !== undefined && isAlive(user) && user.invisible !== true && user.deactivated_at === undefined;
}

export interface PresenceOptions {
  readonly graceMs: number;
  readonly gatherMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Whether others may know that the user is there. */
  readonly isVisible: (id: string) => boolean;
  /** Users whose state, as others see it, changed. */
  readonly onChange: (changes: ReadonlyMap<string, boolean>) => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #sockets = new Map<string, number>();
  /** Users without a connection who still count as there, and until when; in that order. */
  readonly #leaving = new Map<string, number>();
  /** Users that others were told are online. */
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

  /** The user is gone for good, or was sent away: no grace, and nobody is told about who no longer exists. */
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

  /** Something that decides how others see the user may have changed. */
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
