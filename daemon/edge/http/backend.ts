/**
 * What the edge needs of the directory service, and nothing more. `Roster` in
 * daemon/pipeline satisfies it; tests give a small one that keeps all in memory.
 */

import type { TeamUsageQuestion } from '../../../protocol/app/usage.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import type { QuerySpec } from '../../../protocol/users/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { TeamUsagePage } from '../../core/app/usage.ts';
import type { Directory } from '../../core/directory/directory.ts';
import type { RecordsView } from '../../core/directory/frozen-view.ts';
import type { NameCollisions } from '../../core/users/name-collisions.ts';
import type { Visibility } from '../../core/users/query.ts';
import type { Lane } from '../../pipeline/write/sequencer.ts';

/** The directory as the edge may see it: it looks things up and changes nothing. */
export type DirectoryReader = Pick<Directory, 'user' | 'record' | 'docs' | 'app' | 'size' | 'usage' | 'roles' | 'users' | 'bans'>;

/** The directory service, to read from. */
export interface Reading {
  readonly directory: DirectoryReader;
  readonly position: Position;
  /** Whether requests can be served: the log was replayed and the daemon is not stopping. */
  readonly ready: boolean;
  /** What the command would do now; nothing is stored. Throws RosterError. */
  preview(command: Command): Outcome;
  /** The records at this very position, while the directory moves on. Call `release` when done. */
  freeze(): RecordsView;
  query(spec: QuerySpec, visibility: Visibility): Promise<StoredUser[]>;
  /** Names that users share now, though names are to be unique in this scope. */
  nameCollisions(scope: 'app' | 'team'): Promise<NameCollisions>;
  /** A page of teams, and how much they use the application. */
  teamUsage(question: TeamUsageQuestion): Promise<TeamUsagePage>;
  /** Has a live connection that others may know of. */
  online(id: string): boolean;
}

export interface Backend extends Reading {
  /** Resolves when what the command did is durable. Rejects with RosterError when it is refused. */
  submit(command: Command, lane: Lane, origin?: Origin): Promise<Outcome>;
}

/** How a request writes. Read its body before any of them. */
export interface RequestWrites {
  /**
   * Resolves when what the command did is durable. It has the origin of the request, and is carried out once where the request
   * has a key. Rejects with RosterError when it is refused.
   */
  readonly submit: (command: Command, lane: Lane) => Promise<Outcome>;
  /** An id that nobody else makes; the same one again when the request is repeated under its `Idempotency-Key`. */
  readonly newId: () => string;
  /** Whether what is submitted next was carried out before, so that nothing must be checked beforehand. */
  readonly isRepeat: () => boolean;
}
