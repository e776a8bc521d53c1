/** One feed follows another. Its id is `source>target`. Pure. */

import Type, { type Static } from 'typebox';
import { MicrosField } from '../base/schemas.ts';

export const Follow = Type.Object({ source: Type.String(), target: Type.String(), created_at: MicrosField });

export type Follow = Static<typeof Follow>;

/** Makes a feed follow another, or ends that. Where there is nothing to do, it is no error. Both are names of feeds, such as `user:ann`. */
export interface FollowCommand {
  readonly kind: 'follow' | 'unfollow';
  readonly source: string;
  readonly target: string;
}
