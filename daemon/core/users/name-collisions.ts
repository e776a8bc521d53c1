/** Names that more than one user holds: what stands in the way of unique names when they are switched on. Pure. */
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Directory } from '../directory/directory.ts';

/** Collisions that are shown, and users shown of each. All are counted. */
const EXAMPLES_MAX = 100;
const IDS_SHOWN_MAX = 100;
/** Names, users and teams looked at between two looks at the clock: well below a millisecond. */
const STEP = 256;

export interface NameCollision {
  /** As one of the users writes it. */
  readonly name: string;
  /** The team within which it is held more than once, where names are unique within teams. */
  readonly team?: string;
  readonly user_ids: readonly string[];
  /** Users that hold it; `user_ids` names some of them when they are many. */
  readonly users: number;
}

export interface NameCollisions {
  /** Names held by more than one user; within teams, pairs of a name and a team. */
  readonly total: number;
  readonly examples: readonly NameCollision[];
}

interface Held {
  readonly ids: string[];
  users: number;
}

/**
 * Yields every so often, so that whoever drives it can give way to others. Every name is looked at as it is at that moment:
 * where new claims are refused already, nothing can be added to what is found.
 */
export function* nameCollisions(directory: Directory, scope: 'app' | 'team'): Generator<void, NameCollisions> {
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
  for (const [key, ids] of directory.names()) {
    if (++looked % STEP === 0) yield;
    if (typeof ids === 'string' || key === '') continue;
    const inApp = newHeld();
    const inTeams = new Map<string, Held>();
    for (const id of ids) {
      if (++looked % STEP === 0) yield;
      const user = directory.user(id);
      if (user === undefined) continue;
      if (scope === 'app') hold(inApp, id);
      else for (const team of teamsOf(user)) hold(heldIn(inTeams, team), id);
      if (user.teams.length > STEP / 8) yield;
    }
    if (inApp.users > 1) found(inApp);
    for (const [team, held] of inTeams) {
      if (++looked % STEP === 0) yield;
      if (held.users > 1) found(held, team);
    }
  }
  return { total, examples };
}

/** A team that is named twice is one team. */
function teamsOf({ teams }: StoredUser): Iterable<string> {
  return teams.length < 2 ? teams : new Set(teams);
}

function newHeld(): Held {
  return { ids: [], users: 0 };
}

function heldIn(teams: Map<string, Held>, team: string): Held {
  const known = teams.get(team) ?? newHeld();
  teams.set(team, known);
  return known;
}

function hold(held: Held, id: string): void {
  held.users++;
  if (held.ids.length < IDS_SHOWN_MAX) held.ids.push(id);
}
