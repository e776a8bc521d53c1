/**
 * Sync plans that the daemon makes of an uploaded file: their document, the commands that move one on, and the requests. Part of the
 * durable format. Pure; throws RosterError `input`.
 *
 * It keeps PA1–PA8 (daemon/RULES.md).
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../base/errors.ts';
import { says } from '../base/explain.ts';
import { utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { pageLimit, QueryLimit, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, presentFields, type QueryFields } from '../base/reading.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import { isUploadPath } from './imports.ts';

/**
 * `uploaded`: the daemon has not begun. `refused`: by a brake. `failed`: it could not be made, or its file is gone. `stopped`: applying it was
 * interrupted by a person, or gave up, and can go on. `applied`: its end was reached.
 */
const State = Type.Union([
  Type.Literal('uploaded'),
  Type.Literal('planning'),
  Type.Literal('planned'),
  Type.Literal('refused'),
  Type.Literal('failed'),
  Type.Literal('approved'),
  Type.Literal('applying'),
  Type.Literal('stopped'),
  Type.Literal('applied'),
  Type.Literal('withdrawn'),
]);
export type SyncPlanState = Static<typeof State>;

const Missing = Type.Union([Type.Literal('ignore'), Type.Literal('deactivate'), Type.Literal('soft-delete'), Type.Literal('hard-delete')]);
const Returning = Type.Union([Type.Literal('leave'), Type.Literal('reactivate'), Type.Literal('restore')]);
const Format = Type.Union([Type.Literal('csv'), Type.Literal('json'), Type.Literal('ndjson')]);
const Share = Type.Number({ minimum: 0, maximum: 1, ...says('must be a share from 0 to 1, such as 0.1') });

const PlanChoice = {
  format: Type.Optional(Format),
  /** Which column fills which field, as the map of `rosterd sync plan`. */
  map: Type.Optional(AnyObject),
  missing: Type.Optional(Missing),
  max_missing: Type.Optional(Share),
  max_missing_count: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 999_999_999, ...says('must be a whole number from 0 to 999,999,999') }),
  ),
  max_errors: Type.Optional(Share),
  returning: Type.Optional(Returning),
  team: Type.Optional(Type.String({ minLength: 1 })),
};

/** Somebody did something: `sign_in` is absent for a server token. */
const Step = Type.Object({ at: MicrosField, sign_in: Type.Optional(Type.String()) });
export type PlanStep = Static<typeof Step>;

/** One plan. `path`: of the upload. */
export const SyncPlan = Type.Object({
  id: Type.String(),
  path: Type.String(),
  /** The name of the source, for messages. */
  source: Type.String(),
  options: Type.Object(PlanChoice),
  state: State,
  proposed: Step,
  approved: Type.Optional(Step),
  /** Who asked to apply it, the last time. */
  applied: Type.Optional(Step),
  withdrawn: Type.Optional(Step),
  /** SHA-256 of the plan file: what is approved is what is applied. */
  digest: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.Integer()),
  /** Why there is no plan, or why it was not applied to its end. */
  problems: Type.Optional(Type.Array(Type.String())),
  /** The counts, the brakes, and what else the planning said. */
  summary: Type.Optional(AnyObject),
  /** How far the work in progress is. */
  progress: Type.Optional(AnyObject),
  /** Everything up to this line of the plan file is done, with these counts. */
  checkpoint: Type.Optional(Type.Object({ at: Type.Integer(), counts: Type.Record(Type.String(), Type.Integer()) })),
  /** Users that changed after the plan was made are kept, and the rest is applied. */
  if_unchanged: Type.Optional(Type.Boolean()),
  /** What applying it did, skipped and could not do. */
  report: Type.Optional(AnyObject),
  created_at: MicrosField,
  updated_at: MicrosField,
});
export type SyncPlan = Static<typeof SyncPlan>;

/** Proposes a plan. */
export interface PlanProposeCommand {
  readonly kind: 'plan-propose';
  readonly plan: SyncPlan;
}

/** A person, or a server, moves a plan on. `sign_in`: of the console; absent for a server token. */
export interface PlanMoveCommand {
  readonly kind: 'plan-approve' | 'plan-withdraw' | 'plan-apply' | 'plan-stop';
  readonly id: string;
  readonly sign_in?: string;
  /** Of `plan-approve`: the digest of the plan that was looked at. */
  readonly digest?: string;
  /** Of `plan-apply`. */
  readonly ifUnchanged?: boolean;
}

/** The job writes down how far it is. Nothing is written when a person has moved the plan on meanwhile: it is no longer in one of `while`. */
export interface PlanNoteCommand {
  readonly kind: 'plan-note';
  readonly id: string;
  readonly while: readonly SyncPlanState[];
  readonly fields: Partial<Omit<SyncPlan, 'id' | 'created_at' | 'updated_at'>>;
}

