/** Reads requests about user groups, and renders groups. The same in both dialects. Pure; throws RosterError `input`. */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { itemPath } from '../base/field-path.ts';
import { isForbiddenName, userIdProblem } from '../base/ids.ts';
import { utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { pageLimit, QueryLimit, QueryText, QueryTime, queryReader, queryTime } from '../base/query-string.ts';
import { bodyObject, checked, compareTexts, type Dialect, pageOf, presentFields, type QueryFields } from '../base/reading.ts';
import { MicrosField } from '../base/schemas.ts';
import type { Micros } from '../base/time.ts';
import { type Rendered, timeOf } from '../users/render.ts';
import type { StoredUser } from '../users/user.ts';

export const GroupMember = Type.Object({ user_id: Type.String(), is_admin: Type.Boolean(), created_at: MicrosField });

export type GroupMember = Static<typeof GroupMember>;

export const UserGroup = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.Optional(Type.String()),
  team_id: Type.Optional(Type.String()),
  created_by: Type.Optional(Type.String()),
  created_at: MicrosField,
  updated_at: MicrosField,
  members: Type.Array(GroupMember),
});

export type UserGroup = Static<typeof UserGroup>;

export interface GroupCreateCommand {
  readonly kind: 'group-create';
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly team_id?: string;
  readonly created_by?: string;
  readonly memberIds: readonly string[];
}

export interface GroupUpdateCommand {
  readonly kind: 'group-update';
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly team_id?: string;
}

export interface GroupDeleteCommand {
  readonly kind: 'group-delete';
  readonly id: string;
  readonly team_id?: string;
}

export interface GroupMembersCommand {
  readonly kind: 'group-add' | 'group-remove';
  readonly id: string;
  readonly team_id?: string;
  readonly memberIds: readonly string[];
  readonly asAdmin?: boolean;
}

const MemberIds = Type.Array(Type.String(), { maxItems: LIMITS.membersPerRequest });
const SomeMemberIds = Type.Array(Type.String(), { minItems: 1, maxItems: LIMITS.membersPerRequest });
const GroupName = Type.String({ maxLength: LIMITS.groupNameChars });
const Description = Type.Optional(Type.String({ maxLength: LIMITS.groupDescriptionChars }));
const TeamId = Type.Optional(Type.String());

export const CreateGroupBody = Type.Object({
  name: GroupName,
  id: Type.Optional(Type.String()),
  description: Description,
  team_id: TeamId,
  created_by_id: Type.Optional(Type.String()),
  member_ids: Type.Optional(MemberIds),
});

export const UpdateGroupBody = Type.Object({ name: Type.Optional(GroupName), description: Description, team_id: TeamId });

export const AddMembersBody = Type.Object({ member_ids: SomeMemberIds, as_admin: Type.Optional(Type.Boolean()), team_id: TeamId });

export const RemoveMembersBody = Type.Object({ member_ids: SomeMemberIds, team_id: TeamId });

const createCheck = Compile(CreateGroupBody);
const updateCheck = Compile(UpdateGroupBody);
const addCheck = Compile(AddMembersBody);
const removeCheck = Compile(RemoveMembersBody);

/** The team to which the group must belong. */
export const GroupQuery = Type.Object({ team_id: QueryText });

export const ListGroupsQuery = Type.Object({ limit: QueryLimit, id_gt: QueryText, created_at_gt: QueryTime, team_id: QueryText });

export const SearchGroupsQuery = Type.Object({
  query: QueryText,
  limit: QueryLimit,
  name_gt: QueryText,
  id_gt: QueryText,
  team_id: QueryText,
});

export const readGroup = queryReader(GroupQuery);
const readListGroups = queryReader(ListGroupsQuery);
const readSearchGroups = queryReader(SearchGroupsQuery);

/** The path of a group with this id would be the path of the search. */
const RESERVED_ID = 'search';

