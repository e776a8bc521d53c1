/** The ids of living users by name and by team. Pure. */
import { nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Multimap } from './multimap.ts';

export class LookupIndex {
  readonly names = new Multimap<string>();
  readonly teams = new Multimap<string>();

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    const id = after?.id ?? before?.id ?? '';
    if (before?.name !== after?.name) {
      if (before?.name !== undefined) this.names.remove(nameKey(before.name), id);
      if (after?.name !== undefined) this.names.add(nameKey(after.name), id);
    }
    if (before?.teams === after?.teams) return;
    // A team that stays keeps its entry, so that a walk over the team meanwhile does not meet the user twice.
    for (const team of before?.teams ?? []) if (after?.teams.includes(team) !== true) this.teams.remove(team, id);
    for (const team of after?.teams ?? []) this.teams.add(team, id);
  }

  /** The ids of users with this name, or of the members of these teams, whichever are fewer. */
  ofNameOrTeams(key: string, teams: readonly string[]): Iterable<string> {
    const members = teams.reduce((sum, team) => sum + this.teams.count(team), 0);
    if (members >= this.names.count(key)) return this.names.get(key);
    return teams.flatMap((team) => [...this.teams.get(team)]);
  }
}
