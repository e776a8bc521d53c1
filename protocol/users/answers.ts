/**
 * Shapes of the endpoints' answers, for the API description and for the tests that check every answer. The description defines
 * a schema with a title once, under that name, so no two different schemas may share a title.
 */
import Type, { type TInteger, type TSchema, type TString } from 'typebox';
import type { Dialect } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';

const { Array: List, Boolean: Bool, Integer, Object: Obj, Optional, String: Text, Unknown } = Type;

type TimeIn<In extends Dialect> = In extends 'v1' ? TString : TInteger;

/** v1: RFC 3339. v2: integer nanoseconds. */
export function timeIn<In extends Dialect>(dialect: In): TimeIn<In> {
  const time = dialect === 'v1' ? Text({ format: 'date-time' }) : Integer({ format: 'int64', description: 'nanoseconds since 1970' });
  // A dialect has one form of time, but TypeScript cannot prove this for a conditional type.
  return time as TSchema as TimeIn<In>;
}

const Toggle = Obj({ enabled: Bool() });

export function deviceIn<In extends Dialect>(dialect: In) {
  return Obj(
    {
      id: Text(),
      push_provider: Text(),
      push_provider_name: Optional(Text()),
      user_id: Text(),
      hardware_id: Optional(Text()),
      voip: Optional(Bool()),
      created_at: timeIn(dialect),
    },
    { title: `Device_${dialect}` },
  );
}

/** Fields that a user has in both dialects. In v1, custom data stands beside them. */
function userFields<In extends Dialect>(dialect: In) {
  const time = timeIn(dialect);
  return {
    id: Text(),
    role: Text(),
    name: Optional(Text()),
    image: Optional(Text()),
    language: Text(),
    teams: List(Text()),
    teams_role: Optional(Type.Record(Text(), Text())),
    banned: Bool(),
    shadow_banned: Bool(),
    ban_expires: Optional(time),
    online: Bool(),
    invisible: Bool(),
    blocked_user_ids: List(Text()),
    privacy_settings: Optional(
      Obj({ typing_indicators: Optional(Toggle), read_receipts: Optional(Toggle), delivery_receipts: Optional(Toggle) }),
    ),
    bypass_moderation: Optional(Bool()),
    created_at: time,
    updated_at: time,
    last_active: Optional(time),
    deactivated_at: Optional(time),
    deleted_at: Optional(time),
    revoke_tokens_issued_before: Optional(time),
  };
}

/** A user as the endpoints of v1 show it. */
export const UserV1 = Obj(
  { ...userFields('v1'), devices: List(deviceIn('v1')), mutes: List(AnyObject) },
  { additionalProperties: true, title: 'User_v1' },
);
const UserV2 = Obj({ ...userFields('v2'), custom: AnyObject }, { title: 'User_v2' });

/** A user as most endpoints show it. */
export function userIn(dialect: Dialect): TSchema {
  return dialect === 'v1' ? UserV1 : UserV2;
}

export function muteIn(dialect: Dialect): TSchema {
  const time = timeIn(dialect);
  return Obj(
    { user: userIn(dialect), target: userIn(dialect), created_at: time, updated_at: time, expires: Optional(time) },
    { title: `Mute_${dialect}` },
  );
}

/** With devices, mutes and counters. */
const FullUserV2 = Obj(
  {
    ...userFields('v2'),
    custom: AnyObject,
    devices: List(deviceIn('v2')),
    mutes: List(muteIn('v2')),
    channel_mutes: List(Unknown()),
    total_unread_count: Integer(),
    unread_count: Integer(),
    unread_channels: Integer(),
    unread_threads: Integer(),
  },
  { title: 'FullUser_v2' },
);

type FullUserIn<In extends Dialect> = In extends 'v1' ? typeof UserV1 : typeof FullUserV2;

/** A user with devices, mutes and counters, as upsert, partial update and query show it in v2. In v1 it is the ordinary user. */
export function fullUserIn<In extends Dialect>(dialect: In): FullUserIn<In> {
  const user: TSchema = dialect === 'v1' ? UserV1 : FullUserV2;
  return user as FullUserIn<In>;
}

/** The answer of an endpoint that returns no data. */
export const Nothing = Obj({});

/** The answer of an endpoint that starts a task. */
export const TaskStartedAnswer = Obj({ task_id: Text() });

const Duration = Text({ pattern: '^\\d+\\.\\d\\dms$' });

const WriteOutcomes = Type.Union([Type.Literal('not_stored'), Type.Literal('unknown')], {
  description: 'with 503: `not_stored`, nothing was changed, and nothing will be; `unknown`, the change, or a part of it, may be stored',
});

/** A refusal in both chat dialects. */
export const ChatErrorAnswer = Obj(
  {
    code: Integer(),
    message: Text({ description: '<Operation> failed with error: "<reason>"' }),
    StatusCode: Integer(),
    duration: Duration,
    more_info: Text(),
    details: List(Integer()),
    exception_fields: Optional(Type.Record(Text(), Text(), { description: 'the problem of each wrong field' })),
    errors: Optional(List(Obj({ path: Text(), code: Integer(), message: Text() }))),
    outcome: Optional(WriteOutcomes),
  },
  { title: 'ChatError' },
);

/** A refusal in the feeds dialect. */
export const FeedsErrorAnswer = Obj(
  {
    code: Integer(),
    detail: Text(),
    duration: Duration,
    exception: Text({ minLength: 1 }),
    status_code: Integer(),
    exception_fields: Optional(Type.Record(Text(), List(Text()))),
    outcome: Optional(WriteOutcomes),
  },
  { title: 'FeedsError' },
);

/** `duration`, a field of every answer that has no other form. */
export const AnswerDuration = Duration;
