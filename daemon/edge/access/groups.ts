/** Endpoints about user groups. */

import Type, { type TSchema } from 'typebox';
import {
  AddMembersBody,
  CreateGroupBody,
  decodeGroupAdd,
  decodeGroupCreate,
  decodeGroupDelete,
  decodeGroupList,
  decodeGroupRemove,
  decodeGroupSearch,
  decodeGroupUpdate,
  type GroupPage,
  GroupQuery,
  ListGroupsQuery,
  pageOfGroups,
  RemoveMembersBody,
  readGroup,
  renderGroup,
  renderWholeGroup,
  SearchGroupsQuery,
  UpdateGroupBody,
} from '../../../protocol/access/groups.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { checkTeam, unknownGroup } from '../../core/access/groups.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';
import { uuidV7 } from '../http/uuid-v7.ts';

export const GROUPS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/usergroups', (dialect) => ({
    operation: 'ListUserGroups',
    method: 'GET',
    access: 'server',
    summary: 'User groups, oldest first, without their members',
    query: ListGroupsQuery,
    answer: groupsIn(dialect),
    handle: (call) => groupsAnswer(call, decodeGroupList(call.query), dialect),
  })),
  ...inBothDialects('/usergroups', (dialect) => ({
    operation: 'CreateUserGroup',
    method: 'POST',
    access: 'server',
    summary: 'Creates a user group',
    body: CreateGroupBody,
    answer: wholeGroupIn(dialect),
    handle: async (call) => {
      const command = decodeGroupCreate(await call.body(), uuidV7(call.services.nowMs()));
      return { ...(await changedGroup(call, command, dialect)), status: 201 };
    },
  })),
  ...inBothDialects('/usergroups/search', (dialect) => ({
    operation: 'SearchUserGroups',
    method: 'GET',
    access: 'server',
    summary: 'User groups whose name contains a text, by name, without their members',
    query: SearchGroupsQuery,
    answer: groupsIn(dialect),
    handle: (call) => groupsAnswer(call, decodeGroupSearch(call.query), dialect),
  })),
  ...inBothDialects('/usergroups/:id', (dialect) => ({
    operation: 'GetUserGroup',
    method: 'GET',
    access: 'server',
    summary: 'One user group with its members',
    query: GroupQuery,
    answer: wholeGroupIn(dialect),
    handle: ({ backend: { directory }, id, query }) => {
      const { team_id: team } = readGroup(query);
      const group = directory.docs.get('group', id);
      if (group === undefined) throw unknownGroup(id);
      checkTeam(group, team);
      return { body: { user_group: renderWholeGroup(group, dialect, (user) => directory.user(user)) } };
    },
  })),
  ...inBothDialects('/usergroups/:id', (dialect) => ({
    operation: 'UpdateUserGroup',
    method: 'PUT',
    access: 'server',
    summary: 'Changes name and description of a user group',
    body: UpdateGroupBody,
    answer: wholeGroupIn(dialect),
    handle: async (call) => changedGroup(call, decodeGroupUpdate(call.id, await call.body()), dialect),
  })),
  ...inBothDialects('/usergroups/:id', () => ({
    operation: 'DeleteUserGroup',
    method: 'DELETE',
    access: 'server',
    summary: 'Deletes a user group; its members stay',
    query: GroupQuery,
    answer: Nothing,
    handle: async ({ submit, id, query }) => {
      const { seq } = await submit(decodeGroupDelete(id, query), 'live');
      return { body: {}, seq };
    },
  })),
  ...inBothDialects('/usergroups/:id/members', (dialect) => ({
    operation: 'AddUserGroupMembers',
    method: 'POST',
    access: 'server',
    summary: 'Adds members to a user group, all or none',
    body: AddMembersBody,
    answer: wholeGroupIn(dialect),
    handle: async (call) => changedGroup(call, decodeGroupAdd(call.id, await call.body()), dialect),
  })),
  ...inBothDialects('/usergroups/:id/members/delete', (dialect) => ({
    operation: 'RemoveUserGroupMembers',
    method: 'POST',
    access: 'server',
    summary: 'Removes members from a user group; others are ignored',
    body: RemoveMembersBody,
    answer: wholeGroupIn(dialect),
    handle: async (call) => changedGroup(call, decodeGroupRemove(call.id, await call.body()), dialect),
  })),
];

async function changedGroup({ backend, submit }: Call, command: Command, dialect: Dialect): Promise<EndpointAnswer> {
  const outcome = await submit(command, 'live');
  const [changed] = outcome.docs ?? [];
  if (changed?.kind !== 'group' || changed.doc === null) throw lost(outcome, 'no user group came of it');
  return { body: { user_group: renderWholeGroup(changed.doc, dialect, (id) => backend.directory.user(id)) }, seq: outcome.seq };
}

function groupsAnswer({ backend }: Call, page: GroupPage, dialect: Dialect): EndpointAnswer {
  const groups = pageOfGroups([...backend.directory.docs.all('group')], page);
  return { body: { user_groups: groups.map((group) => renderGroup(group, dialect)) } };
}

function groupFields(dialect: Dialect) {
  return {
    id: Type.String(),
    name: Type.String(),
    description: Type.Optional(Type.String()),
    team_id: Type.Optional(Type.String()),
    created_by: Type.Optional(Type.String()),
    created_at: timeIn(dialect),
    updated_at: timeIn(dialect),
  };
}

function groupsIn(dialect: Dialect): TSchema {
  return Type.Object({ user_groups: Type.Array(Type.Object(groupFields(dialect), { title: `UserGroup_${dialect}` })) });
}

function wholeGroupIn(dialect: Dialect): TSchema {
  const member = Type.Object(
    {
      app_pk: Type.Integer(),
      group_id: Type.String(),
      user_id: Type.String(),
      is_admin: Type.Boolean(),
      created_at: timeIn(dialect),
    },
    { title: `UserGroupMember_${dialect}` },
  );
  const group = Type.Object({ ...groupFields(dialect), members: Type.Array(member) }, { title: `WholeUserGroup_${dialect}` });
  return Type.Object({ user_group: group });
}
