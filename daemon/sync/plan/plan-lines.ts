/**
 * The lines of a plan file, and the check that a line is valid. Pure.
 *
 * Order: header; errors, creations and updates in the order of the source; removals; trailer. Users that would
 * not change are only counted. A plan never holds secrets.
 */
import { isUserId } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Returns } from '../../../protocol/users/upsert.ts';
import type { TakenOutSummary } from '../counts.ts';
import type { RowError } from '../rows.ts';

/** Version of the format. A file of another version is refused. */
export const PLAN_VERSION = 1;

export type Write = 'create' | 'update' | 'reactivate' | 'restore';
export const WRITES: readonly Write[] = ['create', 'update', 'reactivate', 'restore'];

export type Removal = 'deactivate' | 'soft-delete' | 'hard-delete';
export const REMOVALS: readonly Removal[] = ['deactivate', 'soft-delete', 'hard-delete'];

/** The options of the plan, for those who read or apply it. */
export interface PlanSettings {
  readonly missing: 'ignore' | Removal;
  /** `team=red`, or null for the whole directory. */
  readonly scope: string | null;
  /** Absent: `leave`. */
  readonly returning?: Exclude<Returns, 'leave'>;
}

export interface PlanHeader {
  readonly rosterd_plan: typeof PLAN_VERSION;
  /** RFC 3339. */
  readonly created_at: string;
  /** URL of the daemon that was asked, without credentials. */
  readonly url: string;
  readonly source: string;
  /** Position of the daemon when planning began; null when the server is not rosterd. */
  readonly base: Position | null;
  readonly options: PlanSettings;
}

/** Values before and after, by the daemon's name of the field (`name`, `custom.book`); null stands for absent. */
export type PlannedChanges = Readonly<Record<string, readonly [unknown, unknown]>>;

export interface PlanWrite {
  /** `reactivate`, `restore`: the user comes back and is then written like any other. */
  readonly do: Write;
  /** Line in the source. */
  readonly line: number;
  readonly id: string;
  /** Revision of the user when the plan was made; 0 when it did not exist, null when the server does not report it. */
  readonly rev: number | null;
  /** The user as it will be sent, in the form of chat v1. */
  readonly user: Readonly<Record<string, unknown>>;
  readonly changes?: PlannedChanges;
}

export interface PlanRemoval {
  readonly do: Removal;
  readonly id: string;
  readonly rev: number | null;
}

/** A row of the source that changes nothing because of an error. */
export interface PlanError {
  readonly error: RowError;
}

export type PlanLine = PlanWrite | PlanRemoval | PlanError;

/** Each row of the source is in exactly one of create, update, reactivate, restore, unchanged and errors. */
export interface PlanCounts {
  readonly rows: number;
  readonly create: number;
  readonly update: number;
  readonly reactivate: number;
  readonly restore: number;
  readonly unchanged: number;
  /** Users of the directory (in the scope) that the source does not name; 0 with `ignore`, which does not list them. */
  readonly missing: number;
  readonly deactivate: number;
  readonly soft_delete: number;
  readonly hard_delete: number;
  readonly errors: number;
}

export interface PlanTrailer {
  readonly end: true;
  readonly counts: PlanCounts;
  /** Users of the source that an earlier sync took out and that the plan leaves out; absent when there are none. */
  readonly taken_out?: TakenOutSummary;
  /** Checksum of all bytes before this line, in hex. */
  readonly sha256: string;
}

export const NO_COUNTS: PlanCounts = {
  rows: 0,
  create: 0,
  update: 0,
  reactivate: 0,
  restore: 0,
  unchanged: 0,
  missing: 0,
  deactivate: 0,
  soft_delete: 0,
  hard_delete: 0,
  errors: 0,
};

/** The names of all counts. */
export const COUNT_NAMES = [
  'rows',
  'create',
  'update',
  'reactivate',
  'restore',
  'unchanged',
  'missing',
  'deactivate',
  'soft_delete',
  'hard_delete',
  'errors',
] as const;

/** The number of users that the plan changes. */
export function changesOf(counts: PlanCounts): number {
  return counts.create + counts.update + counts.reactivate + counts.restore + removalsOf(counts);
}

/** The number of users that the plan removes. */
export function removalsOf({ deactivate, soft_delete, hard_delete }: PlanCounts): number {
  return deactivate + soft_delete + hard_delete;
}

/** The mutable form of the counts. */
export type PlanTotals = { -readonly [Name in keyof PlanCounts]: number };

/** The count that a line increases by one. */
export function countOf(
  line: PlanError | Pick<PlanWrite | PlanRemoval, 'do'>,
): Write | 'deactivate' | 'soft_delete' | 'hard_delete' | 'errors' {
  if ('error' in line) return 'errors';
  if (line.do === 'soft-delete') return 'soft_delete';
  return line.do === 'hard-delete' ? 'hard_delete' : line.do;
}

export function isPlanHeader(value: unknown): value is PlanHeader {
  if (!isObject(value) || value.rosterd_plan !== PLAN_VERSION || !isObject(value.options)) return false;
  const { base, created_at, url, source, options } = value;
  const isBase = base === null || (isObject(base) && typeof base.epoch === 'string' && isCount(base.seq));
  const isScope = options.scope === null || typeof options.scope === 'string';
  const isMissing = options.missing === 'ignore' || isRemoval(options.missing);
  const isReturning = [undefined, 'reactivate', 'restore'].some((known) => known === options.returning);
  return isBase && isScope && isMissing && isReturning && [created_at, url, source].every((text) => typeof text === 'string');
}

export function isPlanLine(value: unknown): value is PlanLine {
  if (!isObject(value)) return false;
  if (isObject(value.error)) {
    const { line, id, code, reason } = value.error;
    const isCode = typeof code === 'number' || typeof code === 'string';
    return isCount(line) && isCode && typeof reason === 'string' && (id === undefined || typeof id === 'string');
  }
  const { id, rev, user, line, changes } = value;
  if (typeof id !== 'string' || !isUserId(id) || !(rev === null || isCount(rev))) return false;
  if (isRemoval(value.do)) return user === undefined;
  if (!WRITES.some((write) => write === value.do)) return false;
  return isCount(line) && isObject(user) && user.id === id && (changes === undefined || isObject(changes));
}

export function isPlanTrailer(value: unknown): value is PlanTrailer {
  if (!isObject(value) || value.end !== true || !isObject(value.counts)) return false;
  const { counts, taken_out: out } = value;
  if (out !== undefined && !(isObject(out) && isCount(out.count) && Array.isArray(out.first))) return false;
  // A plan of an earlier version of the program has fewer counts.
  return COUNT_NAMES.every((name) => isCount(counts[name] ?? 0)) && typeof value.sha256 === 'string' && /^[0-9a-f]{64}$/.test(value.sha256);
}

function isRemoval(value: unknown): value is Removal {
  return REMOVALS.some((removal) => removal === value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
