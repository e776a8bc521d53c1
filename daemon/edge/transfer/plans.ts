/** Sync plans that the daemon makes: a file is uploaded, looked at and planned; the plan is shown, approved by a second person, and applied. */
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { decodeImportUrl, uploadPath } from '../../../protocol/transfer/imports.ts';
import { ChangesAnswer, planIn, renderPlan } from '../../../protocol/transfer/plan-answers.ts';
import {
  ApplyPlanBody,
  ApprovePlanBody,
  ChangesQuery,
  CreatePlanBody,
  decodeApplyPlan,
  decodeApprovePlan,
  decodeChangesQuery,
  decodeCreatePlan,
  decodeSourceQuery,
  decodeSourceUpload,
  type PlanMoveCommand,
  SourceQuery,
  SourceUploadQuery,
  type SyncPlan,
} from '../../../protocol/transfer/plans.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';

const ACCESS = 'server';
const planAnswer = (dialect: Dialect) => Type.Object({ sync_plan: planIn(dialect) });

export const PLAN_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/sync/sources', () => ({
    operation: 'UploadSyncSource',
    method: 'POST',
    access: ACCESS,
    summary: 'Stores a file to be planned, up to 64 MiB: CSV, JSON or NDJSON',
    query: SourceUploadQuery,
    answer: Type.Object({ path: Type.String(), size: Type.Integer() }),
    uploads: ['application/octet-stream', 'text/csv', 'application/x-ndjson', 'application/json'],
    handle: async ({ services, rawBody, query }) => {
      // Also under an idempotency key: a file that is sent again is one more, and one that nobody plans goes by itself.
      const path = uploadPath(randomUUID(), decodeImportUrl({ filename: decodeSourceUpload(query) ?? 'users.csv' }));
      const { bytes } = await services.files.saveUpload(path, rawBody, LIMITS.planSourceBytes);
      return { body: { path, size: bytes } };
    },
  })),
  ...inBothDialects('/sync/sources', () => ({
    operation: 'LookAtSyncSource',
    method: 'GET',
    access: ACCESS,
    summary: 'The columns and the first rows of an uploaded file, and a map that the names suggest',
    query: SourceQuery,
    answer: Type.Object({
      format: Type.String(),
      columns: Type.Array(Type.String()),
      rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Null()]))),
      map: Type.Record(Type.String(), Type.String()),
    }),
    handle: async ({ services, query }) => {
      const path = decodeSourceQuery(query);
      return { body: { ...(await services.plans.look(path, fileOf(path))) } };
    },
  })),
  ...inBothDialects('/sync/plans', (dialect) => ({
    operation: 'CreateSyncPlan',
    method: 'POST',
    access: ACCESS,
    summary: 'Plans an uploaded file: finds out what it would change, and changes nothing',
    body: CreatePlanBody,
    answer: planAnswer(dialect),
    handle: async (call) => {
      const { services, submit, body, newId, isRepeat, signIn } = call;
      const { path, options } = decodeCreatePlan(await body());
      if (!isRepeat() && !(await services.files.hasUpload(path))) {
        const message = 'nothing was uploaded there, or it is no longer there: POST /sync/sources takes the file';
        throw new RosterError('input', `path: ${message}`, [{ path: 'path', message }]);
      }
      const now = Math.round(services.nowMs() * 1_000);
      const plan: SyncPlan = {
        ...{ id: newId(), path, source: fileOf(path), options, state: 'uploaded' },
        proposed: { at: now, ...(signIn === undefined ? undefined : { sign_in: signIn }) },
        ...{ created_at: now, updated_at: now },
      };
      return { status: 201, ...answerOf(await submit({ kind: 'plan-propose', plan }, 'live'), dialect) };
    },
  })),
  ...inBothDialects('/sync/plans', (dialect) => ({
    operation: 'ListSyncPlans',
    method: 'GET',
    access: ACCESS,
    summary: 'The sync plans, the newest first',
    answer: Type.Object({ sync_plans: Type.Array(planIn(dialect)) }),
    handle: ({ backend }) => {
      const plans = [...backend.directory.docs.all('plan')].sort((one, other) => other.created_at - one.created_at);
      return { body: { sync_plans: plans.map((plan) => renderPlan(plan, dialect)) } };
    },
  })),
  ...inBothDialects('/sync/plans/:id', (dialect) => ({
    operation: 'GetSyncPlan',
    method: 'GET',
    access: ACCESS,
    summary: 'What a sync plan would change, its brakes, who proposed and approved it, and how far it is',
    answer: planAnswer(dialect),
    handle: (call) => ({ body: { sync_plan: renderPlan(planOf(call), dialect) } }),
  })),
  ...inBothDialects('/sync/plans/:id/changes', () => ({
    operation: 'ListSyncPlanChanges',
    method: 'GET',
    access: ACCESS,
    summary: 'The changes of a sync plan field by field, and the rows that are wrong',
    query: ChangesQuery,
    answer: ChangesAnswer,
    handle: async (call) => {
      const question = decodeChangesQuery(call.query);
      const { id } = planOf(call);
      return { body: { ...(await call.services.plans.changes(id, question)) } };
    },
  })),
  ...inBothDialects('/sync/plans/:id/approve', (dialect) => ({
    operation: 'ApproveSyncPlan',
    method: 'POST',
    access: ACCESS,
    summary: 'Approves a sync plan: from the console, by another sign-in than the one that proposed it',
    body: ApprovePlanBody,
    answer: planAnswer(dialect),
    handle: async (call) => await move(call, dialect, { kind: 'plan-approve', digest: decodeApprovePlan(await call.body()) }),
  })),
  ...inBothDialects('/sync/plans/:id/withdraw', (dialect) => ({
    operation: 'WithdrawSyncPlan',
    method: 'POST',
    access: ACCESS,
    summary: 'Takes a sync plan back; one that is being applied is stopped first',
    answer: planAnswer(dialect),
    handle: async (call) => await move(call, dialect, { kind: 'plan-withdraw' }),
  })),
  ...inBothDialects('/sync/plans/:id/apply', (dialect) => ({
    operation: 'ApplySyncPlan',
    method: 'POST',
    access: ACCESS,
    summary: 'Applies an approved sync plan, or goes on with one that was stopped',
    body: ApplyPlanBody,
    answer: planAnswer(dialect),
    handle: async (call) => await move(call, dialect, { kind: 'plan-apply', ifUnchanged: decodeApplyPlan(await call.body()) }),
  })),
  ...inBothDialects('/sync/plans/:id/stop', (dialect) => ({
    operation: 'StopSyncPlan',
    method: 'POST',
    access: ACCESS,
    summary: 'Stops a sync plan that is being applied; users that were written stay so',
    answer: planAnswer(dialect),
    handle: async (call) => await move(call, dialect, { kind: 'plan-stop' }),
  })),
];

async function move(call: Call, dialect: Dialect, step: Omit<PlanMoveCommand, 'id' | 'sign_in'>): Promise<EndpointAnswer> {
  const { id, signIn } = call;
  const command: PlanMoveCommand = { ...step, id, ...(signIn === undefined ? undefined : { sign_in: signIn }) };
  return answerOf(await call.submit(command, 'live'), dialect);
}

function answerOf(outcome: Outcome, dialect: Dialect): EndpointAnswer {
  const made = outcome.docs?.at(-1);
  if (made?.kind !== 'plan' || made.doc === null) throw lost(outcome, 'no plan came of it');
  return { body: { sync_plan: renderPlan(made.doc, dialect) }, seq: outcome.seq };
}

function planOf({ backend, id }: Pick<Call, 'backend' | 'id'>): SyncPlan {
  const plan = backend.directory.docs.get('plan', id);
  if (plan === undefined) throw new RosterError('not_found', `the sync plan ${clip(id)} does not exist`);
  return plan;
}

/** The name of the file, which names its format. */
function fileOf(path: string): string {
  return path.slice(path.indexOf('/') + 1);
}
