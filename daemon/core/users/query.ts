/**
 * Runs a query over the directory in slices. Pure: the caller decides how long
 * a slice may take and yields to the event loop in between.
 *
 * Filters on ids, names and small teams use indexes, and pages in the order of ids begin at their place; any other query walks the users
 * and keeps only the page it needs, so a query over a million users holds one page.
 */

import { reachOf } from '../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import type { FieldReaders } from '../../../protocol/users/finding/field-readers.ts';
import { type FilterHints, filterHints } from '../../../protocol/users/finding/filter.ts';
import { fixedUnits, USER_UNITS, type WorkDone, WorkMeter } from '../../../protocol/users/finding/filter-cost.ts';
import { compileFilterOf, dependsOnPresence } from '../../../protocol/users/finding/filter-match.ts';
import { compareUsersOf, type QuerySpec } from '../../../protocol/users/finding/query.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';
import { STATE } from '../directory/records/record-bytes.ts';
import type { UserView } from '../directory/records/user-view.ts';
import { Page } from './page.ts';

/** Maximum number of users gathered from an index at once: a few milliseconds. */
const GATHERED_MAX = 10_000;
/** Users that a query looks at in the order of their ids before it walks over everyone. */
const ORDERED_USERS = 20_000;

/** Limits on what the caller may see, whatever the query asks for. */
export interface Visibility {
  /** The caller sees only users in one of these teams (with an empty list, only users without a team); absent: all users. */
  readonly teams?: readonly string[];
  readonly hiddenRoles?: ReadonlySet<string>;
}

/**
 * Yields the work that it did, every few users, what it did for users that the caller may not see apart; returns the page in order. `online` answers whether a user has a visible live
 * connection. The query may run over several turns of the event loop; each user is read in a state that it had meanwhile. Once `isGone`, nobody waits for the page, and it ends with what it has.
 */
export function* runQuery(
  directory: Directory,
  query: QuerySpec,
  online: (id: string) => boolean,
  visibility: Visibility = {},
  isGone: () => boolean = () => false,
): Generator<WorkDone, StoredUser[]> {
  const work = new WorkMeter();
  const hints = filterHints(query.filter);
  const isFound = queryTest(directory, query, hints, online, visibility, work);
  const some = candidates(directory, hints, query.includeDeleted);
  // Whether a page that an index could give is walked in order would depend on hidden users.
  if (Object.keys(hints).length === 0 && isById(query.sort) && directory.isIndexed) {
    const first = yield* firstById(directory, query, isFound, work, isGone);
    if (first !== undefined) return first.slice(query.offset).map((user) => directory.bytes.shown(user));
  }
  const compare = compareUsersOf(directory.bytes.fields, query.sort, work);
  const page = new Page<UserView>(query.sort, compare, (user) => user.copy(), query.offset + query.limit, work);
  for (const user of some ?? directory.bytes.views()) {
    if (work.isStep) {
      if (isGone()) return [];
      yield work.take();
    }
    if (isFound(user) && page.offer(user)) yield* page.cut();
  }
  const users = yield* page.cut();
  yield work.take();
  return users.slice(query.offset).map((user) => directory.bytes.shown(user));
}

type QueryTest = (record: UserView) => boolean;

/** Whether a record is a user that the query finds. Counts its work. */
function queryTest(
  directory: Directory,
  query: QuerySpec,
  hints: FilterHints,
  online: (id: string) => boolean,
  visibility: Visibility,
  work: WorkMeter,
): QueryTest {
  const matches = compileFilterOf(directory.bytes.fields, query.filter, work);
  const userUnits = USER_UNITS + fixedUnits(query.filter);
  const mayMatch = hintTest(directory.bytes.fields, hints);
  const isLimited = visibility.teams !== undefined || visibility.hiddenRoles !== undefined;
  const unseen = query.includeDeleted ? STATE.gone : STATE.gone | STATE.deleted;
  const unwanted = query.includeDeactivated ? 0 : STATE.deactivated;
  const hasRange = Object.keys(query.range).length > 0;
  const asksOnline = dependsOnPresence(query.filter);
  return (user) => {
    const { state } = user;
    // Whether an index is used depends on hidden users too: what it would leave out counts as they do.
    if ((state & unseen) !== 0 || (isLimited && !isVisible(visibility, user)) || mayMatch?.(user) === false) {
      work.unseen += USER_UNITS;
      return false;
    }
    work.units += userUnits;
    if ((state & unwanted) !== 0 || (hasRange && !inRange(query, user.id))) return false;
    return matches(user, asksOnline && online(user.id));
  };
}

