/**
 * Reads requests for guests and for custom events of the application. Pure; throws RosterError.
 * The caller makes the random parts.
 */

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { envelope } from '../base/envelope.ts';
import { type FieldError, fieldErrors, PROBLEMS_MAX } from '../base/errors.ts';
import { fieldPath } from '../base/field-path.ts';
import { isForbiddenName } from '../base/ids.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, type Dialect, isEmptyList, isJsonObject, jsonProblem, pathId } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';
import { decodeUser } from './decode.ts';
import { type UserInput, UserRequest } from './user.ts';

/** Creates a guest. `fallbackId` is used when `input.id` is taken. */
export interface GuestCommand {
  readonly kind: 'guest';
  readonly input: UserInput;
  readonly fallbackId?: string;
}

/** A custom event of the application for the clients of a user. */
export interface CustomEventCommand {
  readonly kind: 'custom-event';
  readonly id: string;
  readonly type: string;
  readonly custom: JsonObject;
}

/** The guest, in the same form as any user; a guest without an id gets one. */
export const GuestBody = Type.Object({ user: UserRequest });

export const CustomEventBody = Type.Object({
  event: Type.Object({
    type: Type.String(),
    custom: Type.Optional(Type.Union([AnyObject, Type.Null()])),
  }),
});

/** The decoder of users checks the user itself. */
const guestCheck = Compile(envelope(GuestBody, 'user'));
const eventCheck = Compile(CustomEventBody);

/** Keys of an event that the daemon sets. It ignores them when a caller sends them, as every Go client does with `created_at`. */
const EVENT_FIELDS: ReadonlySet<string> = new Set(['type', 'custom', 'created_at', 'received_at']);

/**
 * `POST /guest`. A guest made by a server has the id that the server names, if that id is free. Any other guest has an id that
 * begins with `prefix`, which holds a random part, so that nobody can take or guess another guest's id.
 */
export function decodeGuest(dialect: Dialect, body: unknown, actor: Actor['kind'], prefix: string): GuestCommand {
  const { user: sent } = checked(guestCheck, withoutLists(bodyObject(body), 'user'));
  const problems: FieldError[] = [];
  const isNameless = sent.id === undefined || sent.id === null || sent.id === '';
  const input = decodeUser(sent, { path: 'user', key: isNameless ? prefix : undefined, dialect, caller: actor }, problems);
  if (input === undefined) throw fieldErrors('input', problems);
  if (actor === 'user') checkClientFields(input.teams ?? [], input.teams_role ?? {});
  if (isNameless) return { kind: 'guest', input };
  const prefixed = `${prefix}-${input.id}`;
  const isTooLong = prefixed.length > LIMITS.idChars;
  if (actor === 'server') return { kind: 'guest', input, ...(isTooLong ? undefined : { fallbackId: prefixed }) };
  if (!isTooLong) return { kind: 'guest', input: { ...input, id: prefixed } };
  const message = `must not be longer than ${LIMITS.idChars - prefix.length - 1} characters: it is prefixed`;
  throw fieldErrors('input', [{ path: 'user.id', message }]);
}

/** Refuses teams from a client: teams decide what a user can see, so only a server gives them. */
function checkClientFields(teams: readonly string[], teamsRole: Readonly<Record<string, string>>): void {
  const problems: FieldError[] = [];
  if (teams.length > 0) problems.push({ path: 'user.teams', message: 'may be set by a server only' });
  if (Object.keys(teamsRole).length > 0) problems.push({ path: 'user.teams_role', message: 'may be set by a server only' });
  if (problems.length > 0) throw fieldErrors('not_allowed', problems);
}

/**
 * `POST /users/{id}/event`. v1 has the data beside `type`, v2 under `custom`; both places are read in both dialects. For a key
 * in both, the nested value counts.
 */
export function decodeCustomEvent(id: string, body: unknown): CustomEventCommand {
  const sent = withoutLists(bodyObject(body), 'event');
  const event = isJsonObject(sent.event) ? withoutLists(sent.event, 'custom') : {};
  const { type, custom: nested } = checked(eventCheck, isJsonObject(sent.event) ? { ...sent, event } : sent).event;
  const problems: FieldError[] = [];
  const wrongType = eventTypeProblem(type);
  if (wrongType !== undefined) problems.push({ path: 'event.type', message: wrongType });
  const beside = Object.entries(event).filter(([key]) => !EVENT_FIELDS.has(key));
  const entries = [...beside, ...Object.entries(nested ?? {})];
  for (const [key, value] of entries) if (problems.length < PROBLEMS_MAX) problems.push(...dataProblems(key, value));
  const custom: JsonObject = problems.length > 0 ? {} : Object.fromEntries(entries);
  const bytes = utf8Bytes(JSON.stringify(custom));
  if (bytes > LIMITS.eventBytes)
    problems.push({ path: 'event', message: `has ${bytes} bytes of data; at most ${LIMITS.eventBytes} are allowed` });
  if (problems.length > 0) throw fieldErrors('input', problems);
  return { kind: 'custom-event', id: pathId(id), type, custom };
}

/** Every event type that rosterd defines has a dot, so a type of the application may have none. */
function eventTypeProblem(type: string): string | undefined {
  if (type.trim() === '') return 'must not be empty';
  if (type.length > LIMITS.eventTypeChars) return `must not be longer than ${LIMITS.eventTypeChars} characters`;
  if (type.includes('.')) return 'must not contain a "."';
  if (isForbiddenName(type)) return `"${type}" is a reserved name`;
  return undefined;
}

function dataProblems(key: string, value: Json): FieldError[] {
  const path = fieldPath('event', key);
  if (isForbiddenName(key)) return [{ path, message: `"${key}" is a reserved name` }];
  const problem = jsonProblem(value, 2);
  return problem === undefined ? [] : [{ path: `${path}${problem.path}`, message: problem.message }];
}

/** PHP writes an empty map as `[]`. */
function withoutLists(body: JsonObject, field: string): JsonObject {
  return isEmptyList(body[field]) ? { ...body, [field]: {} } : body;
}
