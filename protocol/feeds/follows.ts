/** One feed follows another. Its id is `source>target`. Pure. */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { QueryFlag, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, presentFields, type QueryFields } from '../base/reading.ts';
import { MicrosField } from '../base/schemas.ts';
import { parseFeedName } from './feed-name.ts';

/** The place of an activity in the order of feeds. */
const Place = Type.Object({ time: MicrosField, id: Type.String() });

export const Follow = Type.Object({
  source: Type.String(),
  target: Type.String(),
  created_at: MicrosField,
  /** The source shows the activities of the target after this one; absent: all of them. */
  since: Type.Optional(Place),
  /** The feeds parted at this time, and the source keeps the activities from before it. */
  ended_at: Type.Optional(MicrosField),
});

export type Follow = Static<typeof Follow>;

/** Makes a feed follow another. Where it follows it already, it is no error. Both are names of feeds, such as `user:ann`. */
export interface FollowCommand {
  readonly kind: 'follow';
  readonly source: string;
  readonly target: string;
  readonly since?: Follow['since'];
}

/** Ends that. Where there is nothing to end, it is no error. */
export interface UnfollowCommand {
  readonly kind: 'unfollow';
  readonly source: string;
  readonly target: string;
  /** The source keeps showing what it has of the target. */
  readonly keepsHistory?: boolean;
}

/** Clients send further fields, such as a token for the target: they are ignored. */
export const FollowBody = Type.Object({
  target: Type.String(),
  activity_copy_limit: Type.Optional(
    Type.Integer({ minimum: 0, maximum: LIMITS.activityCopies, description: 'existing activities of the target to show' }),
  ),
});
const bodyCheck = Compile(FollowBody);

/** `POST feed/{slug}/{id}/follows/`. Throws RosterError `input`. */
export function decodeFollow(source: string, body: unknown): { readonly target: string; readonly copies: number } {
  const { target, activity_copy_limit = LIMITS.activityCopiesDefault } = checked(bodyCheck, presentFields(bodyObject(body)));
  const { text } = parseFeedName(target, 'target');
  if (text === source) throw fieldErrors('input', [{ path: 'target', message: 'a feed cannot follow itself' }]);
  return { target: text, copies: activity_copy_limit };
}

export const UnfollowQuery = Type.Object({ keep_history: QueryFlag });
const readUnfollow = queryReader(UnfollowQuery);

/** `DELETE feed/{slug}/{id}/follows/{target}/`. Throws RosterError `input`. */
export function decodeUnfollow(source: string, target: string, query: QueryFields): UnfollowCommand {
  const { keep_history: keepsHistory = false } = readUnfollow(query);
  return { kind: 'unfollow', source, target: parseFeedName(target, 'target').text, keepsHistory };
}
