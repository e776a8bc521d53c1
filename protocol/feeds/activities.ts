/** Activities of the feeds room: reads and renders them. Pure; the readers throw RosterError. */

import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors, RosterError } from '../base/errors.ts';
import { fieldPath, itemPath } from '../base/field-path.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked } from '../base/reading.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import { type Micros, parseTime, toRfc3339 } from '../base/time.ts';
import { parseFeedName } from './feed-name.ts';
import { countReferences } from './references.ts';
import { checkFieldCount, dataProblems } from './users.ts';

/** An activity of the feeds room. `feeds` are all feeds that contain it: the one it was added to and its targets, as `slug:id`. */
export const Activity = Type.Object({
  id: Type.String(),
  feeds: Type.Array(Type.String()),
  origin: Type.String(),
  foreign_id: Type.Optional(Type.String()),
  time: MicrosField,
  /** actor, verb, object and all other fields, in the order in which they were sent. */
  data: AnyObject,
});

export type Activity = Static<typeof Activity>;

/** Adds activities to the feeds that they name. One with an existing id replaces that activity, and is in the feeds of both. */
export interface ActivityAddCommand {
  readonly kind: 'activity-add';
  readonly activities: readonly Activity[];
}

/** Removes activities from a feed. Removed from the feed it was first added to, an activity is deleted. None found is no error. */
export interface ActivityRemoveCommand {
  readonly kind: 'activity-remove';
  readonly feed: string;
  /** One id, or a foreign id that any number of activities may share: removes at most `LIMITS.activitiesPerRequest` at once. */
  readonly by: { readonly id: string } | { readonly foreignId: string };
}

const TextOrNumber = Type.Union([Type.String(), Type.Number(), Type.Null()]);
const Text = Type.Union([Type.String({ maxLength: LIMITS.idChars }), Type.Null()]);
/** Some clients send the number of a record in the application's own database. */
const ForeignId = Type.Union([Text, Type.Number()]);
const Targets = Type.Union([Type.Array(Type.String(), { maxItems: LIMITS.targetsPerActivity }), Type.Null()]);

/** All other fields of an activity are its data. */
const ActivityFields = {
  actor: Type.Optional(TextOrNumber),
  verb: Type.Optional(Text),
  object: Type.Optional(Type.Unknown()),
  target: Type.Optional(Type.Unknown()),
  foreign_id: Type.Optional(ForeignId),
  time: Type.Optional(Text),
  to: Type.Optional(Targets),
};

/** One activity, or several in `activities`. */
export const ActivitiesBody = Type.Object({
  ...ActivityFields,
  activities: Type.Optional(Type.Array(Type.Object(ActivityFields), { minItems: 1, maxItems: LIMITS.activitiesPerRequest })),
});

const bodyCheck = Compile(ActivitiesBody);

export interface ActivityInput {
  readonly foreignId?: string;
  readonly time?: Micros;
  /** Other feeds for the activity, as `slug:id`, each once. */
  readonly to: readonly string[];
  readonly data: JsonObject;
}

export interface ActivitiesInput {
  readonly activities: readonly ActivityInput[];
  /** Whether they came as a list; the answer is then a list, too. */
  readonly isMany: boolean;
}

/** `ownActor` is the actor of a client's activities. */
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

/** Fields that rosterd itself sets: not stored again when a client sends them back. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['id', 'origin', 'foreign_id', 'time', 'to']);

function activityOf(sent: JsonObject, path: string, ownActor: string | undefined): ActivityInput {
  checkFieldCount(sent, LIMITS.activityBytes, path || 'activity');
  const problems: FieldError[] = [];
  const actor = actorOf(sent.actor, ownActor, fieldPath(path, 'actor'));
  for (const [field, value] of [['actor', actor] as const, ['verb', sent.verb] as const, ['object', sent.object] as const]) {
    if (isAbsent(value)) problems.push({ path: fieldPath(path, field), message: 'is required' });
  }
  for (const field of ['actor', 'object', 'foreign_id']) {
    const value = sent[field];
    if (typeof value === 'number' && !Number.isSafeInteger(value)) problems.push({ path: fieldPath(path, field), message: NO_ID });
  }
  const time = timeOf(sent.time, fieldPath(path, 'time'), problems);
  const to = targetsOf(sent.to, fieldPath(path, 'to'));
  const own = Object.entries(sent).filter(([key, value]) => !OWN_FIELDS.has(key) && !(key === 'target' && isAbsent(value)));
  const data: JsonObject = Object.fromEntries([...own, ...(to.length === 0 ? [] : [['to', to] as const])]);
  data.actor = actor;
  if (typeof data.object === 'number') data.object = String(data.object);
  problems.push(...dataProblems(data, path, 1));
  // Only values that are not nested too deep are walked.
  if (problems.length === 0 && countReferences(data) > LIMITS.referencesPerActivity) {
    problems.push({ path: path || 'activity', message: `must not hold more than ${LIMITS.referencesPerActivity} references` });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  checkSize(data, path || 'activity');
  return {
    to,
    data,
    ...(time === undefined ? undefined : { time }),
    ...(isAbsent(sent.foreign_id) ? undefined : { foreignId: String(sent.foreign_id) }),
  };
}

/** Of a number that JavaScript has rounded, or writes in another form than it was sent in: it would name something else. */
const NO_ID = `is no id: a number must be whole and at most ${Number.MAX_SAFE_INTEGER}; write it as text`;

/** Go writes an empty text for an absent value. */
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
  if (time === undefined) problems.push({ path, message: 'must be a time from 1970 to 2255 such as 2024-05-06T07:08:09.123456' });
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

/** Go and Ruby write `+0200`, RFC 3339 `+02:00`. A date alone ends otherwise: it has no colon. */
const OFFSET_WITHOUT_COLON = /(:.*[+-]\d\d)(\d\d)$/;

/** Reads a time with or without a zone; without one it is UTC. Undefined when it is not a time from 1970 to 2255. */
export function parseFeedsTime(sent: unknown): Micros | undefined {
  if (typeof sent !== 'string') return undefined;
  const text = sent.replace(OFFSET_WITHOUT_COLON, '$1:$2');
  const time = parseTime(text) ?? parseTime(`${text}Z`);
  return time !== undefined && time >= 0 && Number.isSafeInteger(time) ? time : undefined;
}

/** `2024-05-06T07:08:09.123456`: UTC without a zone, the only form that all published clients read. */
export function toFeedsTime(time: Micros): string {
  return toRfc3339(time).slice(0, -1);
}

/** Returns the replacement for a value in an activity. */
export type Replace = (value: Json) => Json;

export interface ActivityView {
  /** The followed feed from which the feed that is read has the activity. */
  readonly from?: string | null;
  readonly replace?: Replace | undefined;
}

export function renderActivity({ id, foreign_id, time, data }: Activity, { from = null, replace = asIs }: ActivityView = {}): JsonObject {
  const { actor = '', verb = '', object = '', target = '', to, ...custom } = data;
  return {
    id,
    foreign_id: foreign_id ?? '',
    time: toFeedsTime(time),
    actor: replace(actor),
    verb,
    object: replace(object),
    target: replace(target),
    origin: from,
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
