/** Finds the users of the directory that are not in the source. Pure, but for the spool. */
import type { ListedUser } from '../user-list.ts';
import type { PlanRemoval, Removal } from './plan-lines.ts';
import type { SpoolFile } from './spool.ts';

export class MissingUsers {
  /** All users of the directory that are not in the source. */
  count = 0;
  /** Missing users that the plan would remove; they are in the spool, in the order of the directory's list. */
  removed = 0;
  /** Users of the directory that were looked at. */
  living = 0;
  /** Users that could be removed: all, or those not deactivated already. */
  inScope = 0;
  /** Users in the source that are deactivated. */
  deactivated = 0;
  readonly #isInSource: (id: string) => boolean;
  readonly #removal: Removal;
  readonly #removals: SpoolFile;

  constructor(removal: Removal, removals: SpoolFile, isInSource: (id: string) => boolean) {
    this.#removal = removal;
    this.#removals = removals;
    this.#isInSource = isInSource;
  }

  /** True when the plan would remove this user. Throws the system's error when the disk is full. */
  note({ id, rev, isDeactivated }: ListedUser): boolean {
    const isActedOn = !(isDeactivated && this.#removal === 'deactivate');
    this.living++;
    if (isActedOn) this.inScope++;
    if (this.#isInSource(id)) {
      if (isDeactivated) this.deactivated++;
      return false;
    }
    this.count++;
    if (!isActedOn) return false;
    this.removed++;
    const removal: PlanRemoval = { do: this.#removal, id, rev };
    this.#removals.add(JSON.stringify(removal));
    return true;
  }
}
