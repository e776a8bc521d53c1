/**
 * Sync plans: who may move one on, and when. The log decides, so that two nodes that are asked at the same time agree: a plan that was
 * withdrawn is not applied, and one is approved by a second person. Pure.
 *
 * It keeps PA3–PA6 (daemon/RULES.md).
 */
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import {
  isPlanOver,
  isPlanWork,
  type PlanCommand,
  type PlanMoveCommand,
  type PlanNoteCommand,
  type PlanProposeCommand,
  type PlanStep,
  type SyncPlan,
} from '../../../protocol/transfer/plans.ts';
import type { Draft } from '../directory/draft.ts';

/** The last document of the outcome is the plan; those before it are forgotten. Throws RosterError: `not_found`, `conflict`, `not_allowed`, `input`. */
export function decidePlan(draft: Draft, command: PlanCommand, wall: Micros): Outcome {
  if (command.kind === 'plan-propose') return decidePropose(draft, command);
  return command.kind === 'plan-note' ? decideNote(draft, command, wall) : decideMove(draft, command, wall);
}

/** Makes room by forgetting the oldest plan of which nothing can become any more. */
function decidePropose(draft: Draft, { plan }: PlanProposeCommand): Outcome {
  const over = draft.docs.count('plan') < LIMITS.plans ? [] : [...draft.docs.all('plan')].filter(isPlanOver).slice(0, 1);
  if (draft.docs.count('plan') - over.length >= LIMITS.plans) {
    throw new RosterError('conflict', `there are ${LIMITS.plans} sync plans that are not over: apply or withdraw one of them first`);
  }
  const gone = over.map(({ id }) => ({ kind: 'plan' as const, id, doc: null }));
  for (const change of gone) draft.stage({ t: 'doc', ...change });
  return put(draft, plan, gone);
}

function decideNote(draft: Draft, { id, while: states, fields }: PlanNoteCommand, wall: Micros): Outcome {
  const plan = draft.docs.get('plan', id);
  if (plan === undefined || !states.some((state) => state === plan.state))
    return { users: [], warnings: [], docs: [], seq: draft.nextSeq - 1 };
  return put(draft, { ...next(plan, fields.state), ...fields, updated_at: wall });
}

function decideMove(draft: Draft, command: PlanMoveCommand, wall: Micros): Outcome {
  const plan = draft.docs.get('plan', command.id);
  if (plan === undefined) throw new RosterError('not_found', `the sync plan ${clip(command.id)} does not exist`);
  const { sign_in } = command;
  const step: PlanStep = { at: wall, ...(sign_in === undefined ? undefined : { sign_in }) };
  const change = moved(plan, command, step);
  return put(draft, { ...next(plan, change.state), ...change, updated_at: wall });
}

/** The progress is that of one state. */
function next(plan: SyncPlan, state: SyncPlan['state'] | undefined): SyncPlan {
  const { progress, ...rest } = plan;
  return progress === undefined || state === undefined || state === plan.state ? plan : rest;
}

function moved(plan: SyncPlan, command: PlanMoveCommand, step: PlanStep): Partial<SyncPlan> {
  switch (command.kind) {
    case 'plan-approve':
      refuseUnless(plan, plan.state === 'planned', 'approved');
      checkApproval(plan, command);
      return { state: 'approved', approved: step };
    case 'plan-withdraw':
      refuseUnless(plan, !isPlanOver(plan) && plan.state !== 'applying', 'withdrawn');
      return { state: 'withdrawn', withdrawn: step };
    case 'plan-apply':
      if (plan.state === 'planned')
        throw new RosterError('not_allowed', 'the plan was not approved: a second sign-in with the role "operate" has to');
      refuseUnless(plan, plan.state === 'approved' || plan.state === 'stopped', 'applied');
      return { state: 'applying', applied: step, if_unchanged: command.ifUnchanged ?? false, problems: [], report: {} };
    case 'plan-stop':
      // It may have come to its end, or been stopped by somebody else, since it was looked at.
      refuseUnless(plan, plan.state === 'applying' || plan.state === 'stopped' || plan.state === 'applied', 'stopped');
      return plan.state === 'applying' ? { state: 'stopped' } : {};
  }
}

/** Sign-ins are told apart by their ids: whoever signs out and in again is somebody else here. */
function checkApproval({ proposed, digest }: SyncPlan, { sign_in, digest: seen }: PlanMoveCommand): void {
  if (sign_in === undefined) {
    throw new RosterError(
      'not_allowed',
      'a server token cannot approve a plan: somebody has to look at it, who is signed in to the console',
    );
  }
  if (sign_in === proposed.sign_in) {
    throw new RosterError(
      'not_allowed',
      'this sign-in proposed the plan, so another one has to approve it: "rosterd console" prints a link',
    );
  }
  if (seen !== digest) throw new RosterError('conflict', 'digest: is not that of this plan, so it is another plan that was looked at');
}

function refuseUnless({ state }: SyncPlan, isRight: boolean, what: string): void {
  if (isRight) return;
  const hint = isPlanWork({ state }) ? ' The daemon works on it.' : '';
  throw new RosterError('conflict', `the plan is "${state}", so it cannot be ${what}.${hint}`);
}

function put(draft: Draft, doc: SyncPlan, before: NonNullable<Outcome['docs']> = []): Outcome {
  const change = { kind: 'plan' as const, id: doc.id, doc };
  draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: [...before, change], seq: draft.nextSeq - 1 };
}
