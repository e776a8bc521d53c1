/**
 * User groups. Pure.
 *
 * A group keeps the ids of its members. A deleted member is not shown and does
 * not count; a restored one is a member again. A new user with the id of a
 * deleted one is no member, because it is younger than the membership.
 */

import {
  type GroupCreateCommand,
  type GroupDeleteCommand,
  type GroupMember,
  type GroupMembersCommand,
  type GroupUpdateCommand,
  isMember,
  type UserGroup,
} from '../../../protocol/access/groups.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip, itemPath } from '../../../protocol/base/field-path.ts';
import { jsonEquals } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { DocChange, DocEvent } from '../../../protocol/log/documents.ts';
import type { Draft } from '../directory/draft.ts';
import { find } from '../directory/find.ts';
import { missingProblem, type Problem, refuseIfAny } from '../problems.ts';

/** Creates a group. All its members must exist. */
export function decideGroupCreate(draft: Draft, command: GroupCreateCommand, now: Micros): Outcome {
  const { id, name, description, team_id, created_by, memberIds } = command;
  if (draft.docs.get('group', id) !== undefined)
    throw fieldErrors('conflict', [{ path: 'id', message: `the user group ${id} exists already` }]);
  if (draft.docs.count('group') >= LIMITS.groups) {
    throw fieldErrors('input', [{ path: 'id', message: `there are ${LIMITS.groups} user groups already, and no more are allowed` }]);
  }
  const problems = absentUsers(draft, memberIds);
  if (created_by !== undefined) problems.push(...absentUser(draft, created_by, 'created_by_id'));
  refuseIfAny([], problems);
  const group = {
    id,
    name,
    ...(description === undefined ? undefined : { description }),
    ...(team_id === undefined ? undefined : { team_id }),
    ...(created_by === undefined ? undefined : { created_by }),
    created_at: now,
    updated_at: now,
    members: memberIds.map((user_id) => ({ user_id, is_admin: false, created_at: now })),
  };
  return put(draft, group, { type: 'user_group.created', ...(created_by === undefined ? undefined : { by: created_by }) });
}

export function decideGroupUpdate(draft: Draft, command: GroupUpdateCommand, now: Micros): Outcome {
  const before = existing(draft, command.id);
  if (command.team_id !== undefined && command.team_id !== before.team_id) {
    throw fieldErrors('input', [{ path: 'team_id', message: 'the team of a user group cannot be changed' }]);
  }
  const { description = before.description } = command;
  const { description: _, ...rest } = before;
  const named = { ...rest, name: command.name ?? before.name };
  return replace(draft, before, description === undefined || description === '' ? named : { ...named, description }, now);
}

export function decideGroupDelete(draft: Draft, { id, team_id }: GroupDeleteCommand): Outcome {
  const was = existing(draft, id);
  checkTeam(was, team_id);
  const change: DocChange = { kind: 'group', id, doc: null };
  draft.stage({ t: 'doc', ...change, event: { type: 'user_group.deleted', was } });
  return { users: [], warnings: [], docs: [change], seq: draft.nextSeq - 1 };
}

/** Adding is all or nothing; `asAdmin` also sets the admin flag of existing members. Removing ignores users that are not members. */
export function decideGroupMembers(draft: Draft, command: GroupMembersCommand, now: Micros): Outcome {
  const { id, kind, memberIds, asAdmin } = command;
  const before = existing(draft, id);
  checkTeam(before, command.team_id);
  if (kind === 'group-remove') {
    const leaving = new Set(memberIds);
    return replace(draft, before, { ...before, members: before.members.filter(({ user_id }) => !leaving.has(user_id)) }, now);
  }
  refuseIfAny([], absentUsers(draft, memberIds));
  const members = new Map(before.members.filter((member) => isStillMember(draft, member)).map((member) => [member.user_id, member]));
  for (const user_id of memberIds) {
    const member = members.get(user_id) ?? { user_id, is_admin: false, created_at: now };
    members.set(user_id, asAdmin === undefined ? member : { ...member, is_admin: asAdmin });
  }
  if (members.size > LIMITS.membersPerGroup) {
    const message = `the user group would have ${members.size} members; at most ${LIMITS.membersPerGroup} are allowed`;
    throw fieldErrors('input', [{ path: 'member_ids', message }]);
  }
  return replace(draft, before, { ...before, members: [...members.values()] }, now);
}

/** A permanently deleted member makes room; a soft-deleted one may be restored and keeps its place. */
function isStillMember(draft: Draft, member: GroupMember): boolean {
  const record = draft.record(member.user_id);
  return record !== undefined && 'created_at' in record && record.deleted !== 'pruning' && isMember(record, member);
}

function existing(draft: Draft, id: string): UserGroup {
  const group = draft.docs.get('group', id);
  if (group === undefined) throw unknownGroup(id);
  return group;
}

export function unknownGroup(id: string): RosterError {
  return new RosterError('not_found', `the user group ${clip(id)} does not exist`);
}

/** A caller may leave the team out; a named team must be the group's. Throws RosterError `input`. */
export function checkTeam(group: UserGroup, team: string | undefined): void {
  if (team === undefined || team === group.team_id) return;
  const message = group.team_id === undefined ? 'the user group has no team' : `the team of the user group is "${group.team_id}"`;
  throw fieldErrors('input', [{ path: 'team_id', message }]);
}

function absentUsers(draft: Draft, ids: readonly string[]): Problem[] {
  return ids.flatMap((id) => absentUser(draft, id, itemPath('member_ids', id)));
}

function absentUser(draft: Draft, id: string, path: string): Problem[] {
  const found = find(draft, id);
  if (found.kind === 'alive') return [];
  return [missingProblem(found, id, path)];
}

/** Stages the group unless nothing in it would change. */
function replace(draft: Draft, before: UserGroup, after: UserGroup, now: Micros): Outcome {
  if (!jsonEquals(before, after)) return put(draft, { ...after, updated_at: now }, changeEvent(before, after));
  return { users: [], warnings: [], docs: [{ kind: 'group', id: before.id, doc: before }], seq: draft.nextSeq - 1 };
}

/** A change has one event: members added, else members removed, else another update (such as of an admin flag). */
function changeEvent(before: UserGroup, after: UserGroup): DocEvent {
  const added = lacking(after, before);
  if (added.length > 0) return { type: 'user_group.member_added', members: added };
  const removed = lacking(before, after);
  return removed.length > 0 ? { type: 'user_group.member_removed', members: removed } : { type: 'user_group.updated' };
}

/** Ids of the members of a group that another version of it lacks. A member that left and came back counts as a new one. */
function lacking({ members }: UserGroup, other: UserGroup): string[] {
  const ids = new Set(other.members.map(({ user_id, created_at }) => `${created_at} ${user_id}`));
  return members.filter(({ user_id, created_at }) => !ids.has(`${created_at} ${user_id}`)).map(({ user_id }) => user_id);
}

function put(draft: Draft, doc: UserGroup, event: DocEvent): Outcome {
  const change: DocChange = { kind: 'group', id: doc.id, doc };
  draft.stage({ t: 'doc', ...change, event });
  return { users: [], warnings: [], docs: [change], seq: draft.nextSeq - 1 };
}
