/** Indexes the names of the loaded users in the background, and finds out whether an upgrade made some of them equal. */
import type { RosterLogger } from '../../base/logger.ts';
import { inSlices } from '../../base/slices.ts';
import type { Directory } from '../../core/directory/directory.ts';
import { indexNames, type NameCollisions } from '../../core/users/name-collisions.ts';

export class NameKeys {
  /** After an upgrade that compares names in another way: the names that several users held at the start. */
  collisions: NameCollisions | undefined;

  /** A look-up that needs the index meanwhile waits until it is complete. */
  async start(directory: Directory, logger: RosterLogger): Promise<void> {
    this.collisions = await inSlices(indexNames(directory));
    if (this.collisions === undefined) return;
    const text = 'names are compared in another way since the upgrade, and some are held by several users; GET /app lists them';
    logger.error({ names: this.collisions.total }, text);
  }
}
