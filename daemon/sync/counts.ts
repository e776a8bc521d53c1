/** What a run did with users: their counts, and the users that it left out. */
import { grouped } from '../base/grouped.ts';

/** `unchanged`: already as wanted. `changed_meanwhile`: left as they are because somebody else changed them. */
export interface SyncCounts {
  readonly created: number;
  readonly updated: number;
  /** Users that an earlier sync took out, and that are in the source again. */
  readonly reactivated: number;
  readonly restored: number;
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
  reactivated: 0,
  restored: 0,
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

/** A user of the source that an earlier sync took out. */
export interface TakenOut {
  readonly id: string;
  readonly how: 'deactivated' | 'deleted';
}

/** Their number, and the first of them. */
export interface TakenOutSummary {
  readonly count: number;
  readonly first: readonly TakenOut[];
}

/** The number of users that a summary names. */
const NAMED_MAX = 10;

export class TakenOutList implements TakenOutSummary {
  count = 0;
  readonly first: TakenOut[] = [];
  /** Those among them that were deactivated, not deleted. */
  deactivated = 0;

  add(users: readonly TakenOut[]): void {
    for (const user of users) {
      this.count++;
      if (user.how === 'deactivated') this.deactivated++;
      if (this.first.length < NAMED_MAX) this.first.push(user);
    }
  }

  /** Says who they are and how they come back; empty when there are none. */
  notes(): readonly string[] {
    if (this.count === 0) return [];
    const names = this.first.map(({ id, how }) => `${id} (${how})`);
    const more = this.count > names.length ? [...names, '…'] : names;
    const option = this.count > this.deactivated ? 'restore' : 'reactivate';
    const [users, stay, them] = this.count === 1 ? ['user', 'it stays', 'it'] : ['users', 'they stay', 'them'];
    return [
      `an earlier sync took out ${grouped(this.count)} ${users} of the source, and ${stay} out: ${more.join(', ')}; --returning ${option} brings ${them} back`,
    ];
  }
}