/** Whether users come in the order of their ids, and not in the reverse one. */
function isById([first]: QuerySpec['sort']): boolean {
  return first?.field.kind === 'string' && first.field.name === 'id' && first.direction === 1;
}

/**
 * The first users in the order of ids, as far as the page goes. Undefined where too few of them are found soon: a walk over everyone then
 * costs less for each user. Only users that the caller may see count, so that its work does not depend on others.
 */
function* firstById(
  directory: Directory,
  { range, offset, limit }: QuerySpec,
  isFound: QueryTest,
  work: WorkMeter,
  isGone: () => boolean,
): Generator<WorkDone, UserView[] | undefined> {
  const users: UserView[] = [];
  const from = [range.gt ?? '', range.gte ?? ''].sort();
  let looked = 0;
  for (const user of directory.bytes.viewsOf(directory.order.from(from[1] ?? ''))) {
    if (work.isStep) {
      if (isGone()) return [];
      yield work.take();
    }
    if ((range.lt !== undefined && user.id >= range.lt) || (range.lte !== undefined && user.id > range.lte)) break;
    const before = work.units;
    if (isFound(user) && users.push(user.copy()) === offset + limit) break;
    if (work.units > before && ++looked === ORDERED_USERS) return undefined;
  }
  yield work.take();
  return users;
}

/** Whether a user is in everything that the filter names; all others do not match. Undefined when it names nothing. */
function hintTest(fields: FieldReaders<UserView>, { names, teams }: FilterHints): ((user: UserView) => boolean) | undefined {
  if (names === undefined && teams === undefined) return undefined;
  const isNamed = names && among(names);
  const isOfTeam = teams && among(teams);
  const isInTeams = isOfTeam && fields.byTeams((own) => own.some(isOfTeam));
  return (user) =>
    (isNamed === undefined || (user.name !== undefined && isNamed(user.name))) && (isInTeams === undefined || isInTeams(user));
}

function among([only, ...others]: readonly string[]): (text: string) => boolean {
  if (others.length === 0) return (text) => text === only;
  const all = new Set(others).add(only ?? '');
  return (text) => all.has(text);
}

/** May include deleted users. Undefined: everyone. */
function candidates(directory: Directory, { ids, names, teams }: FilterHints, includeDeleted: boolean): Iterable<UserView> | undefined {
  if (ids !== undefined) return existing(viewsOf(directory, new Set(ids)), includeDeleted);
  // Deleted users are in no index.
  if (includeDeleted || !directory.isIndexed) return undefined;
  const found =
    names !== undefined
      ? gathered(names, (name) => directory.lookup.names.rows(nameKey(name)))
      : teams !== undefined && areFew(directory, teams) && gathered(teams, (team) => directory.lookup.teams.rows(team));
  return found ? existing(directory.bytes.viewsOf(found), false) : undefined;
}

function* viewsOf(directory: Directory, ids: ReadonlySet<string>): Iterable<UserView> {
  for (const id of ids) {
    const user = directory.bytes.view(id);
    if (user !== undefined) yield user;
  }
}

/** A deleted user costs a query that does not ask for it nothing, like one that does not exist. */
function* existing(users: Iterable<UserView>, includeDeleted: boolean): Iterable<UserView> {
  for (const user of users) if (includeDeleted || (user.state & (STATE.gone | STATE.deleted)) === 0) yield user;
}

/** Most teams that a query walks past are big: that is known without gathering anybody. */
function areFew(directory: Directory, teams: readonly string[]): boolean {
  return teams.every((team) => directory.lookup.teams.count(team) <= GATHERED_MAX);
}

/** The rows of all keys, unless they are so many that gathering them would block the event loop and cost more than a walk over everyone. */
function gathered(keys: readonly string[], rowsOf: (key: string) => Iterable<number>): Set<number> | undefined {
  const rows = new Set<number>();
  for (const key of keys) {
    for (const row of rowsOf(key)) {
      rows.add(row);
      if (rows.size > GATHERED_MAX) return undefined;
    }
  }
  return rows;
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

export function isVisible({ teams, hiddenRoles }: Visibility, user: Pick<StoredUser, 'role' | 'teams'>): boolean {
  if (hiddenRoles?.has(user.role) === true) return false;
  if (teams === undefined) return true;
  return teams.length === 0 ? user.teams.length === 0 : user.teams.some((team) => teams.includes(team));
}
