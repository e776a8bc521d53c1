/** The answer to writing users: the users that a request was about, and which of them changed. Also for a dry run. */

import Type, { type TSchema } from 'typebox';
import type { FieldError } from '../../../protocol/base/errors.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import { fullUserIn } from '../../../protocol/users/answers.ts';
import { type Rendered, renderV1, renderV2Full } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Walk } from '../../base/slices.ts';
import { isDeactivatedBySync, isDeletedBySync } from '../../core/users/returning.ts';
import { stepped } from '../answers/answer-text.ts';
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

export function renderUser(call: Asking, user: StoredUser, dialect: Dialect): Rendered {
  const aside = asideOf(call, user.id);
  return dialect === 'v1' ? renderV1(user, aside) : renderV2Full(user, aside);
}

/**
 * Whether these records are written at once, a hundred of them too: their data is bounded, while each of their mutes shows two users.
 */
export function areSmall(users: readonly StoredUser[]): boolean {
  return users.every(({ mutes, devices }) => mutes === undefined && devices === undefined);
}

export async function renderedUsers(call: Call, users: readonly StoredUser[], dialect: Dialect): Promise<readonly Rendered[]> {
  if (users.length <= 1) return users.map((user) => renderUser(call, user, dialect));
  return await stepped(eachRendered(call, users, dialect), call.caller);
}

/** Users that are shown in one step: the widest ones take a third of a millisecond each, beside their mutes. */
const STEP_USERS = 8;

function* eachRendered(call: Asking, users: readonly StoredUser[], dialect: Dialect): Walk<readonly Rendered[]> {
  const list: Rendered[] = [];
  for (const user of users) {
    list.push(renderUser(call, user, dialect));
    if (user.mutes !== undefined || list.length % STEP_USERS === 0) yield;
  }
  return list;
}

/** The users that the headers can be about: the valid ones, and the invalid ones as far as they can be told apart. */
export function idsIn(read: readonly { readonly id: string }[], problems: readonly FieldError[]): readonly string[] {
  const unread = problems.map(({ path }) => path.split(']')[0] ?? '').filter((path) => path.startsWith('users['));
  return [...read.map(({ id }) => id), ...new Set(unread)];
}

export async function dryAnswer(
  call: Call,
  { outcome, ...found }: DryRun,
  dialect: Dialect,
  more?: Readonly<Record<string, unknown>>,
): Promise<EndpointAnswer> {
  const { body } = await changedUsers(call, outcome, dialect, { ...more, ...found });
  return { body, seq: call.backend.position.seq };
}

/** The current users by id, and which of them changed: `rosterd sync` counts these. */
export async function changedUsers(
  call: Call,
  outcome: Outcome,
  dialect: Dialect,
  more?: Readonly<Record<string, unknown>>,
): Promise<EndpointAnswer> {
  refuseGone(outcome);
  const shown = call.isMinimal ? [] : outcome.users.map(({ user }) => user);
  const rendered = await renderedUsers(call, shown, dialect);
  // Without a prototype, an id may be "__proto__".
  const users: Record<string, unknown> = Object.create(null);
  for (const [at, { id }] of shown.entries()) users[id] = rendered[at];
  const ids: Record<Change, string[]> = { created: [], updated: [], unchanged: [], reactivated: [], restored: [] };
  for (const { user, change } of outcome.users) {
    ids[change].push(user.id);
  }
  const { reactivated, restored, ...always } = ids;
  const back = { ...(reactivated.length > 0 && { reactivated }), ...(restored.length > 0 && { restored }) };
  const membership = dialect === 'v2' ? { membership_deletion_task_id: '' } : undefined;
  return {
    body: { users, ...always, ...back, ...membership, ...more },
    isSmall: areSmall(shown),
    seq: outcome.seq,
    headers: tagOf(outcome),
  };
}

/** The users that a sync took out and that stay out, as a part of the answer to a server. */
export function takenOutOf(
  { backend, caller }: Pick<Call, 'backend' | 'caller'>,
  sent: readonly { readonly id: string }[],
  outcome: Outcome,
): Record<string, unknown> | undefined {
  if (caller.kind !== 'server') return undefined;
  if (outcome.users.length === sent.length && outcome.users.every(({ user }) => user.deactivated_at === undefined)) return undefined;
  const back = new Set(outcome.users.flatMap(({ user, change }) => (change === 'reactivated' || change === 'restored' ? [user.id] : [])));
  const out: Record<string, 'deactivated' | 'deleted'> = {};
  for (const { id } of sent) {
    if (back.has(id)) continue;
    const record = backend.directory.record(id);
    if (isDeletedBySync(record)) out[id] = 'deleted';
    else if (isDeactivatedBySync(record)) out[id] = 'deactivated';
  }
  return Object.keys(out).length === 0 ? undefined : { taken_out: out };
}
