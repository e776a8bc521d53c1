/** What a run did with users: their counts, the reasons for its errors, and the users that it left out. */
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

/** Errors with one reason, or of one kind. */
export interface ErrorGroup {
  readonly reason: string;
  readonly count: number;
  /** The lines where it occurred first, at most 5. */
  readonly lines: readonly number[];
}

const LINES_KEPT = 5;
const GROUPS_SHOWN = 10;
/** Kinds of errors that are counted separately; all further ones count together. */
const KINDS_MAX = 1_000;
const OTHERS = 'others';
/** Reasons of one kind that are told apart: more of them would hide the other kinds. */
const REASONS_PER_KIND = 5;

/** The reasons for any number of errors, each with its number and first lines. Memory is bounded. */
export class ErrorGroups {
  readonly #groups = new Map<string, { readonly reason: string; count: number; readonly lines: number[] }>();
  /** Groups by kind of reason. */
  readonly #kinds = new Map<string, number>();

  add({ line, reason }: { readonly line: number; readonly reason: string }): void {
    const name = this.#groups.has(reason) ? reason : this.#nameFor(reason);
    const group = this.#groups.get(name) ?? { reason: name, count: 0, lines: [] };
    this.#groups.set(name, group);
    group.count++;
    if (group.lines.length < LINES_KEPT) group.lines.push(line);
  }

  /** The most frequent first, at most 10. */
  get shown(): readonly ErrorGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count).slice(0, GROUPS_SHOWN);
  }

  /** A new reason has a group of its own, unless its kind has many: then the further ones count together. */
  #nameFor(reason: string): string {
    const kind = kindOf(reason);
    if (this.#groups.has(kind)) return kind;
    const known = this.#kinds.get(kind) ?? 0;
    if (this.#groups.size >= KINDS_MAX) return OTHERS;
    this.#kinds.set(kind, known + 1);
    return known < REASONS_PER_KIND ? reason : kind;
  }
}

/** Reasons that differ only in the text, the user or the number that they name are of one kind. */
function kindOf(reason: string): string {
  return reason
    .replace(/"[^"]*"/g, '"…"')
    .replace(/\buser [\w@-]+/g, 'user …')
    .replace(/\d+/g, '…');
}

/** One line of text for each group, without its end, and one for the rest of the `total` errors. */
export function errorLines(groups: readonly ErrorGroup[], total: number): readonly string[] {
  const lines = groups.map(({ reason, count, lines: first }) => {
    return `${grouped(count)} × ${reason} (line ${[...first, ...(count > first.length ? ['…'] : [])].join(', ')})`;
  });
  const rest = groups.reduce((left, { count }) => left - count, total);
  return rest > 0 ? [...lines, `… and ${grouped(rest)} for other reasons`] : lines;
}
