/** A sync plan as `/api/v2` shows it, and words for its parts. Times are nanoseconds since 1970. Pure. */
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

export interface ShownStep {
  readonly at: number;
  readonly sign_in?: string;
}

export interface ShownBrake {
  readonly name: string;
  readonly limit: number;
  readonly found: number;
  /** It is exceeded, and refused the plan. */
  readonly held: boolean;
}

export interface PlanRecord {
  readonly id: string;
  readonly source: string;
  readonly state: string;
  readonly options: JsonRecord;
  readonly proposed: ShownStep;
  readonly approved?: ShownStep;
  readonly applied?: ShownStep;
  readonly withdrawn?: ShownStep;
  readonly digest?: string;
  readonly problems?: readonly string[];
  readonly summary?: {
    readonly counts: Readonly<Record<string, number>>;
    readonly brakes: readonly ShownBrake[];
    readonly notes: readonly string[];
    readonly errors: readonly { readonly reason: string; readonly count: number }[];
  };
  readonly progress?: JsonRecord;
  readonly report?: {
    readonly counts?: Readonly<Record<string, number>>;
    readonly total?: number;
    readonly held_back?: number;
    readonly exceptions?: readonly { readonly id?: string; readonly result: string; readonly reason: string }[];
  };
  readonly created_at: number;
}

export interface ShownChange {
  readonly do?: string;
  readonly id?: string;
  readonly line?: number;
  readonly changes?: Readonly<Record<string, readonly [unknown, unknown]>>;
  readonly error?: { readonly line: number; readonly id?: string; readonly reason: string };
}

/** The plan of an answer; undefined when it has none. */
export function planOfAnswer(answer: JsonRecord | undefined): PlanRecord | undefined {
  const plan = answer?.sync_plan;
  return typeof plan === 'object' && plan !== null ? (plan as PlanRecord) : undefined;
}

export const STATE_WORDS: Readonly<Record<string, string>> = {
  uploaded: 'It waits to be planned.',
  planning: 'It is being planned. Nothing is changed by that.',
  planned: 'It waits for the approval of a second person. Nothing was changed yet.',
  refused: 'A brake refused it: there is no plan, and nothing was changed.',
  failed: 'There is no plan.',
  approved: 'It was approved and can be applied. Nothing was changed yet.',
  applying: 'It is being applied.',
  stopped: 'Applying it was stopped. What was written stays; it can go on.',
  applied: 'It was applied.',
  withdrawn: 'It was withdrawn.',
};

/** Whether the daemon works on it, so that it is to be looked at again soon. */
export function isAtWork({ state }: Pick<PlanRecord, 'state'>): boolean {
  return state === 'uploaded' || state === 'planning' || state === 'applying';
}

/** How far the work is; undefined while nothing is known. */
export function progressText({ state, progress = {} }: Pick<PlanRecord, 'state' | 'progress'>): string | undefined {
  const { done, total, rows } = progress;
  if (state === 'applying' && typeof done === 'number') return `${shownCount(done)} of ${shownCount(Number(total))} users done`;
  if (state === 'planning' && typeof rows === 'number')
    return progress.phase === 'comparing' ? `${shownCount(rows)} users compared` : `${shownCount(rows)} rows read`;
  return undefined;
}

const BRAKE_LABELS: Readonly<Record<string, string>> = {
  max_errors: 'Wrong rows',
  max_missing: 'Users that would be removed, as a share',
  max_missing_count: 'Users that would be removed',
};

/** `Wrong rows: 2.5%, of at most 10%`. */
export function brakeText({ name, limit, found }: ShownBrake): string {
  const value = (number: number): string => (name === 'max_missing_count' ? shownCount(number) : `${Number((number * 100).toFixed(2))}%`);
  return `${BRAKE_LABELS[name] ?? name}: ${value(found)}, of at most ${value(limit)}`;
}

