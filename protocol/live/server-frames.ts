/**
 * The messages that the daemon sends over the live protocol `roster.v1`: a schema for each. Events have `type`; answers repeat
 * the request's `id` as `re`. The description of the protocol is made from these, and tests check every frame against it.
 */

import Type, { type TProperties } from 'typebox';
import { AnyObject } from '../base/schemas.ts';
import { ChatErrorAnswer } from '../users/answers.ts';
import { DeactivateOptions, DeleteMode } from '../users/delete-options.ts';

const { Array: List, Boolean: Bool, Integer, Literal, Object: Obj, Optional, String: Text, Union } = Type;

/** In the form that the client asked for in its `connect`. */
const Time = Union([Text({ format: 'date-time' }), Integer({ format: 'int64', description: 'nanoseconds since 1970' })]);

const Toggle = Obj({ enabled: Bool() });
const Re = Optional(Union([Text(), Type.Number()], { description: 'the `id` of the request' }));
const Seq = Integer({ minimum: 0, description: 'position in the log' });

/** A user as the live protocol shows it. */
const LiveUser = Obj(
  {
    id: Text(),
    rev: Integer({ minimum: 0, description: 'a record is newer exactly when its rev is higher' }),
    role: Text(),
    name: Optional(Text()),
    image: Optional(Text()),
    language: Optional(Text()),
    teams: List(Text()),
    teams_role: Optional(Type.Record(Text(), Text())),
    custom: AnyObject,
    online: Bool(),
    invisible: Bool(),
    banned: Bool(),
    ban_expires: Optional(Time),
    privacy_settings: Optional(
      Obj({ typing_indicators: Optional(Toggle), read_receipts: Optional(Toggle), delivery_receipts: Optional(Toggle) }),
    ),
    bypass_moderation: Optional(Bool()),
    created_at: Time,
    updated_at: Time,
    last_active: Optional(Time),
    deactivated_at: Optional(Time),
    deleted_at: Optional(Time),
    revoke_tokens_issued_before: Optional(Time),
  },
  { title: 'LiveUser' },
);

/** The fields that every event about a user has. */
const ABOUT_USER = {
  seq: Seq,
  created_at: Time,
  user: LiveUser,
  sub: Optional(List(Text(), { description: 'the subscriptions under which it was sent; absent for the own user' })),
  match: Optional(Union([Literal('enter'), Literal('stay'), Literal('leave')])),
} as const;

/** The details of an act of moderation. */
const MODERATION = {
  created_by_id: Optional(Text()),
  target_ids: Optional(List(Text())),
  reason: Optional(Text()),
  expiration: Optional(Time),
  shadow: Optional(Bool()),
  cid: Optional(Text()),
  future_channels: Optional(Bool()),
  ip_ban: Optional(Bool()),
  delete_messages: Optional(Text()),
  total_flags: Optional(Integer()),
} as const;

/** A user group with those of its members that exist now. */
const LiveUserGroup = Obj(
  {
    app_pk: Integer(),
    id: Text(),
    name: Text(),
    description: Optional(Text()),
    team_id: Optional(Text()),
    created_by: Optional(Text()),
    created_at: Time,
    updated_at: Time,
    members: List(Obj({ app_pk: Integer(), group_id: Text(), user_id: Text(), is_admin: Bool(), created_at: Time })),
  },
  { title: 'LiveUserGroup' },
);

/** An import in the form of the answer about it. */
const LiveImport = Obj(
  {
    id: Text(),
    path: Text(),
    mode: Text(),
    merge_custom: Optional(Bool()),
    state: Text(),
    history: List(Obj({ prev_state: Text(), next_state: Text(), created_at: Time })),
    size: Optional(Integer()),
    result: Optional(AnyObject),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'LiveImport' },
);

function event<Name extends string, Fields extends TProperties>(type: Name, fields: Fields) {
  return Obj({ type: Literal(type), ...fields });
}

function aboutUser<Name extends string, Fields extends TProperties>(type: Name, fields: Fields) {
  return event(type, { ...ABOUT_USER, ...fields });
}

/** Events that are about no user, for servers that subscribe to everything. */
function aboutDocument<Name extends string, Fields extends TProperties>(type: Name, fields: Fields) {
  return event(type, { seq: Seq, created_at: Time, ...fields, sub: ABOUT_USER.sub });
}

function aboutGroup<Change extends string, Fields extends TProperties>(change: Change, fields: Fields) {
  return aboutDocument(`user_group.${change}` as const, { user_group: LiveUserGroup, ...fields });
}

const MemberIds = List(Text(), { description: 'the user who came or went' });
const ENDED_TASK = { task_id: Text(), started_at: Time, finished_at: Time } as const;

