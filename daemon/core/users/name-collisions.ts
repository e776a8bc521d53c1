/** Names that more than one user holds, which are reported when unique names are switched on. Pure. */
import { NAME_KEY_VERSION, nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';
import { livingView } from '../directory/records/user-view.ts';

/** Maximum number of collisions shown, and of users shown for each. All are counted. */
const EXAMPLES_MAX = 100;
const IDS_SHOWN_MAX = 100;
/** Names, users and teams visited between two yields: well below a millisecond. */
const STEP = 256;

export interface NameCollision {
  /** In the spelling of one of the users. */
  readonly name: string;
  /** The team in which several users hold the name, where names are unique within teams. */
  readonly team?: string;
  readonly user_ids: readonly string[];
  /** Number of users that hold the name; `user_ids` lists only some when they are many. */
  readonly users: number;
}

export interface NameCollisions {
  /** Number of names held by more than one user; within teams, of pairs of name and team. */
  readonly total: number;
  /** In the order of their names. */
  readonly examples: readonly NameCollision[];
}

interface Held {
  readonly ids: string[];
  users: number;
}

/** The users that hold one name. */
interface Holders {
  readonly inApp: Held;
  readonly inTeams: Map<string, Held>;
}

/**
 * Yields now and then, so that the caller can give way to others. Each name is read as it is at that moment: once new claims are
 * refused, no collision can be added.
 */
export function* nameCollisions(directory: Directory, scope: 'app' | 'team'): Generator<undefined, NameCollisions> {
  while (directory.indexStep()) yield;
  const examples: NameCollision[] = [];
  let total = 0;
  let looked = 0;
  const found = (held: Held, team?: string) => {
    total++;
    if (examples.length >= EXAMPLES_MAX) return;
    const name = directory.user(held.ids[0] ?? '')?.name ?? '';
    examples.push({ name, ...(team === undefined ? undefined : { team }), user_ids: held.ids, users: held.users });
  };
  for (const rows of directory.lookup.names.all()) {
    if (++looked % STEP === 0) yield;
    if (rows === undefined) continue;
    const holders = new Map<string, Holders>();
    for (const row of rows) {
      if (++looked % STEP === 0) yield;
      const user = livingView(directory.bytes.viewOf(row));
      const key = nameKey(user?.name ?? '');
      if (user === undefined || key === '') continue;
      const { id } = user;
      const { inApp, inTeams } = valueIn(holders, key, newHolders);
      if (scope === 'app') hold(inApp, id);
      else for (const team of teamsOf(user)) hold(valueIn(inTeams, team, newHeld), id);
      if (user.teams.length > STEP / 8) yield;
    }
    for (const { inApp, inTeams } of holders.values()) {
      if (inApp.users > 1) found(inApp);
      for (const [team, held] of inTeams) {
        if (++looked % STEP === 0) yield;
        if (held.users > 1) found(held, team);
      }
    }
  }
  return { total, examples: examples.sort((one, other) => (one.name < other.name ? -1 : 1)) };
}

/**
 * Indexes the names that were loaded. When they were last compared by keys of another version, also returns the names that several
 * users hold now, if there are any; once there are none, the version is current.
 */
export function* indexNames(directory: Directory): Generator<undefined, NameCollisions | undefined> {
  while (directory.indexStep()) yield;
  if (directory.nameKeyVersion === NAME_KEY_VERSION) return undefined;
  const scope = directory.app.enforce_unique_usernames;
  const found = scope === 'no' ? undefined : yield* nameCollisions(directory, scope);
  if (found !== undefined && found.total > 0) return found;
  directory.nameKeyVersion = NAME_KEY_VERSION;
  return undefined;
}

/** The teams of the user, each once. */
function teamsOf({ teams }: StoredUser): Iterable<string> {
  return teams.length < 2 ? teams : new Set(teams);
}

function newHeld(): Held {
  return { ids: [], users: 0 };
}

function newHolders(): Holders {
  return { inApp: newHeld(), inTeams: new Map() };
}

function valueIn<Value>(values: Map<string, Value>, key: string, make: () => Value): Value {
  const value = values.get(key) ?? make();
  values.set(key, value);
  return value;
}

function hold(held: Held, id: string): void {
  held.users++;
  if (held.ids.length < IDS_SHOWN_MAX) held.ids.push(id);
}
