/**
 * The users with a ban or a mute that ends, and the time of the first end. The
 * answers depend on the users alone, not on the order of changes, so they are the
 * same after a restart from a snapshot. Pure: the caller gives the time.
 *
 * The heap may hold stale ends; `#due` holds the valid ones. A stale end is removed
 * when it comes first, and all of them when they outnumber the valid ones.
 */
import type { Micros } from '../../../protocol/base/time.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Heap } from './heap.ts';

interface End {
  readonly at: Micros;
  readonly id: string;
}

function endsBefore(a: End, b: End): boolean {
  return a.at < b.at || (a.at === b.at && a.id < b.id);
}

/** Below this number, stale ends are not worth removing. */
const STALE_MIN = 64;

export class Expiry {
  /** By user, the valid first end: the same object as in the heap. */
  readonly #due = new Map<string, End>();
  readonly #heap = new Heap<End>(endsBefore);

  /** Number of users with a ban or mute that ends. */
  get size(): number {
    return this.#due.size;
  }

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.bans === after?.bans && before?.mutes === after?.mutes) return;
    const id = after?.id ?? before?.id ?? '';
    const at = after === undefined ? undefined : firstEnd(after);
    if (at === this.#due.get(id)?.at) return;
    if (at === undefined) this.#due.delete(id);
    else {
      const end = { at, id };
      this.#due.set(id, end);
      this.#heap.push(end);
    }
    this.#dropStale();
  }

  #isTrue(end: End): boolean {
    return this.#due.get(end.id) === end;
  }

  #dropStale(): void {
    if (this.#heap.size > 2 * this.#due.size + STALE_MIN) {
      this.#heap.clear();
      for (const end of this.#due.values()) this.#heap.push(end);
      return;
    }
    for (let first = this.#heap.first; first !== undefined && !this.#isTrue(first); first = this.#heap.first) this.#heap.pop();
  }

  /** The time of the next end; undefined when nothing ends. */
  get next(): Micros | undefined {
    return this.#heap.first?.at;
  }

  /** Users with a ban or mute that has ended by `now`, at most `max`: in order of their first end, then of id. */
  dueBy(now: Micros, max: number): string[] {
    const ids: string[] = [];
    if (max <= 0) return ids;
    for (const end of this.#heap.inOrder()) {
      if (end.at > now) break;
      if (this.#isTrue(end)) ids.push(end.id);
      if (ids.length === max) break;
    }
    return ids;
  }
}

function firstEnd({ bans, mutes }: StoredUser): Micros | undefined {
  let first: Micros | undefined;
  const look = ({ expires }: { readonly expires?: Micros }): void => {
    if (expires !== undefined && (first === undefined || expires < first)) first = expires;
  };
  bans?.forEach(look);
  mutes?.forEach(look);
  return first;
}
