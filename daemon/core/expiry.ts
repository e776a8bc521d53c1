/**
 * Which users have a ban or a mute that ends, and when the first of them does.
 * Pure: whoever asks says what time it is.
 */
import type { Micros } from '../../protocol/time.ts';
import type { StoredUser } from '../../protocol/user.ts';

export class Expiry {
  readonly #due = new Map<string, Micros>();

  /** `before` and `after` are the living user, undefined when there is none. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.bans === after?.bans && before?.mutes === after?.mutes) return;
    const id = after?.id ?? before?.id ?? '';
    const first = after === undefined ? undefined : firstEnd(after);
    if (first === undefined) this.#due.delete(id);
    else this.#due.set(id, first);
  }

  /** When something ends next; undefined when nothing does. */
  get next(): Micros | undefined {
    let next: Micros | undefined;
    for (const at of this.#due.values()) if (next === undefined || at < next) next = at;
    return next;
  }

  /** Users of whom something has ended by `now`, at most `max`. */
  dueBy(now: Micros, max: number): string[] {
    const ids: string[] = [];
    for (const [id, at] of this.#due) {
      if (at > now) continue;
      ids.push(id);
      if (ids.length === max) break;
    }
    return ids;
  }
}

function firstEnd({ bans = [], mutes = [] }: StoredUser): Micros | undefined {
  let first: Micros | undefined;
  for (const { expires } of [...bans, ...mutes]) if (expires !== undefined && (first === undefined || expires < first)) first = expires;
  return first;
}