/** `POST /usergroups`. `freshId` is the id for a group that is sent without one. */
export function decodeGroupCreate(body: unknown, freshId: string): GroupCreateCommand {
  const { member_ids = [], id = freshId, name, created_by_id, ...rest } = checked(createCheck, presentFields(bodyObject(body)));
  const problems: FieldError[] = [];
  const wrongId = id === RESERVED_ID ? `"${RESERVED_ID}" is a reserved name` : userIdProblem(id);
  if (wrongId !== undefined) problems.push({ path: 'id', message: wrongId });
  const wrongCreator = created_by_id === undefined ? undefined : userIdProblem(created_by_id);
  if (wrongCreator !== undefined) problems.push({ path: 'created_by_id', message: wrongCreator });
  checkTeamId(rest.team_id, problems);
  const memberIds = userIds(member_ids, problems);
  if (problems.length > 0) throw fieldErrors('input', problems);
  const creator = created_by_id === undefined ? undefined : { created_by: created_by_id };
  return { kind: 'group-create', id, name, memberIds, ...extras(rest), ...creator };
}

/** `PUT /usergroups/{id}`. An empty description removes it; absent fields stay. */
export function decodeGroupUpdate(id: string, body: unknown): GroupUpdateCommand {
  const sent = bodyObject(body);
  const { name, ...rest } = checked(updateCheck, presentFields(sent));
  const cleared = sent.description === '' ? { description: '' } : undefined;
  return { kind: 'group-update', id, ...(name === undefined ? undefined : { name }), ...extras(rest), ...cleared };
}

/** `DELETE /usergroups/{id}`. */
export function decodeGroupDelete(id: string, query: QueryFields): GroupDeleteCommand {
  return { kind: 'group-delete', id, ...teamOf(readGroup(query).team_id) };
}

/** `POST /usergroups/{id}/members`. */
export function decodeGroupAdd(id: string, body: unknown): GroupMembersCommand {
  const { member_ids, as_admin, team_id } = checked(addCheck, presentFields(bodyObject(body)));
  const admin = as_admin === undefined ? undefined : { asAdmin: as_admin };
  return { kind: 'group-add', id, memberIds: checkedIds(member_ids), ...teamOf(team_id), ...admin };
}

/** `POST /usergroups/{id}/members/delete`. */
export function decodeGroupRemove(id: string, body: unknown): GroupMembersCommand {
  const { member_ids, team_id } = checked(removeCheck, presentFields(bodyObject(body)));
  return { kind: 'group-remove', id, memberIds: checkedIds(member_ids), ...teamOf(team_id) };
}

function extras({ description, team_id }: { description?: string; team_id?: string }): { description?: string; team_id?: string } {
  return { ...(description === undefined ? undefined : { description }), ...teamOf(team_id) };
}

function teamOf(team_id: string | undefined): { team_id: string } | undefined {
  return team_id === undefined ? undefined : { team_id };
}

function checkTeamId(team: string | undefined, problems: FieldError[]): void {
  if (team === undefined) return;
  if (isForbiddenName(team)) problems.push({ path: 'team_id', message: `"${team}" is a reserved name` });
  else if (utf8Bytes(team) > LIMITS.teamBytes)
    problems.push({ path: 'team_id', message: `must not be longer than ${LIMITS.teamBytes} bytes` });
}

/** The ids, each of them once. */
function userIds(ids: readonly string[], problems: FieldError[]): string[] {
  for (const [index, id] of ids.entries()) {
    const problem = userIdProblem(id);
    if (problem !== undefined) problems.push({ path: itemPath('member_ids', index), message: problem });
  }
  return [...new Set(ids)];
}

function checkedIds(sent: readonly string[]): string[] {
  const problems: FieldError[] = [];
  const ids = userIds(sent, problems);
  if (problems.length > 0) throw fieldErrors('input', problems);
  return ids;
}

