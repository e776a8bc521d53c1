/** The answer to writing users: the users that a request was about, and which of them changed. Also for a dry run. */

import Type, { type TSchema } from 'typebox';
import type { FieldError } from '../../../protocol/base/errors.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import { fullUserIn } from '../../../protocol/users/answers.ts';
import { renderV1, renderV2Full } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { isDeactivatedBySync, isDeletedBySync } from '../../core/users/returning.ts';
import { type Asking, asideOf } from '../http/acting.ts';
import type { Call, EndpointAnswer } from '../http/endpoint.ts';
import { refuseGone, tagOf } from '../http/outcome.ts';
import type { DryRun } from './dry-run.ts';

function fieldsIn<In extends Dialect>(dialect: In) {
  const ids = Type.Array(Type.String());
  return {
    users: Type.Record(Type.String(), fullUserIn(dialect)),
    created: ids,
    updated: ids,
    unchanged: ids,
    reactivated: Type.Optional(ids),
    restored: Type.Optional(ids),
    taken_out: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.Literal('deactivated'), Type.Literal('deleted')]), {
        description: 'users of the request that a sync took out, and that stay out; for servers',
      }),
    ),
    revs: Type.Optional(Type.Record(Type.String(), Type.Integer(), { description: 'of a dry run: revisions now, 0 for no user' })),
    changes: Type.Optional(
      Type.Record(Type.String(), Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 })), {
        description: 'of a dry run: by user and field, what it is and what it would be',
      }),
    ),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), code: Type.Integer(), message: Type.String() }), {
        description: 'of a dry run: the problems of single users',
      }),
    ),
  };
}

export const ChangedUsersV1 = Type.Object(fieldsIn('v1'));
const ChangedUsersV2 = Type.Object({ ...fieldsIn('v2'), membership_deletion_task_id: Type.String() });

export function changedUsersIn(dialect: Dialect): TSchema {
  return dialect === 'v1' ? ChangedUsersV1 : ChangedUsersV2;
}

export function renderUser(call: Asking, user: StoredUser, dialect: Dialect): Record<string, unknown> {
  const aside = asideOf(call, user.id);
  return dialect === 'v1' ? renderV1(user, aside) : renderV2Full(user, aside);
}

/** The users that the headers can be about: the valid ones, and the invalid ones as far as they can be told apart. */
export function idsIn(read: readonly { readonly id: string }[], problems: readonly FieldError[]): readonly string[] {
  const unread = problems.map(({ path }) => path.split(']')[0] ?? '').filter((path) => path.startsWith('users['));
  return [...read.map(({ id }) => id), ...new Set(unread)];
}

export function dryAnswer(call: Call, { outcome, ...found }: DryRun, dialect: Dialect): EndpointAnswer {
  const { body } = changedUsers(call, outcome, dialect);
  return { body: { ...body, ...found }, seq: call.backend.position.seq };
}

/** The current users by id, and which of them changed: `rosterd sync` counts these. */
export function changedUsers(call: Call, outcome: Outcome, dialect: Dialect): EndpointAnswer {
  refuseGone(outcome);
  const users: Record<string, unknown> = {};
  const ids: Record<Change, string[]> = { created: [], updated: [], unchanged: [], reactivated: [], restored: [] };
  for (const { user, change } of outcome.users) {
    if (!call.isMinimal) users[user.id] = renderUser(call, user, dialect);
    ids[change].push(user.id);
  }
  const { reactivated, restored, ...always } = ids;
  const back = { ...(reactivated.length > 0 && { reactivated }), ...(restored.length > 0 && { restored }) };
  const membership = dialect === 'v2' ? { membership_deletion_task_id: '' } : undefined;
  return { body: { users, ...always, ...back, ...membership }, seq: outcome.seq, headers: tagOf(outcome) };
}

/** The users that a sync took out and that stay out, as a part of the answer to a server. */
export function takenOutOf(
  { backend, caller }: Pick<Call, 'backend' | 'caller'>,
  sent: readonly { readonly id: string }[],
  outcome: Outcome,
): Record<string, unknown> {
  if (caller.kind !== 'server') return {};
  const back = new Set(outcome.users.flatMap(({ user, change }) => (change === 'reactivated' || change === 'restored' ? [user.id] : [])));
  const out: Record<string, 'deactivated' | 'deleted'> = {};
  for (const { id } of sent) {
    if (back.has(id)) continue;
    const record = backend.directory.record(id);
    if (isDeletedBySync(record)) out[id] = 'deleted';
    else if (isDeactivatedBySync(record)) out[id] = 'deactivated';
  }
  return Object.keys(out).length === 0 ? {} : { taken_out: out };
}
