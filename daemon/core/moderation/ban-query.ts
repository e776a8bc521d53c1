/**
 * Lists bans, in slices: the caller decides how long a slice may take. It visits
 * only users with a ban, and holds only the requested page. Pure.
 */

import type { Micros } from '../../../protocol/base/time.ts';
import { type BanQuery, compareBans, type FoundBan, matchesBan } from '../../../protocol/moderation/ban-query.ts';
import type { Ban, StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';

/** Bans, and users without one, looked at between two yields. */
const STEP = 256;

export interface BanPage {
  readonly bans: readonly FoundBan[];
  /** Matches on all pages. */
  readonly total: number;
}

/** `mayShow` answers whether the caller may know of the ban of a user. Yields now and then without a value. */
export function* runBanQuery(
  directory: Pick<Directory, 'user' | 'bans'>,
  query: BanQuery,
  now: Micros,
  mayShow: (user: StoredUser, ban: Ban) => boolean = () => true,
): Generator<undefined, BanPage> {
  const compare = compareBans(query.sort);
  const wanted = query.offset + query.limit;
  let first: FoundBan[] = [];
  let total = 0;
  let looked = 0;
  for (const id of namedUsers(query) ?? directory.bans.ids()) {
    const user = directory.user(id);
    looked += 1 + (user?.bans?.length ?? 0);
    if (looked >= STEP) {
      yield;
      looked = 0;
    }
    if (user?.bans === undefined) continue;
    for (const ban of user.bans) {
      const found = { userId: id, ban };
      if (!matchesBan(query, found, now) || !mayShow(user, ban)) continue;
      total++;
      first.push(found);
    }
    // Sorted and cut now and then, so that each ban is compared a few times and the list stays about as long as the page.
    if (first.length > wanted + STEP) first = first.sort(compare).slice(0, wanted);
  }
  return { bans: first.sort(compare).slice(query.offset, wanted), total };
}

/** The users that the query is limited to; undefined when it names none. */
function namedUsers({ tests }: BanQuery): Iterable<string> | undefined {
  const test = tests.find(({ field, op }) => field === 'user_id' && (op === '$eq' || op === '$in'));
  return test === undefined ? undefined : new Set(test.values.filter((value) => typeof value === 'string'));
}