/** Counts in the order in which people ask for them, without those that say nothing. */
export const COUNT_LABELS: readonly (readonly [name: string, label: string, kind: string])[] = [
  ['create', 'Created', 'create'],
  ['update', 'Changed', 'update'],
  ['reactivate', 'Reactivated', 'reactivate'],
  ['restore', 'Restored', 'restore'],
  ['deactivate', 'Deactivated', 'deactivate'],
  ['soft_delete', 'Soft-deleted', 'soft-delete'],
  ['hard_delete', 'Deleted for good', 'hard-delete'],
  ['errors', 'Wrong rows, left out', 'error'],
  ['unchanged', 'Unchanged', ''],
  ['missing', 'Not in the file', ''],
];

export function shownCount(number: number): string {
  return number.toLocaleString('en');
}

/** What is asked for a new plan. Texts of fields, as they were typed. */
export interface PlanForm {
  /** Column by field; an empty one leaves the field out. */
  readonly map: Readonly<Record<string, string>>;
  readonly missing: string;
  readonly maxMissing: string;
  readonly maxMissingCount: string;
  readonly maxErrors: string;
  readonly returning: string;
  readonly team: string;
}

/** `isTable`: its columns are mapped; other sources name their fields by themselves. */
export function createCall(path: string, form: PlanForm, isTable: boolean): ApiCall {
  const map = Object.fromEntries(Object.entries(form.map).filter(([, column]) => column !== ''));
  const number = (text: string): number | string => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text);
  const share = (text: string): number | string => {
    const value = number(text);
    return typeof value === 'number' ? value / 100 : value;
  };
  return {
    method: 'POST',
    path: '/api/v2/sync/plans',
    body: {
      path,
      ...(isTable ? { map } : undefined),
      missing: form.missing,
      ...(form.missing === 'ignore' ? undefined : { max_missing: share(form.maxMissing) }),
      ...(form.missing === 'ignore' || form.maxMissingCount === '' ? undefined : { max_missing_count: number(form.maxMissingCount) }),
      max_errors: share(form.maxErrors),
      returning: form.returning,
      ...(form.team === '' ? undefined : { team: form.team }),
    },
  };
}

/** A step of a plan: its button, what will happen, and the call. */
export interface PlanAction {
  readonly key: 'approve' | 'apply' | 'rest' | 'stop' | 'withdraw';
  readonly label: string;
  readonly says: string;
  readonly isGrave: boolean;
  /** No command does it: only a sign-in may. */
  readonly isForPeople?: true;
  readonly call: ApiCall;
}

/** What can be done with a plan now. `own`: the sign-in of this browser. */
export function planActions({ id, state, digest, proposed, problems = [] }: PlanRecord, own: string): readonly PlanAction[] {
  const call = (what: string, body?: object): ApiCall => ({
    method: 'POST',
    path: `/api/v2/sync/plans/${encodeURIComponent(id)}/${what}`,
    ...(body === undefined ? undefined : { body }),
  });
  const apply = { label: state === 'stopped' ? 'Go on' : 'Apply', isGrave: true } as const;
  const actions: PlanAction[] = [];
  if (state === 'planned' && proposed.sign_in !== own) {
    const says = 'You say that the changes are right. The plan can then be applied, exactly as it is shown. Nothing is changed yet.';
    actions.push({ key: 'approve', label: 'Approve', says, isGrave: false, isForPeople: true, call: call('approve', { digest }) });
  }
  if (state === 'approved' || state === 'stopped') {
    const says =
      'Users are written first and removed last. When a user has changed since the plan was made, nothing is written. You can stop it; what was written stays.';
    actions.push({ ...apply, key: 'apply', says, call: call('apply', {}) });
    if (problems.length > 0) {
      const rest = 'Users that have changed since the plan was made stay as they are now; all others become as the plan says.';
      actions.push({ key: 'rest', label: 'Apply the rest', says: rest, isGrave: true, call: call('apply', { if_unchanged: true }) });
    }
  }
  if (state === 'applying') {
    const says = 'Users that were written stay so. It can go on later.';
    actions.push({ key: 'stop', label: 'Stop', says, isGrave: false, call: call('stop') });
  }
  if (['uploaded', 'planning', 'planned', 'approved', 'stopped'].includes(state)) {
    const says = 'Nothing more becomes of the plan. Users that were written already stay so.';
    actions.push({ key: 'withdraw', label: 'Withdraw', says, isGrave: false, call: call('withdraw') });
  }
  return actions;
}
