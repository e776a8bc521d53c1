/**
 * Unique names. A write claims a name when it sets one that differs from the
 * stored one, or, where names are unique within teams, when it adds the user
 * to a team. Only claims are checked: users that shared a name before names had to be unique keep it.
 *
 * A request is one write, so its claims are judged by its final result: two users of one batch may swap their names,
 * and a name that one of them gives up is free for another, in any order. Pure.
 */
import { nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { type Problem, problem } from '../problems.ts';

export interface NameClaim {
  /** Path of the user in the request, such as `users[ann]`. */
  readonly path: string;
  readonly before: StoredUser | undefined;
  readonly after: StoredUser;
}

/** The problems with the names of users that are staged already. When two users of the batch want one name, the later one is at fault. */
export function checkNames(draft: Draft, claims: readonly NameClaim[]): Problem[] {
  const scope = draft.app.enforce_unique_usernames;
  if (scope === 'no') return [];
  const places = claims.map((claim) => ({ claim, ground: groundOf(scope, claim) }));
  const byId = new Map(places.map((place, index) => [place.claim.after.id, { ...place, index }]));
  const problems: Problem[] = [];
  for (const [index, { claim, ground }] of places.entries()) {
    const { name, id } = claim.after;
    const key = name === undefined || ground === undefined ? '' : nameKey(name);
    if (key === '' || ground === undefined) continue;
    for (const holder of draft.holders(key, ground === 'app' ? undefined : ground)) {
      if (holder.id === id || !isOn(ground, holder)) continue;
      const other = byId.get(holder.id);
      if (other !== undefined && other.index > index && isOn(other.ground, claim.after)) continue;
      problems.push(problem('duplicate_username', `${claim.path}.name`, `duplicate username: "${name}" is already taken`));
      break;
    }
  }
  return problems;
}

/** Where the claimed name must be free: in the whole application, or in these teams. Undefined when nothing is claimed. */
type Ground = 'app' | readonly string[] | undefined;

function groundOf(scope: 'app' | 'team', { before, after }: NameClaim): Ground {
  const isNewName = before === undefined || before.name !== after.name;
  if (scope === 'app') return isNewName ? 'app' : undefined;
  return isNewName ? after.teams : after.teams.filter((team) => !before.teams.includes(team));
}

function isOn(ground: Ground, { teams }: StoredUser): boolean {
  return ground === 'app' || (ground !== undefined && teams.some((team) => ground.includes(team)));
}
