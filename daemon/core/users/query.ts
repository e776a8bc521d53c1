/**
 * Runs a query over the directory in slices. Pure: the caller decides how long
 * a slice may take and yields to the event loop in between.
 *
 * Filters on ids, names and small teams use indexes; any other filter walks the users
 * and keeps only the page it needs, so a query over a million users holds one page.
 */

import { reachOf } from '../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { filterHints } from '../../../protocol/users/finding/filter.ts';
import { STEP_UNITS, USER_UNITS, workOf } from '../../../protocol/users/finding/filter-cost.ts';
import { compileFilter } from '../../../protocol/users/finding/filter-match.ts';
import { compareUsers, type QuerySpec } from '../../../protocol/users/finding/query.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';
import { isTombstone, type Tombstone } from '../directory/record.ts';

/** Users gathered beyond a page before the page is sorted anew, so that a sort by long texts takes no longer than a step may. */
const GATHERED_MAX = 512;

/** Maximum number of ids gathered from an index at once: a few milliseconds. */
const GATHERED_IDS = 10_000;

/** Limits on what the caller may see, whatever the query asks for. */
export interface Visibility {
  /** The caller sees only users in one of these teams (with an empty list, only users without a team); absent: all users. */
  readonly teams?: readonly string[];
  readonly hiddenRoles?: ReadonlySet<string>;
}

/**
 * Yields the units of work that it did, every few users; returns the page in order. `online` answers whether a user has a visible live
 * connection. The query may run over several turns of the event loop; each user is read in a state that it had meanwhile.
 */
export function* runQuery(
  directory: Directory,
  query: QuerySpec,
  online: (id: string) => boolean,
  visibility: Visibility = {},
): Generator<number, StoredUser[]> {
  const matches = compileFilter(query.filter);
  const unitsOf = workOf(query.filter);
  const compare = compareUsers(query.sort);
  const wanted = query.offset + query.limit;
  const page = new Page(compare, wanted);
  let units = 0;
  for (const user of candidates(directory, query)) {
    units += USER_UNITS;
    if (units >= STEP_UNITS) {
      yield units;
      units = 0;
    }
    if (isTombstone(user) || !isAlive(user)) continue;
    if (user.deactivated_at !== undefined && !query.includeDeactivated) continue;
    if (!inRange(query, user.id) || !isVisible(visibility, user)) continue;
    units += unitsOf(user);
    if (matches(user, online(user.id))) page.offer(user);
  }
  yield units;
  return page.sorted().slice(query.offset);
}

/** May include deleted users. A walk over everyone uses no generator here, which would cost it a good part of its time. */
function candidates(directory: Directory, { filter }: QuerySpec): Iterable<StoredUser | Tombstone> {
  const { ids, names, teams } = filterHints(filter);
  if (ids !== undefined) return known(directory, ids);
  if (!directory.isIndexed) return directory.records();
  const found =
    names !== undefined
      ? gathered(names, (name) => directory.idsByName(nameKey(name)))
      : teams !== undefined && areFew(directory, teams) && gathered(teams, (team) => directory.idsByTeam(team));
  return found ? known(directory, found) : directory.records();
}

function* known(directory: Directory, ids: Iterable<string>): Iterable<StoredUser> {
  for (const id of new Set(ids)) {
    const user = directory.user(id);
    if (user !== undefined) yield user;
  }
}

/** Most teams that a query walks past are big: that is known without gathering anybody. */
function areFew(directory: Directory, teams: readonly string[]): boolean {
  return teams.every((team) => directory.countInTeam(team) <= GATHERED_IDS);
}

/** The ids of all keys, unless they are so many that gathering them would block the event loop and cost more than a walk over everyone. */
function gathered(keys: readonly string[], idsOf: (key: string) => Iterable<string>): Set<string> | undefined {
  const ids = new Set<string>();
  for (const key of keys) {
    for (const id of idsOf(key)) {
      ids.add(id);
      if (ids.size > GATHERED_IDS) return undefined;
    }
  }
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
    if (this.#gathered.length >= this.#size + GATHERED_MAX) this.#cut();
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
