import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, type Dialect, isEmptyList, jsonProblem, presentFields } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';
import { byOf, Id, idProblem, idsOf, NamedUser, ReasonField, refuse, type Said } from './reading.ts';

export interface FlagCommand {
  readonly kind: 'flag';
  readonly actor: Actor;
  readonly target: string;
  readonly by?: string;
  readonly reason?: string;
  readonly custom?: JsonObject;
  /** Id of the report; the caller of `decide` makes it. */
  readonly itemId: string;
}

export interface UnflagCommand {
  readonly kind: 'unflag';
  readonly actor: Actor;
  readonly target: string;
  readonly by?: string;
}

export interface BypassCommand {
  readonly kind: 'bypass';
  readonly target: string;
  readonly enabled: boolean;
}

export const FlagBodyV1 = Type.Object({
  target_user_id: Type.Optional(Id),
  target_message_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
  reason: Type.Optional(ReasonField),
  custom: Type.Optional(AnyObject),
});

export const FlagBodyV2 = Type.Object({
  entity_type: Type.String({ description: 'stream:user: rosterd knows users only' }),
  entity_id: Type.String({ minLength: 1 }),
  entity_creator_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
  reason: Type.Optional(ReasonField),
  custom: Type.Optional(AnyObject),
});

export const FlagCountBody = Type.Object({ entity_creator_id: Id });

export const BypassBody = Type.Object({ target_user_id: Id, enabled: Type.Boolean() });

const flagCheckV1 = Compile(FlagBodyV1);
const flagCheckV2 = Compile(FlagBodyV2);
const flagCountCheck = Compile(FlagCountBody);
const bypassCheck = Compile(BypassBody);

/** The only type of object that rosterd accepts reports about. */
const USER_ENTITY = 'stream:user';

const USERS_ONLY = 'rosterd knows users only';

/** In v1 the target has its own field; in v2 it is one kind of entity. */
export function decodeFlag(dialect: Dialect, body: unknown): Omit<Said<FlagCommand>, 'itemId'> {
  const fields = presentFields(bodyObject(body));
  // PHP writes an empty map as a list.
  if (isEmptyList(fields.custom)) delete fields.custom;
  const sent = dialect === 'v1' ? flaggedV1(fields) : flaggedV2(fields);
  const { custom, reason } = sent;
  refuse([idProblem(sent.path, sent.target), ...idsOf(sent), custom === undefined ? undefined : customProblem(custom)]);
  return {
    target: sent.target,
    ...byOf(sent),
    ...(reason === undefined ? undefined : { reason }),
    ...(custom === undefined || Object.keys(custom).length === 0 ? undefined : { custom }),
  };
}

function flaggedV1(fields: JsonObject) {
  const sent = checked(flagCheckV1, fields);
  if (sent.target_user_id === undefined) {
    const isMessage = sent.target_message_id !== undefined;
    throw fieldErrors('input', [
      isMessage
        ? { path: 'target_message_id', message: `cannot be flagged: ${USERS_ONLY}` }
        : { path: 'target_user_id', message: 'is required' },
    ]);
  }
  return { ...sent, target: sent.target_user_id, path: 'target_user_id' };
}

function flaggedV2(fields: JsonObject) {
  const sent = checked(flagCheckV2, fields);
  if (sent.entity_type !== USER_ENTITY) {
    throw fieldErrors('input', [{ path: 'entity_type', message: `must be "${USER_ENTITY}": ${USERS_ONLY}` }]);
  }
  return { ...sent, target: sent.entity_id, path: 'entity_id' };
}

/** The id of the user whose reports are counted. */
export function decodeFlagCount(body: unknown): string {
  const { entity_creator_id: id } = checked(flagCountCheck, presentFields(bodyObject(body)));
  refuse([idProblem('entity_creator_id', id)]);
  return id;
}

export function decodeBypass(body: unknown): BypassCommand {
  const { target_user_id: target, enabled } = checked(bypassCheck, presentFields(bodyObject(body)));
  refuse([idProblem('target_user_id', target)]);
  return { kind: 'bypass', target, enabled };
}

function customProblem(custom: JsonObject): FieldError | undefined {
  const problem = jsonProblem(custom, 1);
  if (problem !== undefined) return { path: `custom${problem.path}`, message: problem.message };
  const bytes = utf8Bytes(JSON.stringify(custom));
  return bytes <= LIMITS.flagCustomBytes
    ? undefined
    : { path: 'custom', message: `is ${bytes} bytes; at most ${LIMITS.flagCustomBytes} are allowed` };
}