export type PlanCommand = PlanProposeCommand | PlanMoveCommand | PlanNoteCommand;

export function isPlanCommand<Command extends { readonly kind: string }>(command: Command | PlanCommand): command is PlanCommand {
  return command.kind.startsWith('plan-');
}

/** Whether the daemon has work to do on it. */
export function isPlanWork({ state }: Pick<SyncPlan, 'state'>): boolean {
  return state === 'uploaded' || state === 'planning' || state === 'applying';
}

/** Whether nothing can become of it any more. */
export function isPlanOver({ state }: Pick<SyncPlan, 'state'>): boolean {
  return state === 'refused' || state === 'failed' || state === 'applied' || state === 'withdrawn';
}

const CHANGE_KINDS = ['create', 'update', 'reactivate', 'restore', 'deactivate', 'soft-delete', 'hard-delete', 'error'] as const;
/** The kind of a line of a plan. */
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export const CreatePlanBody = Type.Object({ path: Type.String({ maxLength: 255 }), ...PlanChoice });
const createCheck = Compile(CreatePlanBody);
export const ApprovePlanBody = Type.Object({ digest: Type.String({ maxLength: 64, ...says('must be the `digest` of the plan') }) });
const approveCheck = Compile(ApprovePlanBody);
export const ApplyPlanBody = Type.Object({ if_unchanged: Type.Optional(Type.Boolean()) });
const applyCheck = Compile(ApplyPlanBody);
export const SourceQuery = Type.Object({ path: Type.String({ maxLength: 255, ...says('must be the `path` of an upload') }) });
const readSource = queryReader(SourceQuery);
export const SourceUploadQuery = Type.Object({
  filename: Type.Optional(Type.String({ maxLength: 255, ...says('must be a file name of at most 255 characters') })),
});
const readUpload = queryReader(SourceUploadQuery);
export const ChangesQuery = Type.Object({
  kind: Type.Optional(
    Type.Union(
      CHANGE_KINDS.map((kind) => Type.Literal(kind)),
      says(`must be one of ${CHANGE_KINDS.join(', ')}`),
    ),
  ),
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'the lines after this place: `next` of the page before',
      ...says('must be the `next` of a page, a whole number from 0 on'),
    }),
  ),
  limit: QueryLimit,
});
const readChanges = queryReader(ChangesQuery);

/** The path of an upload. */
export function decodeSourceQuery(query: QueryFields): string {
  const { path } = readSource(query);
  if (!isUploadPath(path)) throw fieldErrors('input', [{ path: 'path', message: 'nothing was uploaded there' }]);
  return path;
}

/** The name of the file that is uploaded. */
export function decodeSourceUpload(query: QueryFields): string | undefined {
  return readUpload(query).filename;
}

/** `POST /sync/plans`. Defaults are those of `rosterd sync plan`. */
export function decodeCreatePlan(body: unknown): Pick<SyncPlan, 'path' | 'options'> {
  const { path, ...options } = checked(createCheck, presentFields(bodyObject(body)));
  const problems = [];
  if (!isUploadPath(path)) problems.push({ path: 'path', message: 'nothing was uploaded there: POST /sync/sources takes the file' });
  if (options.missing === 'hard-delete' && options.max_missing_count === undefined) {
    problems.push({
      path: 'max_missing_count',
      message: 'is needed: a hard-delete cannot be undone, so say how many users it may delete at most',
    });
  }
  if (options.team !== undefined && utf8Bytes(options.team) > LIMITS.teamBytes)
    problems.push({ path: 'team', message: `must not be longer than ${LIMITS.teamBytes} bytes` });
  if (options.map !== undefined && utf8Bytes(JSON.stringify(options.map)) > LIMITS.planMapBytes)
    problems.push({ path: 'map', message: `must not be longer than ${LIMITS.planMapBytes} bytes` });
  if (problems.length > 0) throw fieldErrors('input', problems);
  return { path, options };
}

/** `POST /sync/plans/:id/approve`. */
export function decodeApprovePlan(body: unknown): string {
  return checked(approveCheck, presentFields(bodyObject(body))).digest;
}

/** `POST /sync/plans/:id/apply`. */
export function decodeApplyPlan(body: unknown): boolean {
  return checked(applyCheck, presentFields(bodyObject(body))).if_unchanged ?? false;
}

/** The lines of a plan to show: so many, of this kind, from this byte of the plan file on. */
export interface ChangesQuestion {
  readonly kind?: ChangeKind;
  readonly after?: number;
  readonly limit: number;
}

export function decodeChangesQuery(query: QueryFields): ChangesQuestion {
  const { kind, after, ...page } = readChanges(query);
  return { limit: pageLimit(page), ...(kind === undefined ? undefined : { kind }), ...(after === undefined ? undefined : { after }) };
}
