/** Endpoints that write and find users: upsert, partial update, query. */
import Type, { type TSchema } from 'typebox';
import { type FieldError, RosterError } from '../../../protocol/base/errors.ts';
import { bodyObject, type Dialect } from '../../../protocol/base/reading.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import { fullUserIn } from '../../../protocol/users/answers.ts';
import { withHeaders } from '../../../protocol/users/conditions.ts';
import { parseQuery, refuseHiddenFields } from '../../../protocol/users/query.ts';
import { renderV1, renderV2Full } from '../../../protocol/users/render.ts';
import { PatchRequest, QueryPayload, UpsertRequest } from '../../../protocol/users/request-shapes.ts';
import { decodePatches, decodeUpsert } from '../../../protocol/users/upsert.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { notAllowed } from '../../core/problems.ts';
import { visibilityFor } from '../../core/users/query.ts';
import type { Visibility } from '../http/backend.ts';
import { parseJson } from '../http/body.ts';
import { type Answer, actorOf, asideOf, type Call, type Endpoint, inBothDialects, laneOf } from '../http/endpoint.ts';
import { refuseGone, tagOf } from '../http/request-backend.ts';
import { type DryRun, dryRun, isDryRun } from './dry-run.ts';

const DryRunQuery = Type.Object({
  dry_run: Type.Optional(Type.Boolean({ description: 'says what would be done to each user, and does nothing; needs a server token' })),
});

export const USERS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users', (dialect) => ({
    operation: 'UpdateUsers',
    method: 'POST',
    access: 'user',
    summary: 'Creates users, or replaces name, image and custom data of those that exist',
    query: DryRunQuery,
    body: UpsertRequest,
    answer: changedUsersIn(dialect),
    isConditional: true,
    handle: async (call) => {
      const { backend, caller, body, conditions } = call;
      const isDry = isDryRun(call.query, caller);
      const decoded = decodeUpsert(dialect, await body(), actorOf(caller));
      const command = withHeaders(decoded, idsIn(decoded.users, decoded.problems), conditions);
      if (isDry) return dryAnswer(call, await dryRun(backend, command, dialect), dialect);
      const outcome = await backend.submit(command, laneOf(caller, command.users.length));
      const isCreated = outcome.users.some(({ change }) => change === 'created');
      return { ...changedUsers(call, outcome, dialect), status: isCreated ? 201 : 200 };
    },
  })),
  ...inBothDialects('/users', (dialect) => ({
    operation: 'UpdateUsersPartial',
    method: 'PATCH',
    access: 'user',
    summary: 'Sets and removes single fields of users',
    query: DryRunQuery,
    body: PatchRequest,
    answer: changedUsersIn(dialect),
    isConditional: true,
    handle: async (call) => {
      const { backend, caller, body, conditions } = call;
      const isDry = isDryRun(call.query, caller);
      const decoded = decodePatches(await body(), actorOf(caller));
      const command = withHeaders(decoded, idsIn(decoded.patches, decoded.problems), conditions);
      if (isDry) return dryAnswer(call, await dryRun(backend, command, dialect), dialect);
      return changedUsers(call, await backend.submit(command, laneOf(caller, command.patches.length)), dialect);
    },
  })),
  ...inBothDialects('/users', (dialect) => ({
    operation: 'QueryUsers',
    method: 'GET',
    access: 'user',
    summary: 'Finds users',
    query: Type.Object({ payload: Type.Optional(QueryPayload), connection_id: Type.Optional(Type.String()) }),
    answer: Type.Object({ users: Type.Array(fullUserIn(dialect)) }),
    handle: async (call) => {
      const { backend, caller, query, live } = call;
      const visibility = visibilityOf(call);
      const spec = parseQuery(query.payload ? bodyObject(parseJson(query.payload, 'payload'), 'payload') : {});
      if (caller.kind !== 'server') refuseHiddenFields(spec);
      const users = await backend.query(spec, visibility);
      if (spec.presence && query.connection_id) {
        live.watch(
          query.connection_id,
          caller,
          users.map(({ id }) => id),
        );
      }
      return { body: { users: users.map((user) => renderUser(call, user, dialect)) } };
    },
  })),
];

function changedUsersIn(dialect: Dialect): TSchema {
  const ids = Type.Array(Type.String());
  const fields = {
    users: Type.Record(Type.String(), fullUserIn(dialect)),
    created: ids,
    updated: ids,
    unchanged: ids,
    revs: Type.Optional(Type.Record(Type.String(), Type.Integer(), { description: 'of a dry run: revisions now, 0 for no user' })),
    changes: Type.Optional(
      Type.Record(Type.String(), Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 })), {
        description: 'of a dry run: by user and field, what it is and what it would be',
      }),
    ),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), code: Type.Integer(), message: Type.String() }), {
        description: 'of a dry run: what is wrong with single users',
      }),
    ),
  };
  return dialect === 'v1' ? Type.Object(fields) : Type.Object({ ...fields, membership_deletion_task_id: Type.String() });
}

export function renderUser(call: Pick<Call, 'backend' | 'caller'>, user: StoredUser, dialect: Dialect): Record<string, unknown> {
  const aside = asideOf(call, user.id);
  return dialect === 'v1' ? renderV1(user, aside) : renderV2Full(user, aside);
}

/** The users that the headers can be about: those that could be read, and those that could not, as far as they can be told. */
function idsIn(read: readonly { readonly id: string }[], problems: readonly FieldError[]): readonly string[] {
  const unread = problems.map(({ path }) => path.split(']')[0] ?? '').filter((path) => path.startsWith('users['));
  return [...read.map(({ id }) => id), ...new Set(unread)];
}

function dryAnswer(call: Call, { outcome, ...found }: DryRun, dialect: Dialect): Answer {
  const { body } = changedUsers(call, outcome, dialect);
  return { body: { ...body, ...found }, seq: call.backend.position.seq };
}

/** The users by id as they are now, and beside them which of them changed: `rosterd sync` counts by it. */
function changedUsers(call: Call, outcome: Outcome, dialect: Dialect): Answer {
  refuseGone(outcome);
  const users: Record<string, unknown> = {};
  const ids: Record<Change, string[]> = { created: [], updated: [], unchanged: [] };
  for (const { user, change } of outcome.users) {
    if (!call.isMinimal) users[user.id] = renderUser(call, user, dialect);
    ids[change].push(user.id);
  }
  const membership = dialect === 'v2' ? { membership_deletion_task_id: '' } : undefined;
  return { body: { users, ...ids, ...membership }, seq: outcome.seq, headers: tagOf(outcome) };
}

/** Whom the caller finds, whatever it asks for. A server finds everyone; a client must exist and be granted to search. */
export function visibilityOf({ backend, caller }: Pick<Call, 'backend' | 'caller'>): Visibility {
  switch (caller.kind) {
    case 'server':
      return {};
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot search for users');
    case 'user': {
      const { app } = backend.directory;
      const user = backend.directory.user(caller.id);
      if (user === undefined) throw new RosterError('not_found', `the user ${caller.id} does not exist`);
      const found = visibilityFor(app, user);
      if (found === 'nowhere') throw new RosterError('not_allowed', notAllowed(user.id, user.role, 'SearchUser'));
      return found;
    }
  }
}
