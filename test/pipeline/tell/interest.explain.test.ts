/** DW1, DW2: what an operator is told of an event and a subscription agrees with what the subscription got. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interest, type InterestOptions, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import type { ToldOfUser } from '../../../daemon/pipeline/tell/told.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const user = (teams: readonly string[]): StoredUser => ({
  ...{ id: 'ann', rev: 1, role: 'user', teams: [...teams], custom: {}, created_at: 1, updated_at: 2 },
});

const told = (before: readonly string[], after: readonly string[], more: Partial<ToldOfUser> = {}): ToldOfUser => ({
  ...{
    seq: 10,
    type: 'user.updated',
    audience: 'all',
    id: 'ann',
    before: user(before),
    after: user(after),
    knowsBefore: true,
    online: false,
  },
  ...more,
});

const ALL: Want = { kind: 'all' };
const RED: Want = { kind: 'teams', teams: new Set(['red']) };
const RED_FILTER: Want = { kind: 'filter', filter: new SharedFilter(parseFilter({ teams: { $in: ['red'] } }), 10) };
const IDS: Want = { kind: 'ids', ids: new Set(['ann']) };
const OTHER_IDS: Want = { kind: 'ids', ids: new Set(['bob']) };

test('DW1 DW2 the reason names the rule that sent the event or kept it back', () => {
  const onlyRed = { sight: ({ teams }: StoredUser): boolean => teams.includes('red') };
  const cases: readonly (readonly [Want, Partial<InterestOptions>, ToldOfUser, string])[] = [
    [ALL, {}, told([], []), 'sent'],
    [IDS, {}, told([], []), 'sent'],
    [OTHER_IDS, {}, told([], []), 'not sent: the id is not among the ids asked for'],
    [RED, {}, told([], ['red']), 'sent with match enter'],
    [RED, {}, told(['red'], ['red']), 'sent with match stay'],
    [RED, {}, told(['red'], []), 'sent with match leave'],
    [RED_FILTER, {}, told(['red'], []), 'sent with match leave'],
    [RED, {}, told([], []), 'not sent: the user is and was in none of the teams'],
    [RED_FILTER, {}, told([], []), 'not sent: the user does and did not match the filter'],
    [ALL, { since: 9 }, told([], []), 'sent'],
    [ALL, { since: 10 }, told([], []), 'not sent: the subscription begins after position 10'],
    [ALL, { since: 11 }, told([], []), 'not sent: the subscription begins after position 11'],
    [IDS, { reach: 'self' }, told([], [], { audience: 'self' }), 'sent'],
    [IDS, { reach: 'others' }, told([], [], { audience: 'self' }), 'not sent: only the user itself and servers are sent user.updated'],
    [IDS, { reach: 'self' }, told([], [], { audience: 'server' }), 'not sent: only servers are sent user.updated'],
    [ALL, onlyRed, told([], ['red']), 'sent'],
    [ALL, onlyRed, told(['red'], []), 'sent as user.hidden: the user went out of sight of this caller (teams, hidden roles)'],
    [ALL, onlyRed, told([], []), 'not sent: the user is out of sight of this caller (teams, hidden roles)'],
  ];
  for (const [want, more, event, why] of cases) {
    const interest = new Interest({ name: 's', want, since: 0, reach: 'server', ...more });
    assert.equal(interest.explain(event), why);
    assert.equal(interest.concerns(event) !== false, why.startsWith('sent'), why);
  }
});

test('LV6 an interest holds the users that it asks for, as far as they are in sight', () => {
  const holds = (want: Want, teams: readonly string[], more: Partial<InterestOptions> = {}, isOnline = false): boolean =>
    new Interest({ name: 's', want, since: 0, reach: 'server', ...more }).holds(user(teams), isOnline);
  assert.deepEqual([holds(ALL, []), holds(IDS, []), holds(OTHER_IDS, [])], [true, true, false]);
  for (const want of [RED, RED_FILTER])
    assert.deepEqual([holds(want, ['red']), holds(want, ['blue']), holds(want, [])], [true, false, false]);
  for (const want of [ALL, IDS, RED, RED_FILTER]) {
    assert.equal(holds(want, ['red'], { sight: () => true }), true);
    assert.equal(holds(want, ['red'], { sight: () => false }), false);
  }
  const online: Want = { kind: 'filter', filter: new SharedFilter(parseFilter({ online: true }), 10) };
  assert.deepEqual([holds(online, [], {}, true), holds(online, [], {}, false)], [true, false]);
});

test('PR6 a filter on online judges both sides of a change of presence, and a team only asks whether its user is in it', () => {
  const said = (want: Want, teams: readonly string[], isOnline: boolean, more: Partial<InterestOptions> = {}): unknown =>
    new Interest({ name: 's', want, since: 0, reach: 'server', ...more }).concernsPresence(user(teams), isOnline);
  const online = (value: boolean): Want => ({ kind: 'filter', filter: new SharedFilter(parseFilter({ online: value }), 10) });
  assert.deepEqual([said(online(true), [], true), said(online(true), [], false)], ['enter', 'leave']);
  assert.deepEqual([said(online(false), [], true), said(online(false), [], false)], ['leave', 'enter']);
  for (const want of [RED, RED_FILTER]) {
    assert.deepEqual([said(want, ['red'], true), said(want, ['red'], true, { wantsPresence: true })], [false, 'stay']);
    assert.equal(said(want, [], true, { wantsPresence: true }), false);
  }
});

test('LV6 presence and basis are off and empty unless they are asked for, and a nameless interest decorates nothing', () => {
  const plain = new Interest({ name: '', want: ALL, since: 7, reach: 'self' });
  assert.deepEqual(
    [plain.decoration, plain.wantsPresence, plain.basis, plain.since, plain.reach, plain.isConfined],
    ['', false, '', 7, 'self', false],
  );
  const full = new Interest({ name: 'a"b', want: ALL, since: 0, reach: 'server', wantsPresence: true, basis: 'walls', sight: () => true });
  assert.deepEqual([full.decoration, full.wantsPresence, full.basis, full.isConfined], [',"sub":["a\\"b"]', true, 'walls', true]);
});
