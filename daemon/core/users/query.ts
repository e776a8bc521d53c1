/**
 * Runs a query over the directory in slices. Pure: the caller decides how long
 * a slice may take and yields to the event loop in between.
 *
 * Filters on ids, names and small teams use indexes; any other filter walks the users
 * and keeps only the page it needs, so a query over a million users holds one page.
 */

import { reachOf } from '../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { filterHints } from '../../../protocol/users/filter.ts';
import { compileFilter } from '../../../protocol/users/filter-match.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import { compareUsers, type QuerySpec } from '../../../protocol/users/query.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';
import { isTombstone, type Tombstone } from '../directory/record.ts';

/** Users visited between two yields: about a tenth of a millisecond. */
const STEP_USERS = 256;

/** Users gathered beyond two pages before they are sorted. Few large sorts cost about as much per user as many small ones. */
const GATHERED_MIN = 1_024;

/** Maximum number of ids gathered from an index at once: a few milliseconds. */
const GATHERED_IDS = 10_000;

/** Limits on what the caller may see, whatever the query asks for. */
export interface Visibility {
  /** The caller sees only users in one of these teams (with an empty list, only users without a team); absent: all users. */
  readonly teams?: readonly string[];
  readonly hiddenRoles?: ReadonlySet<string>;
}

/**
 * Yields every few users without a value; returns the page in order. `online` answers whether a user has a visible live connection.
 * The query may run over several turns of the event loop; each user is read in a state that it had meanwhile.
 */
export function* runQuery(
  directory: Directory,
  query: QuerySpec,
  online: (id: string) => boolean,
  visibility: Visibility = {},
): Generator<void, StoredUser[]> {
  const matches = compileFilter(query.filter);
  const compare = compareUsers(query.sort);
  const wanted = query.offset + query.limit;
  const page = new Page(compare, wanted);
  let looked = 0;
  for (const user of candidates(directory, query)) {
    if (++looked % STEP_USERS === 0) yield;
    if (isTombstone(user) || !isAlive(user)) continue;
    if (user.deactivated_at !== undefined && !query.includeDeactivated) continue;
    if (!inRange(query, user.id) || !isVisible(visibility, user)) continue;
    if (matches(user, online(user.id))) page.offer(user);
  }
  return page.sorted().slice(query.offset);
}

/** May include deleted users. A walk over everyone uses no generator here, which would cost it a good part of its time. */
function candidates(directory: Directory, query: QuerySpec): Iterable<StoredUser | Tombstone> {
  const hints = filterHints(query.filter);
  if (hints.ids !== undefined) return known(directory, hints.ids);
  if (!directory.isIndexed) return directory.records();
  if (hints.names !== undefined) {
    return known(
      directory,
      unique(hints.names, (name) => directory.idsByName(nameKey(name))),
    );
  }
  if (hints.teams !== undefined && isWorthIt(directory, hints.teams)) {
    return known(
      directory,
      unique(hints.teams, (team) => directory.idsByTeam(team)),
    );
  }
  return directory.records();
}

/** Gathering the ids of a large team would block the event loop and cost more than a walk over everyone. */
function isWorthIt(directory: Directory, teams: readonly string[]): boolean {
  return teams.reduce((sum, team) => sum + directory.countInTeam(team), 0) <= GATHERED_IDS;
}

function* known(directory: Directory, ids: Iterable<string>): Iterable<StoredUser> {
  for (const id of new Set(ids)) {
    const user = directory.user(id);
    if (user !== undefined) yield user;
  }
}

function unique(keys: readonly string[], idsOf: (key: string) => Iterable<string>): Set<string> {
  const ids = new Set<string>();
  for (const key of keys) for (const id of idsOf(key)) ids.add(id);
  return ids;
}

function inRange({ range }: QuerySpec, id: string): boolean {
  return (
    (range.gt === undefined || id > range.gt) &&
    (range.gte === undefined || id >= range.gte) &&
    (range.lt === undefined || id < range.lt) &&
    (range.lte === undefined || id <= range.lte)
  );
}

/**
 * The limits on what a client finds: no users with roles that the application hides, and in a multi-tenant application only users of
 * the teams in which it may search. `nowhere`: it may search in no team, and so not at all.
 */
export function visibilityFor(app: AppSettings, searcher: StoredUser): Visibility | 'nowhere' {
  const teams = reachOf(app, searcher, 'search-user');
  if (teams === 'nowhere') return 'nowhere';
  const hidden = app.user_search_disallowed_roles ?? [];
  return {
    ...(teams === undefined ? undefined : { teams }),
    ...(hidden.length === 0 ? undefined : { hiddenRoles: new Set(hidden) }),
  };
}

export function isVisible({ teams, hiddenRoles }: Visibility, user: StoredUser): boolean {
  if (hiddenRoles?.has(user.role) === true) return false;
  if (teams === undefined) return true;
  return teams.length === 0 ? user.teams.length === 0 : user.teams.some((team) => teams.includes(team));
}

/**
 * The first `size` users in order, of any number offered. Users are gathered and cut back to the page now and then; after the
 * first cut, only users that sort before the last of the page are gathered. Users that come in reverse order, the usual case
 * of "newest first", cost two comparisons each.
 */
class Page {
  readonly #compare: (a: StoredUser, b: StoredUser) => number;
  readonly #size: number;
  #gathered: StoredUser[] = [];
  #last: StoredUser | undefined;

  constructor(compare: (a: StoredUser, b: StoredUser) => number, size: number) {
    this.#compare = compare;
    this.#size = size;
  }

  offer(user: StoredUser): void {
    if (this.#last !== undefined && this.#compare(user, this.#last) >= 0) return;
    this.#gathered.push(user);
    if (this.#gathered.length >= this.#size * 2 + GATHERED_MIN) this.#cut();
  }

  sorted(): StoredUser[] {
    this.#cut();
    return this.#gathered;
  }

  #cut(): void {
    this.#gathered = this.#gathered.sort(this.#compare).slice(0, this.#size);
    if (this.#gathered.length === this.#size) this.#last = this.#gathered.at(-1);
  }
}
