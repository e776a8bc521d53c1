/** Who is in the directory and not in the source. Pure, but for the spool. */
import type { ListedUser } from '../user-list.ts';
import type { PlanRemoval, Removal } from './plan-lines.ts';
import type { SpoolFile } from './spool.ts';

export class MissingUsers {
  /** All who are in the directory and not in the source. */
  count = 0;
  /** Those of them to whom something would happen; they are in the spool, in the order of the directory's list. */
  removed = 0;
  /** Users of the directory that were looked at. */
  living = 0;
  /** Those of them to whom it could happen: all, or those who are not deactivated already. */
  inScope = 0;
  /** In the source, and deactivated. */
  deactivated = 0;
  readonly #isInSource: (id: string) => boolean;
  readonly #removal: Removal;
  readonly #removals: SpoolFile;

  constructor(removal: Removal, removals: SpoolFile, isInSource: (id: string) => boolean) {
    this.#removal = removal;
    this.#removals = removals;
    this.#isInSource = isInSource;
  }

  /** True when something would happen to this user. Throws the system's error when the disk is full. */
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
