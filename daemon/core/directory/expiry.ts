/**
 * Which users have a ban or a mute that ends, and when the first of them does.
 * What it answers depends on the users alone, not on how they came to be so: after
 * a restart from a snapshot it is the same. Pure: whoever asks says what time it is.
 *
 * The heap may hold times that are no longer true; `#due` says which are. They are
 * taken out when they come up, and all at once when they are more than the true ones.
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

/** Times that are no longer true are not worth a thought below this number. */
const STALE_MIN = 64;

export class Expiry {
  /** By user, the first end that is true: the very object in the heap. */
  readonly #due = new Map<string, End>();
  readonly #heap = new Heap<End>(endsBefore);

  /** Users with something that ends. */
  get size(): number {
    return this.#due.size;
  }

  /** `before` and `after` are the living user, undefined when there is none. */
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

  /** When something ends next; undefined when nothing does. */
  get next(): Micros | undefined {
    return this.#heap.first?.at;
  }

  /** Users of whom something has ended by `now`, at most `max`: whoever was first comes first, by id where it was at once. */
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
