/** The question what a connection that resumes would be sent, and its answer. It is asked over HTTP, and changes nothing. */
import Type, { type Static } from 'typebox';
import { LIMITS } from '../base/limits.ts';
import { Position } from '../base/position.ts';
import { Sub } from './client-frames.ts';

/** As in a `connect` frame. */
export const RehearseBody = Type.Object({
  resume: Position,
  subs: Type.Array(Sub, { minItems: 1, maxItems: LIMITS.subsPerConnection }),
  conflate: Type.Optional(Type.Boolean()),
  /** The user whose client resumes. Default: a server. */
  user_id: Type.Optional(Type.String()),
});
export type RehearseBody = Static<typeof RehearseBody>;

const RehearsedEvent = Type.Object({ seq: Type.Integer(), type: Type.String(), user_id: Type.Union([Type.String(), Type.Null()]) });

/** Why a resume would go on, or begin anew. */
const RehearsalReason = Type.Union([
  Type.Literal('up_to_date'),
  Type.Literal('kept'),
  Type.Literal('trimmed'),
  Type.Literal('other_epoch'),
  Type.Literal('never_given'),
  Type.Literal('sight_changed'),
  Type.Literal('not_remembered'),
]);

export const RehearseAnswer = Type.Object({
  /** Where the directory is. */
  position: Position,
  result: Type.Union([Type.Literal('nothing'), Type.Literal('events'), Type.Literal('snapshot')]),
  reason: RehearsalReason,
  /** The reason in words. */
  text: Type.String(),
  /** Absent for a snapshot. */
  events: Type.Optional(
    Type.Object({
      count: Type.Integer(),
      /** As they go over a WebSocket, not compressed. */
      bytes: Type.Integer(),
      first: Type.Optional(RehearsedEvent),
      last: Type.Optional(RehearsedEvent),
      by_type: Type.Record(Type.String(), Type.Integer()),
      /** Everything up to here was looked at. `is_whole`: that is all. */
      up_to: Type.Integer(),
      is_whole: Type.Boolean(),
    }),
  ),
  /** Users in the snapshot of each subscription; only for a snapshot. */
  snapshot: Type.Optional(Type.Array(Type.Object({ sub: Type.String(), users: Type.Integer() }))),
  /** Whether it is also told who is online. */
  presence: Type.Boolean(),
  /** How far back a resume reaches now. */
  retention: Type.Object({
    after: Type.Integer(),
    changes: Type.Integer(),
    hours: Type.Union([Type.Number(), Type.Null()]),
    bytes: Type.Union([Type.Integer(), Type.Null()]),
    /** Clients that may see only some users resume only from here on, at this node. */
    in_memory_after: Type.Integer(),
  }),
  /** The settings that decide that; 0: no limit. `needed`: about what the asked position would have needed, where that can be known. */
  settings: Type.Array(
    Type.Object({ key: Type.String(), value: Type.Number(), needed: Type.Union([Type.Number(), Type.Null()]), is_enough: Type.Boolean() }),
  ),
});
export type RehearseAnswer = Static<typeof RehearseAnswer>;