/** Every event by its `type`; the application chooses the types of custom events. */
export const SERVER_EVENTS = {
  'user.updated': aboutUser('user.updated', { created: Optional(Literal(true)), restored: Optional(Literal(true)) }),
  'user.deactivated': aboutUser('user.deactivated', DeactivateOptions.properties),
  'user.reactivated': aboutUser('user.reactivated', DeactivateOptions.properties),
  'user.deleted': aboutUser('user.deleted', {
    delete_user: DeleteMode,
    delete_messages: Text(),
    delete_conversation: Text(),
    delete_calls: Text(),
    delete_files: Bool(),
    delete_conversation_channels: Bool(),
    hard_delete: Bool(),
    mark_messages_deleted: Bool(),
    new_channel_owner_id: Optional(Text()),
    new_call_owner_id: Optional(Text()),
  }),
  'user.banned': aboutUser('user.banned', MODERATION),
  'user.unbanned': aboutUser('user.unbanned', MODERATION),
  'user.muted': aboutUser('user.muted', MODERATION),
  'user.unmuted': aboutUser('user.unmuted', MODERATION),
  'user.flagged': aboutUser('user.flagged', MODERATION),
  'user.unflagged': aboutUser('user.unflagged', MODERATION),
  'user_group.created': aboutGroup('created', {}),
  'user_group.updated': aboutGroup('updated', {}),
  'user_group.deleted': aboutGroup('deleted', {}),
  'user_group.member_added': aboutGroup('member_added', { members: MemberIds }),
  'user_group.member_removed': aboutGroup('member_removed', { members: MemberIds }),
  'export.users.success': aboutDocument('export.users.success', { ...ENDED_TASK, url: Text({ description: 'good for a day' }) }),
  'export.users.error': aboutDocument('export.users.error', { ...ENDED_TASK, error: Text() }),
  'import.updated': aboutDocument('import.updated', {
    import_task: LiveImport,
    progress: Optional(Obj({ done: Integer(), total: Integer() }, { description: 'users; absent until the file was analysed' })),
  }),
  'user.presence.changed': aboutUser('user.presence.changed', {}),
  'user.hidden': event('user.hidden', { seq: Seq, created_at: Time, user: Obj({ id: Text() }) }),
  'presence.state': event('presence.state', { sub: List(Text()), reset: Optional(Literal(true)), online: List(Text()) }),
  'sub.reset': event('sub.reset', { sub: Text() }),
  'health.check': event('health.check', { connection_id: Text(), created_at: Time, seq: Seq, caught_up: Optional(Literal(true)) }),
  'token.expiring': event('token.expiring', { created_at: Time, exp: Integer({ description: 'unix seconds' }) }),
  'server.drain': event('server.drain', { created_at: Time, retry_ms: Integer({ minimum: 0 }) }),
  'connection.error': event('connection.error', {
    re: Re,
    connection_id: Text(),
    created_at: Time,
    error: ChatErrorAnswer,
    retry_ms: Optional(Integer({ minimum: 0, description: 'when to come back' })),
  }),
  'connection.closed': event('connection.closed', { code: Integer(), reason: Text(), reconnect: Bool() }),
} as const;

/** An event that a server sent about a user. */
export const CustomEvent = Obj({ type: Text({ description: 'chosen by the application' }), ...ABOUT_USER, custom: AnyObject });

/** A subscription, or a page of it. */
const Users = Obj({
  re: Re,
  sub: Text(),
  seq: Seq,
  users: Optional(List(LiveUser, { description: 'the users at `seq`; absent when no snapshot was asked for' })),
  total: Optional(Integer()),
  more: Optional(Text({ description: 'there is another page' })),
  gone: Optional(List(Text(), { description: 'users that were deleted since the position that could not be continued from' })),
});

/** The answer to each request, by its `op`. `ack` has an answer only when it is refused. */
export const ANSWERS = {
  connect: Obj({
    re: Re,
    type: Literal('connection.ok'),
    connection_id: Text(),
    epoch: Text(),
    seq: Seq,
    me: Optional(LiveUser),
    heartbeat_ms: Integer(),
    token_exp: Optional(Integer({ description: 'unix seconds' })),
    resumed: Bool(),
    warnings: Optional(List(Text())),
  }),
  sub: Users,
  page: Users,
  unsub: Obj({ re: Re }),
  update: Obj({ re: Re, user: LiveUser, seq: Seq }),
  upsert: Obj({ re: Re, users: Type.Record(Text(), LiveUser), seq: Seq }),
  refresh: Obj({ re: Re, token_exp: Optional(Integer({ description: 'unix seconds' })) }),
  ping: Obj({ re: Re, seq: Seq }),
} as const;

/** The answer to a refused request. */
export const Refused = Obj({ re: Re, error: ChatErrorAnswer });
