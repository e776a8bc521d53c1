/** How many living users name something: a role, which cannot be deleted while it is in use, or the author of a report. Pure. */
import type { StoredUser } from '../../../protocol/users/user.ts';

export class UserCounts {
  readonly #counts = new Map<string, number>();
  readonly #namesOf: (user: StoredUser) => Iterable<string>;

  /** `namesOf`: what a user names, each once, so that the counts are numbers of users. */
  constructor(namesOf: (user: StoredUser) => Iterable<string>) {
    this.#namesOf = namesOf;
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    const left = before === undefined ? [] : this.#namesOf(before);
    const come = after === undefined ? [] : this.#namesOf(after);
    for (const name of left) this.#add(name, -1);
    for (const name of come) this.#add(name, 1);
  }

  #add(name: string, by: number): void {
    const count = this.get(name) + by;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}

/** How many users there are in each state. */
export class UserStates {
  #alive = 0;
  #deactivated = 0;
  #records = 0;

  /** Users that are not deleted. */
  get alive(): number {
    return this.#alive;
  }

  /** Those of them that are deactivated. */
  get deactivated(): number {
    return this.#deactivated;
  }

  /** Deleted users, tombstones included. */
  get deleted(): number {
    return this.#records - this.#alive;
  }

  /** `before` and `after` are the living user, or undefined. `isNew`: there was no record under its id. */
  changed(isNew: boolean, before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (isNew) this.#records++;
    this.#alive += Number(after !== undefined) - Number(before !== undefined);
    this.#deactivated += Number(after?.deactivated_at !== undefined) - Number(before?.deactivated_at !== undefined);
  }
}

/** Users by role, as their own or in a team. */
export class RoleCounts extends UserCounts {
  constructor() {
    super(({ role, teams_role }) => (teams_role === undefined ? [role] : new Set([role, ...Object.values(teams_role)])));
  }

  override changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.role !== after?.role || before?.teams_role !== after?.teams_role) super.changed(before, after);
  }
}

/** Users by the authors of the reports about them. */
export class ReporterCounts extends UserCounts {
  constructor() {
    super(({ flags = [] }) => flags.flatMap(({ by }) => by ?? []));
  }

  override changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.flags !== after?.flags) super.changed(before, after);
  }
}
