/**
 * Runs a query over the directory in slices. Pure: whoever drives it decides
 * how long a slice may take and yields to the event loop in between.
 *
 * Ids and names are answered from indexes; any other filter walks the users and
 * keeps only the page it needs, so a query over a million users holds a page.
 */
import { filterHints } from '../../protocol/filter.ts';
import { compileFilter } from '../../protocol/filter-match.ts';
import { nameKey } from '../../protocol/names.ts';
import { compareUsers, type QuerySpec } from '../../protocol/query-spec.ts';
import type { StoredUser } from '../../protocol/user.ts';
import type { Directory } from './directory.ts';

/** Users looked at between two looks at the clock: about a tenth of a millisecond. */
const STEP_USERS = 256;

/** What the caller may see, beyond what it asked for. */
export interface Visibility {
  /** Users it can see only if they share one of these teams (or have none, when the list is empty); absent: all. */
  readonly teams?: readonly string[];
  readonly hiddenRoles?: ReadonlySet<string>;
}

/**
 * Yields every few users without a value; returns the page in order. `online` tells who has a visible live connection.
 * The generator may be driven over several turns of the event loop; each user is seen in a state it had meanwhile.
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
    if (user.deactivated_at !== undefined && !query.includeDeactivated) continue;
    if (!inRange(query, user.id) || !isVisible(visibility, user)) continue;
    if (matches(user, online(user.id))) page.offer(user);
  }
  return page.sorted().slice(query.offset);
}

function* candidates(directory: Directory, query: QuerySpec): Iterable<StoredUser> {
  const hints = filterHints(query.filter);
  if (hints.ids !== undefined) yield* known(directory, hints.ids);
  else if (!directory.isIndexed) yield* directory.users();
  else if (hints.names !== undefined)
    yield* known(
      directory,
      unique(hints.names, (name) => directory.idsByName(nameKey(name))),
    );
  else if (hints.teams !== undefined)
    yield* known(
      directory,
      unique(hints.teams, (team) => directory.idsByTeam(team)),
    );
  else yield* directory.users();
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

function isVisible({ teams, hiddenRoles }: Visibility, user: StoredUser): boolean {
  if (hiddenRoles?.has(user.role) === true) return false;
  if (teams === undefined) return true;
  return teams.length === 0 ? user.teams.length === 0 : user.teams.some((team) => teams.includes(team));
}

/** The first `size` users in order, of any number offered: a binary heap with the last of them on top. */
class Page {
  readonly #compare: (a: StoredUser, b: StoredUser) => number;
  readonly #size: number;
  readonly #heap: StoredUser[] = [];

  constructor(compare: (a: StoredUser, b: StoredUser) => number, size: number) {
    this.#compare = compare;
    this.#size = size;
  }

  offer(user: StoredUser): void {
    const top = this.#heap[0];
    if (this.#heap.length < this.#size) {
      this.#heap.push(user);
      this.#siftUp(this.#heap.length - 1);
    } else if (top !== undefined && this.#compare(user, top) < 0) {
      this.#heap[0] = user;
      this.#siftDown();
    }
  }

  sorted(): StoredUser[] {
    return [...this.#heap].sort(this.#compare);
  }

  #isAfter(a: number, b: number): boolean {
    const left = this.#heap[a];
    const right = this.#heap[b];
    return left !== undefined && right !== undefined && this.#compare(left, right) > 0;
  }

  #swap(a: number, b: number): void {
    const left = this.#heap[a];
    const right = this.#heap[b];
    if (left === undefined || right === undefined) return;
    this.#heap[a] = right;
    this.#heap[b] = left;
  }

  #siftUp(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isAfter(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #siftDown(): void {
    for (let at = 0; ; ) {
      const left = at * 2 + 1;
      let last = at;
      if (this.#isAfter(left, last)) last = left;
      if (this.#isAfter(left + 1, last)) last = left + 1;
      if (last === at) return;
      this.#swap(at, last);
      at = last;
    }
  }
}
