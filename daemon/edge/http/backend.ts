/**
 * The part of the directory service that the edge needs. `Roster` in daemon/pipeline satisfies it; tests use a small one that keeps
 * everything in memory.
 */

import type { TeamUsageQuestion } from '../../../protocol/app/usage.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import type { QuerySpec } from '../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Budget } from '../../base/slices.ts';
import type { TeamUsagePage } from '../../core/app/usage.ts';
import type { Directory } from '../../core/directory/directory.ts';
import type { RecordsView } from '../../core/directory/frozen-view.ts';
import type { NameCollisions } from '../../core/users/name-collisions.ts';
import type { Visibility } from '../../core/users/query.ts';
import type { Past } from '../../pipeline/tell/past.ts';
import type { Arrivals } from '../../pipeline/write/arrivals.ts';
import type { Lane } from '../../pipeline/write/sequencer.ts';

/** The directory as the edge sees it: read-only. */
export type DirectoryReader = Pick<
  Directory,
  'user' | 'record' | 'docs' | 'app' | 'appSeq' | 'size' | 'usage' | 'roles' | 'users' | 'bans'
>;

/** The directory service, for reading. */
export interface Reading {
  readonly directory: DirectoryReader;
  readonly position: Position;
  /** Whether requests can be served: the log was replayed and the daemon is not stopping. */
  readonly ready: boolean;
  readonly arrivals: Pick<Arrivals, 'has' | 'until'>;
  /** How far the times in the log are ahead of the wall clock, milliseconds. */
  readonly clockGap: { readonly ms: number };
  readonly past: Pick<Past, 'timeAfter'>;
  /** The outcome that the command would have now; nothing is stored. Throws RosterError. */
  preview(command: Command): Outcome;
  /** The records at the current position, while the directory moves on. Call `release` when done. */
  freeze(): RecordsView;
  /** Rejects with RosterError when it takes more work than the budget allows. `isGone`: whether nobody waits for the page any more. */
  query(spec: QuerySpec, visibility: Visibility, budget?: Budget, isGone?: () => boolean): Promise<StoredUser[]>;
  /** Names that several users share now, although names must be unique in this scope. */
  nameCollisions(scope: 'app' | 'team'): Promise<NameCollisions>;
  readonly names: { readonly collisions: NameCollisions | undefined };
  /** A page of teams with their usage of the application. */
  teamUsage(question: TeamUsageQuestion): Promise<TeamUsagePage>;
  /** Whether the user has a live connection that others may see. */
  online(id: string): boolean;
}

export interface Backend extends Reading {
  /** Resolves when this node knows whatever was acknowledged by any node before. For what a write reads first. Rejects with RosterError. */
  current(): Promise<void>;
  /** Resolves when the changes of the command are durable. Rejects with RosterError when it is refused. */
  submit(command: Command, lane: Lane, origin?: Origin): Promise<Outcome>;
}

/** The writes of a request. Read its body before any of them. */
export interface RequestWrites {
  /**
   * Resolves when the changes of the command are durable. The command has the origin of the request, and is carried out once if the request
   * has a key. Rejects with RosterError when it is refused.
   */
  readonly submit: (command: Command, lane: Lane) => Promise<Outcome>;
  /** As that of the backend. */
  readonly current: () => Promise<void>;
  /** A unique id; the same one again when the request is repeated under its `Idempotency-Key`. */
  readonly newId: () => string;
  /** Whether the next command was carried out before, so that nothing must be checked before it. */
  readonly isRepeat: () => boolean;
}
