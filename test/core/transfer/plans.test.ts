/** PA1, PA3 and PA4: the log decides which step of a sync plan is taken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { SyncPlan, SyncPlanState } from '../../../protocol/transfer/plans.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const planOf = (id: string, state: SyncPlanState = 'planned'): SyncPlan => ({
  ...{ id, path: 'x/users.csv', source: 'users.csv', options: {}, state, digest: 'd', progress: { done: 1 } },
  ...{ proposed: { at: 1, sign_in: 'me' }, created_at: 1, updated_at: 1 },
});

test('PA3 PA4 a step that does not fit is refused; of the job, it is passed over', () => {
  const bench = new RulesBench();
  const state = () => bench.directory.docs.get('plan', 'p')?.state;
  bench.run({ kind: 'plan-propose', plan: planOf('p') });
  const approve = (sign_in: string) => () => bench.run({ kind: 'plan-approve', id: 'p', sign_in, digest: 'd' });
  assert.throws(approve('me'), /this sign-in proposed the plan/);
  assert.throws(() => bench.run({ kind: 'plan-apply', id: 'p' }), /was not approved/);
  assert.throws(() => bench.run({ kind: 'plan-stop', id: 'p' }), /"planned", so it cannot be stopped/);
  approve('other')();
  assert.throws(approve('third'), /"approved", so it cannot be approved/);
  assert.equal(bench.directory.docs.get('plan', 'p')?.progress, undefined, 'the progress was that of planning');
  bench.run({ kind: 'plan-apply', id: 'p' });
  assert.throws(() => bench.run({ kind: 'plan-withdraw', id: 'p' }), /The daemon works on it/);
  bench.run({ kind: 'plan-stop', id: 'p' });
  bench.run({ kind: 'plan-note', id: 'p', while: ['applying'], fields: { state: 'applied' } });
  assert.equal(state(), 'stopped', 'the job came too late');
  bench.run({ kind: 'plan-withdraw', id: 'p' });
  assert.throws(() => bench.run({ kind: 'plan-apply', id: 'p' }), /"withdrawn", so it cannot be applied/);
  assert.throws(() => bench.run({ kind: 'plan-stop', id: 'nobody' }), /does not exist/);
});

test('PA1 a new plan takes the place of the oldest that is over, and is refused when none is', () => {
  const bench = new RulesBench();
  for (let n = 0; n < LIMITS.plans; n++) bench.run({ kind: 'plan-propose', plan: planOf(`p${n}`, n === 3 ? 'applied' : 'planned') });
  bench.run({ kind: 'plan-propose', plan: planOf('new') });
  assert.equal(bench.directory.docs.get('plan', 'p3'), undefined);
  assert.equal(bench.directory.docs.count('plan'), LIMITS.plans);
  assert.throws(() => bench.run({ kind: 'plan-propose', plan: planOf('one more') }), /50 sync plans that are not over/);
});
