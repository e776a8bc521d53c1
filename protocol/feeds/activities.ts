/** Activities of the feeds room: how they are sent and how they are shown. Pure; what reads throws RosterError. */

import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors, RosterError } from '../base/errors.ts';
import { fieldPath, itemPath } from '../base/explain.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked } from '../base/reading.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import { type Micros, parseTime, toRfc3339 } from '../base/time.ts';
import { parseFeedName } from './feed-name.ts';
import { countReferences } from './references.ts';
import { dataProblems } from './users.ts';

/** An activity of the feeds room. `feeds` are all it is in: where it was added and its targets, as `slug:id`. */
export const Activity = Type.Object({
  id: Type.String(),
  feeds: Type.Array(Type.String()),
  origin: Type.String(),
  foreign_id: Type.Optional(Type.String()),
  time: MicrosField,
  /** actor, verb, object and everything else, in the order it was sent. */
  data: AnyObject,
});

export type Activity = Static<typeof Activity>;

/** Adds activities to the feeds they name; one whose id is there already is replaced, and is in the feeds of both. */
export interface ActivityAddCommand {
  readonly kind: 'activity-add';
  readonly activities: readonly Activity[];
  /** A client's own reference: it replaces activities of no other actor. */
  readonly actor?: string;
}

/** Takes activities out of a feed; out of the feed that one was added to first, it is gone. None there is no error. */
export interface ActivityRemoveCommand {
  readonly kind: 'activity-remove';
  readonly feed: string;
  /** One id, or a foreign id that any number of activities may have: at most `LIMITS.activitiesPerRequest` go at once. */
  readonly by: { readonly id: string } | { readonly foreignId: string };
}

const TextOrNumber = Type.Union([Type.String(), Type.Number(), Type.Null()]);
const Text = Type.Union([Type.String({ maxLength: LIMITS.idChars }), Type.Null()]);
const Targets = Type.Union([Type.Array(Type.String(), { maxItems: LIMITS.targetsPerActivity }), Type.Null()]);

/** Whatever else an activity has is data of its own. */
const ActivityFields = {
  actor: Type.Optional(TextOrNumber),
  verb: Type.Optional(Text),
  object: Type.Optional(Type.Unknown()),
  target: Type.Optional(Type.Unknown()),
  foreign_id: Type.Optional(Text),
  time: Type.Optional(Text),
  to: Type.Optional(Targets),
};

/** One activity, or `activities` with many. */
export const ActivitiesBody = Type.Object({
  ...ActivityFields,
  activities: Type.Optional(Type.Array(Type.Object(ActivityFields), { minItems: 1, maxItems: LIMITS.activitiesPerRequest })),
});

const bodyCheck = Compile(ActivitiesBody);

export interface ActivityInput {
  readonly foreignId?: string;
  readonly time?: Micros;
  /** Other feeds it is to be in, as `slug:id`, each once. */
  readonly to: readonly string[];
  readonly data: JsonObject;
}

export interface ActivitiesInput {
  readonly activities: readonly ActivityInput[];
  /** Whether they came as a list; the answer is then a list too. */
  readonly isMany: boolean;
}

/** `ownActor` is the one that a client's activities have. */
export function decodeActivities(body: unknown, ownActor: string | undefined): ActivitiesInput {
  const sent = bodyObject(body);
  const { activities } = checked(bodyCheck, sent);
  if (activities === undefined) return { activities: [activityOf(sent, '', ownActor)], isMany: false };
  return {
    activities: activities.map((item, index) => {
      const path = itemPath('activities', index);
      return activityOf(bodyObject(item, path), path, ownActor);
    }),
    isMany: true,
  };
}

