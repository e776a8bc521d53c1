/** Counts of users by what a run did with them. */

/** `unchanged`: already as wanted. `changed_meanwhile`: left as they are because somebody else changed them. */
export interface SyncCounts {
  readonly created: number;
  readonly updated: number;
  readonly deactivated: number;
  readonly soft_deleted: number;
  readonly hard_deleted: number;
  readonly unchanged: number;
  /** Accepted by a server that does not report what happened to them. */
  readonly sent: number;
  readonly changed_meanwhile: number;
  readonly failed: number;
}

/** The mutable form of the counts. */
export type SyncTotals = { -readonly [Name in keyof SyncCounts]: number };

export const NO_RESULTS: SyncCounts = {
  created: 0,
  updated: 0,
  deactivated: 0,
  soft_deleted: 0,
  hard_deleted: 0,
  unchanged: 0,
  sent: 0,
  changed_meanwhile: 0,
  failed: 0,
};

/** The number of users that are done, one way or the other. */
export function sumOf(counts: SyncCounts): number {
  return Object.values(counts).reduce((sum: number, count: number) => sum + count, 0);
}