/** A selection of groups, and its order. */
export interface GroupPage {
  readonly order: 'created' | 'name';
  readonly limit: number;
  readonly team?: string | undefined;
  /** Part of the name, in any case. */
  readonly text?: string | undefined;
  /** The end of the previous page: the time or the name of its last group, its id, or both. */
  readonly createdGt?: Micros | undefined;
  readonly nameGt?: string | undefined;
  readonly idGt?: string | undefined;
}

/** `GET /usergroups`: oldest first; groups of the same time by id. */
export function decodeGroupList(query: QueryFields): GroupPage {
  const { team_id: team, created_at_gt, id_gt: idGt, ...page } = readListGroups(query);
  return { order: 'created', limit: pageLimit(page), team, createdGt: queryTime(created_at_gt), idGt };
}

/** `GET /usergroups/search`: by name; groups of the same name by id. */
export function decodeGroupSearch(query: QueryFields): GroupPage {
  const { team_id: team, query: text, name_gt: nameGt, id_gt: idGt, ...page } = readSearchGroups(query);
  return { order: 'name', limit: pageLimit(page), team, text, nameGt, idGt };
}

type Place = Pick<UserGroup, 'id' | 'name' | 'created_at'>;

const byCreation = (a: Place, b: Place): number => a.created_at - b.created_at || compareTexts(a.id, b.id);
const byName = (a: Place, b: Place): number => compareTexts(a.name, b.name) || compareTexts(a.id, b.id);

/**
 * One page of the groups. With a time or name and an id, the page begins after that place, whether or not a group is there;
 * with an id alone, after that group. Throws RosterError `input` when that group does not exist, since its place is unknown.
 */
export function pageOfGroups(groups: readonly UserGroup[], page: GroupPage): readonly UserGroup[] {
  const { order, limit, team, idGt } = page;
  const compare = order === 'created' ? byCreation : byName;
  const after = idGt === undefined ? undefined : placeOf(groups, page, idGt);
  const text = page.text?.toLowerCase();
  const isBeyond = (group: UserGroup): boolean => {
    if (team !== undefined && group.team_id !== team) return false;
    if (text !== undefined && !group.name.toLowerCase().includes(text)) return false;
    if (after !== undefined) return compare(group, after) > 0;
    if (page.createdGt !== undefined && group.created_at <= page.createdGt) return false;
    return page.nameGt === undefined || group.name > page.nameGt;
  };
  return pageOf(groups, compare, isBeyond, limit);
}

function placeOf(groups: readonly UserGroup[], { order, createdGt, nameGt }: GroupPage, id: string): Place {
  if (order === 'created' && createdGt !== undefined) return { id, name: '', created_at: createdGt };
  if (order === 'name' && nameGt !== undefined) return { id, name: nameGt, created_at: 0 };
  const found = groups.find((group) => group.id === id);
  if (found !== undefined) return found;
  const beside = order === 'created' ? 'created_at_gt' : 'name_gt';
  throw fieldErrors('input', [{ path: 'id_gt', message: `there is no user group with this id; say ${beside} as well` }]);
}

/** Whether this user is the one that became a member. A user created later only has the same id. */
export function isMember(user: Pick<StoredUser, 'created_at'>, member: GroupMember): boolean {
  return user.created_at <= member.created_at;
}

/** A group as lists show it: without its members. */
export function renderGroup({ members: _, created_at, updated_at, ...group }: UserGroup, dialect: Dialect): Rendered {
  const time = timeOf(dialect);
  return { ...group, created_at: time(created_at), updated_at: time(updated_at) };
}

/** A group with those of its members that exist now. */
export function renderWholeGroup(group: UserGroup, dialect: Dialect, user: (id: string) => StoredUser | undefined): Rendered {
  const time = timeOf(dialect);
  const members = group.members.flatMap((member) => {
    const held = user(member.user_id);
    if (held === undefined || !isMember(held, member)) return [];
    return [{ app_pk: APP_PK, group_id: group.id, ...member, created_at: time(member.created_at) }];
  });
  return { ...renderGroup(group, dialect), members };
}

/** There is one application, so its number carries no information. */
export const APP_PK = 0;
