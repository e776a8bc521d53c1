/** How many living users have each role, as their own or in a team: a role in use cannot be deleted. Pure. */
import type { StoredUser } from '../../../protocol/users/user.ts';

export class RoleCounts {
  readonly #counts = new Map<string, number>();

  get(role: string): number {
    return this.#counts.get(role) ?? 0;
  }

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.role === after?.role && before?.teams_role === after?.teams_role) return;
    for (const role of rolesOf(before)) this.#add(role, -1);
    for (const role of rolesOf(after)) this.#add(role, 1);
  }

  #add(role: string, by: number): void {
    const count = this.get(role) + by;
    if (count === 0) this.#counts.delete(role);
    else this.#counts.set(role, count);
  }
}

/** Each role once, so that the counts are numbers of users. */
function rolesOf(user: StoredUser | undefined): Iterable<string> {
  if (user === undefined) return [];
  return user.teams_role === undefined ? [user.role] : new Set([user.role, ...Object.values(user.teams_role)]);
}
