/**
 * The frames of the live protocol `roster.v1`: one JSON object per text frame.
 * Client frames have `op`; the answer repeats their `id` as `re`. Server events
 * have `type`. Both sides ignore unknown keys.
 */
import Type, { type Static } from 'typebox';
import { LIMITS } from '../base/limits.ts';
import { Position } from '../base/position.ts';

export const LIVE_SUBPROTOCOL = 'roster.v1';

/** Chosen by the client, repeated in the answer. */
const RequestId = Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Number()]));
const AnyObject = Type.Record(Type.String(), Type.Unknown());

/** A subscription: exactly one of ids, teams, filter or all. */
export const Sub = Type.Object({
  sub: Type.String({ minLength: 1, maxLength: 64 }),
  ids: Type.Optional(Type.Array(Type.String(), { maxItems: LIMITS.subIds })),
  teams: Type.Optional(Type.Array(Type.String(), { maxItems: LIMITS.teamsPerUser })),
  filter: Type.Optional(AnyObject),
  all: Type.Optional(Type.Literal(true)),
  presence: Type.Optional(Type.Boolean()),
  /** Whether the answer contains the current users; default true. */
  snapshot: Type.Optional(Type.Boolean()),
  /** Users per page of the snapshot. */
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.snapshotPageUsers })),
});
export type Sub = Static<typeof Sub>;

export const ConnectFrame = Type.Object({
  op: Type.Literal('connect'),
  id: RequestId,
  api_key: Type.Optional(Type.String()),
  /** Not needed by an anonymous client, which says so by its user id `!anon`. */
  token: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  /** Details of the token's own user, as `connectUser` sends them. */
  user: Type.Optional(AnyObject),
  /** The last position that the client has seen; all later events follow, or the answer says `resumed: false`. */
  resume: Type.Optional(Position),
  subs: Type.Optional(Type.Array(Sub, { maxItems: LIMITS.subsPerConnection })),
  /** Asks for only the newest state of each user in the catch-up: see the wire reference. Default: every event. */
  conflate: Type.Optional(Type.Boolean()),
  /** Server token only: the daemon keeps the position that this consumer acknowledged, and resumes from it. */
  durable: Type.Optional(Type.String({ pattern: '^[\\w.-]{1,64}$' })),
  dates: Type.Optional(Type.Union([Type.Literal('rfc3339'), Type.Literal('ns')])),
});
export type ConnectFrame = Static<typeof ConnectFrame>;

export const SubFrame = Type.Interface([Sub], { op: Type.Literal('sub'), id: RequestId });
export type SubFrame = Static<typeof SubFrame>;

/** The next page of a snapshot; `more` is the value from the previous page. */
export const PageFrame = Type.Object({ op: Type.Literal('page'), id: RequestId, sub: Type.String(), more: Type.String() });
export type PageFrame = Static<typeof PageFrame>;

export const UnsubFrame = Type.Object({ op: Type.Literal('unsub'), id: RequestId, sub: Type.String() });
export type UnsubFrame = Static<typeof UnsubFrame>;

/** A partial update of the own user, which `user_id` may repeat; with a server token, of `user_id`. */
export const UpdateFrame = Type.Object({
  op: Type.Literal('update'),
  id: RequestId,
  user_id: Type.Optional(Type.String()),
  set: Type.Optional(Type.Unknown()),
  unset: Type.Optional(Type.Unknown()),
});
export type UpdateFrame = Static<typeof UpdateFrame>;

/** Server token only; the users as in `POST /api/v2/users`. */
export const UpsertFrame = Type.Object({ op: Type.Literal('upsert'), id: RequestId, users: Type.Unknown() });
export type UpsertFrame = Static<typeof UpsertFrame>;

/** A new token of the same user, so that the connection outlives the old one. */
export const RefreshFrame = Type.Object({ op: Type.Literal('refresh'), id: RequestId, token: Type.String() });
export type RefreshFrame = Static<typeof RefreshFrame>;

/** For durable consumers: acknowledges everything up to this position. Not answered. */
export const AckFrame = Type.Object({ op: Type.Literal('ack'), id: RequestId, seq: Type.Integer({ minimum: 0 }) });
export type AckFrame = Static<typeof AckFrame>;

export const PingFrame = Type.Object({ op: Type.Literal('ping'), id: RequestId });
export type PingFrame = Static<typeof PingFrame>;

/** Every frame that a client may send, by its `op`. */
export const CLIENT_FRAMES = {
  connect: ConnectFrame,
  sub: SubFrame,
  page: PageFrame,
  unsub: UnsubFrame,
  update: UpdateFrame,
  upsert: UpsertFrame,
  refresh: RefreshFrame,
  ack: AckFrame,
  ping: PingFrame,
} as const;

export type ClientFrame =
  | ConnectFrame
  | SubFrame
  | PageFrame
  | UnsubFrame
  | UpdateFrame
  | UpsertFrame
  | RefreshFrame
  | AckFrame
  | PingFrame;