/** What rosterd itself says of an activity: not stored again when a client sends it back. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['id', 'origin', 'foreign_id', 'time', 'to']);

function activityOf(sent: JsonObject, path: string, ownActor: string | undefined): ActivityInput {
  const problems: FieldError[] = [];
  const actor = actorOf(sent.actor, ownActor, fieldPath(path, 'actor'));
  for (const [field, value] of [['actor', actor] as const, ['verb', sent.verb] as const, ['object', sent.object] as const]) {
    if (isAbsent(value)) problems.push({ path: fieldPath(path, field), message: 'is required' });
  }
  const time = timeOf(sent.time, fieldPath(path, 'time'), problems);
  const to = targetsOf(sent.to, fieldPath(path, 'to'));
  const own = Object.entries(sent).filter(([key, value]) => !OWN_FIELDS.has(key) && !(key === 'target' && isAbsent(value)));
  const data: JsonObject = Object.fromEntries([...own, ...(to.length === 0 ? [] : [['to', to] as const])]);
  data.actor = actor;
  if (typeof data.object === 'number') data.object = String(data.object);
  problems.push(...dataProblems(data, path, 1));
  // Only what is not nested too deep is walked.
  if (problems.length === 0 && countReferences(data) > LIMITS.referencesPerActivity) {
    problems.push({ path: path || 'activity', message: `must not hold more than ${LIMITS.referencesPerActivity} references` });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  checkSize(data, path || 'activity');
  return {
    to,
    data,
    ...(time === undefined ? undefined : { time }),
    ...(typeof sent.foreign_id === 'string' && sent.foreign_id !== '' ? { foreignId: sent.foreign_id } : undefined),
  };
}

/** Go writes an empty text for what is not there. */
function isAbsent(value: Json | undefined): boolean {
  return value === undefined || value === null || value === '';
}

function actorOf(sent: Json | undefined, own: string | undefined, path: string): Json {
  const actor = typeof sent === 'number' ? String(sent) : (sent ?? '');
  if (own === undefined) return actor;
  if (actor !== '' && actor !== own) {
    const message = `must be "${own}", the user of the token`;
    throw new RosterError('not_allowed', `${path}: ${message}`, [{ path, message }]);
  }
  return own;
}

function timeOf(sent: Json | undefined, path: string, problems: FieldError[]): Micros | undefined {
  if (isAbsent(sent)) return undefined;
  const time = parseFeedsTime(sent);
  if (time === undefined) problems.push({ path, message: 'must be a time since 1970 such as 2024-05-06T07:08:09.123456' });
  return time;
}

function targetsOf(sent: Json | undefined, path: string): string[] {
  const targets = Array.isArray(sent) ? sent : [];
  return [...new Set(targets.map((target, index) => parseFeedName(String(target), itemPath(path, index)).text))];
}

function checkSize(data: JsonObject, path: string): void {
  const bytes = utf8Bytes(JSON.stringify(data));
  if (bytes <= LIMITS.activityBytes) return;
  const message = `is ${bytes} bytes; at most ${LIMITS.activityBytes} are allowed`;
  throw new RosterError('too_big', `${path}: ${message}`, [{ path, message }]);
}

/** With or without a zone; without one it is UTC. Undefined when it is no time since 1970. */
export function parseFeedsTime(sent: unknown): Micros | undefined {
  if (typeof sent !== 'string') return undefined;
  const time = parseTime(sent) ?? parseTime(`${sent}Z`);
  return time !== undefined && time >= 0 ? time : undefined;
}

/** `2024-05-06T07:08:09.123456`: UTC without saying so, the one form that all published clients read. */
export function toFeedsTime(time: Micros): string {
  return toRfc3339(time).slice(0, -1);
}

/** Puts a value in place of one that stands in an activity. */
export type Replace = (value: Json) => Json;

/** `feed` is the one it is read in; it has come there from its `origin`, unless it was added there. */
export function renderActivity({ id, foreign_id, time, origin, data }: Activity, feed: string, replace: Replace = asIs): JsonObject {
  const { actor = '', verb = '', object = '', target = '', to, ...custom } = data;
  return {
    id,
    foreign_id: foreign_id ?? '',
    time: toFeedsTime(time),
    actor: replace(actor),
    verb,
    object: replace(object),
    target: replace(target),
    origin: origin === feed ? null : origin,
    ...(to === undefined ? undefined : { to }),
    ...Object.fromEntries(Object.entries(custom).map(([key, value]) => [key, replace(value)])),
  };
}

function asIs(value: Json): Json {
  return value;
}

export const ActivityAnswer: TSchema = Type.Object(
  {
    id: Type.String(),
    foreign_id: Type.String(),
    time: Type.String(),
    actor: Type.Unknown(),
    verb: Type.String(),
    object: Type.Unknown(),
    target: Type.Unknown(),
    origin: Type.Union([Type.String(), Type.Null()]),
    to: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: true, title: 'FeedsActivity' },
);
