/** The living users with a ban of any kind, so that listing bans need not walk all users. Pure. */
import type { StoredUser } from '../../../protocol/users/user.ts';

export class BanIndex {
  readonly #ids = new Set<string>();

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.bans === after?.bans) return;
    const id = after?.id ?? before?.id ?? '';
    if (after?.bans === undefined) this.#ids.delete(id);
    else this.#ids.add(id);
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Safe to iterate while the index changes. */
  ids(): Iterable<string> {
    return this.#ids;
  }
}
