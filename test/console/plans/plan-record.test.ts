/** CO21–CO23: what the page says of a plan, what it offers, and what it asks for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  brakeText,
  createCall,
  type PlanForm,
  type PlanRecord,
  planActions,
  planOfAnswer,
  progressText,
} from '../../../daemon/console/plans/plan-record.ts';

const PLAN: PlanRecord = {
  id: 'p',
  source: 'users.csv',
  state: 'planned',
  options: {},
  proposed: { at: 1, sign_in: 'me' },
  digest: 'd',
  created_at: 1,
};
const FORM: PlanForm = {
  ...{ map: { id: 'login', name: '' }, missing: 'ignore', maxMissing: '10', maxMissingCount: '', maxErrors: '2.5' },
  ...{ returning: 'leave', team: '' },
};

test('CO20 the choices become the body of CreateSyncPlan; what was not chosen is left out', () => {
  assert.deepEqual(createCall('x/users.csv', FORM, true).body, {
    ...{ path: 'x/users.csv', map: { id: 'login' }, missing: 'ignore', max_errors: 0.025, returning: 'leave' },
  });
  const strict = { ...FORM, missing: 'hard-delete', maxMissing: 'many', maxMissingCount: '7', team: 'red' };
  assert.deepEqual(createCall('x/u.json', strict, false).body, {
    ...{
      path: 'x/u.json',
      missing: 'hard-delete',
      max_missing: 'many',
      max_missing_count: 7,
      max_errors: 0.025,
      returning: 'leave',
      team: 'red',
    },
  });
});

test('CO21 brakes and progress are said with their numbers', () => {
  assert.equal(
    brakeText({ name: 'max_missing', limit: 0.1, found: 0.12345, held: true }),
    'Users that would be removed, as a share: 12.35%, of at most 10%',
  );
  assert.equal(
    brakeText({ name: 'max_missing_count', limit: 500, found: 1_200, held: true }),
    'Users that would be removed: 1,200, of at most 500',
  );
  assert.equal(progressText({ state: 'applying', progress: { done: 1_000, total: 2_000 } }), '1,000 of 2,000 users done');
  assert.equal(progressText({ state: 'planning', progress: { phase: 'reading', rows: 5 } }), '5 rows read');
  assert.equal(progressText({ state: 'planned' }), undefined);
  assert.equal(planOfAnswer({}), undefined);
});

test('CO23 a plan is offered for approval to others than the one that proposed it, and to nobody twice', () => {
  const keys = (plan: PlanRecord, own: string) => planActions(plan, own).map(({ key }) => key);
  assert.deepEqual(keys(PLAN, 'me'), ['withdraw']);
  assert.deepEqual(keys(PLAN, 'other'), ['approve', 'withdraw']);
  assert.deepEqual(keys({ ...PLAN, proposed: { at: 1 } }, 'me'), ['approve', 'withdraw']);
  assert.deepEqual(keys({ ...PLAN, state: 'approved' }, 'me'), ['apply', 'withdraw']);
  assert.deepEqual(keys({ ...PLAN, state: 'approved', problems: ['changed'] }, 'me'), ['apply', 'rest', 'withdraw']);
  assert.deepEqual(keys({ ...PLAN, state: 'applying' }, 'me'), ['stop']);
  for (const state of ['applied', 'failed', 'refused', 'withdrawn']) assert.deepEqual(keys({ ...PLAN, state }, 'other'), [], state);
});
