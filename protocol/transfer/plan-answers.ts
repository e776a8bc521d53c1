/** Sync plans in answers. The same in both chat dialects, but for the times. Pure. */
import Type, { type TSchema } from 'typebox';
import type { Dialect } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';
import { timeIn } from '../users/answers.ts';
import { type Rendered, timeOf } from '../users/render.ts';
import { type PlanStep, SyncPlan } from './plans.ts';

/** The shape of a plan in an answer. */
export function planIn(dialect: Dialect): TSchema {
  const time = timeIn(dialect);
  const step = Type.Object({ at: time, sign_in: Type.Optional(Type.String()) });
  const { created_at: _created, updated_at: _updated, proposed: _proposed, approved, applied, withdrawn, ...same } = SyncPlan.properties;
  void [approved, applied, withdrawn];
  return Type.Object({
    ...same,
    proposed: step,
    approved: Type.Optional(step),
    applied: Type.Optional(step),
    withdrawn: Type.Optional(step),
    created_at: time,
    updated_at: time,
  });
}

/** A page of a plan: its lines as in a plan file. */
export const ChangesAnswer = Type.Object({ changes: Type.Array(AnyObject), next: Type.Optional(Type.Integer()) });

/** A plan, with its times in the form of the dialect. */
export function renderPlan(plan: SyncPlan, dialect: Dialect): Rendered {
  const time = timeOf(dialect);
  const step = ({ at, ...who }: PlanStep) => ({ ...who, at: time(at) });
  const { proposed, approved, applied, withdrawn, created_at, updated_at, ...same } = plan;
  return {
    ...same,
    proposed: step(proposed),
    ...(approved === undefined ? undefined : { approved: step(approved) }),
    ...(applied === undefined ? undefined : { applied: step(applied) }),
    ...(withdrawn === undefined ? undefined : { withdrawn: step(withdrawn) }),
    created_at: time(created_at),
    updated_at: time(updated_at),
  };
}
