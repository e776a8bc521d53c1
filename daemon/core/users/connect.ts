/**
 * The rules of connectUser: it creates the user or merges the keys sent, never
 * removes a field, and never changes what only a server may change. Of the keys sent, it writes only those
 * that the stale-reconnect guard lets through (guard.ts). Pure.
 *
 * A connect is activity: it moves `last_active`, as part of the change that it makes anyway, or silently.
 */

import { isGranted } from '../../../protocol/access/permissions.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { jsonEquals, withFields } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { ActiveCommand, ConnectCommand, ConnectDetails } from '../../../protocol/users/connect.ts';
import { sameTeams } from '../../../protocol/users/teams.ts';
import { DEFAULT_ROLE, type StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { find } from '../directory/find.ts';
import { isActivityDue } from '../directory/usage.ts';
import type { Moment, Policy } from '../policy.ts';
import { deletedUser, notAllowed, refuseIfAny } from '../problems.ts';
import { newDetails, type SentDetails } from './guard.ts';
import { checkUser, sizeProblem } from './rules.ts';
import { sameData, settle } from './upsert.ts';

export function decideConnect(draft: Draft, command: ConnectCommand, { now, wall }: Moment, policy: Policy): Outcome {
  const { id, details } = command;
  const found = find(draft, id, policy);
  if (found.kind === 'deleted') throw deletedUser(id);
  const before = found.kind === 'alive' ? found.user : undefined;
  if (before?.deactivated_at !== undefined) throw new RosterError('not_allowed', `the user ${id} was deactivated`);

  const warnings = checkServerFields(id, details, before, policy);
  const { fresh, memory: sent } = newDetails(details, policy.connectGuard === 'guard' ? before?.sent : undefined);
  const memo = { sent, last_active: activeAt(before, wall) };
  const after = merged(before, id, fresh, memo, now, draft.nextSeq);

  const tooBig = sizeProblem(before, after, 'user');
  if (tooBig !== undefined) throw new RosterError('input', `user: ${tooBig}`, [{ path: 'user', message: tooBig }]);
  if (before !== undefined && !isGranted(draft.app, before.role, 'update-user-owner') && !sameData(before, after)) {
    // The user may connect, but not change itself: handled like a role that differs.
    if (policy.connectRole === 'refuse') throw new RosterError('not_allowed', notAllowed(id, before.role, 'UpdateUser'));
    return { users: [{ user: before, change: 'unchanged' }], warnings: [...warnings, 'user'], seq: draft.nextSeq - 1 };
  }
  refuseIfAny([], checkUser(draft, 'user', before, after));
  const settled = settle(draft, before, after);
  const isKnown = before?.sent === memo.sent && before.last_active === memo.last_active;
  if (before === undefined || settled.change !== 'unchanged' || isKnown) return { users: [settled], warnings, seq: draft.nextSeq - 1 };
  // The user is unchanged, but the memory of the guard moved on, or the user is active again after a while: stored
  // without a new revision and without an event.
  const kept = withFields(before, memo);
  draft.stage({ t: 'user', event: 'silent', user: kept });
  return { users: [{ user: kept, change: 'unchanged' }], warnings, seq: draft.nextSeq - 1 };
}

/** Moves `last_active` of users that are still connected, silently: nothing else about them changed. */
export function decideActive(draft: Draft, { ids }: ActiveCommand, wall: Micros): Outcome {
  for (const id of ids) {
    const found = find(draft, id);
    if (found.kind !== 'alive' || found.user.deactivated_at !== undefined) continue;
    const last_active = activeAt(found.user, wall);
    if (last_active !== found.user.last_active) draft.stage({ t: 'user', event: 'silent', user: withFields(found.user, { last_active }) });
  }
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

/** Role and teams may be repeated, not changed. Returns the warnings of a policy that keeps the stored values; else throws RosterError. */
function checkServerFields(id: string, details: ConnectDetails, before: StoredUser | undefined, policy: Policy): string[] {
  const role = before?.role ?? DEFAULT_ROLE;
  const attempts: [string, string, boolean][] = [
    ['role', 'UpdateUserRole', details.role !== undefined && details.role !== role],
    ['teams', 'UpdateUserTeams', details.teams !== undefined && !sameTeams(details.teams, before?.teams ?? [])],
    ['teams_role', 'UpdateUserRole', details.teams_role !== undefined && !jsonEquals(details.teams_role, before?.teams_role ?? {})],
  ];
  const warnings: string[] = [];
  for (const [field, action, differs] of attempts) {
    if (!differs) continue;
    if (policy.connectRole === 'refuse') {
      const text = notAllowed(id, role, action);
      throw new RosterError('not_allowed', text, [{ path: `user.${field}`, message: text }]);
    }
    warnings.push(field);
  }
  return warnings;
}

/** The `last_active` of the user after this connect. A connect soon after another one is not worth a write. */
function activeAt(before: StoredUser | undefined, wall: Micros): Micros {
  return before?.last_active === undefined || isActivityDue(before.last_active, wall) ? wall : before.last_active;
}

/** The fields that a connect writes beside the keys it sent. */
interface Memo {
  readonly sent: string;
  readonly last_active: Micros;
}

function merged(before: StoredUser | undefined, id: string, fresh: SentDetails, memo: Memo, now: Micros, rev: number): StoredUser {
  const { custom, privacy_settings, ...scalars } = fresh;
  const base = before ?? { id, role: DEFAULT_ROLE, teams: [], created_at: now };
  const privacy = privacy_settings === undefined ? undefined : { privacy_settings: { ...before?.privacy_settings, ...privacy_settings } };
  return withFields(base, { rev, custom: withFields(before?.custom ?? {}, custom), updated_at: now, ...scalars, ...memo, ...privacy });
}
