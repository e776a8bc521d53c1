/** The rows of living users by name and by team. Pure. */
import { nameKey } from '../../../../protocol/users/names.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { HashKey } from '../keyed-hash.ts';
import { KeyRows } from './key-rows.ts';
import { TeamRows } from './team-rows.ts';

export class LookupIndex {
  readonly names: KeyRows;
  readonly teams: TeamRows;

  /** `hashKey`: nobody who does not know it can choose names or teams that share a hash. */
  constructor(hashKey: HashKey) {
    this.names = new KeyRows(hashKey);
    this.teams = new TeamRows(hashKey);
  }

  /** `before` and `after` are the living user of this row, or undefined. */
  changed(row: number, before: StoredUser | undefined, after: StoredUser | undefined): void {
    const [oldName, name] = [before?.name, after?.name];
    if (oldName !== name) {
      if (oldName !== undefined) this.names.remove(nameKey(oldName), row);
      if (name !== undefined) this.names.add(nameKey(name), row);
    }
    const [oldTeams, teams] = [before?.teams, after?.teams];
    if (oldTeams === teams) return;
    for (const team of oldTeams ?? []) if (teams?.includes(team) !== true) this.teams.remove(team, row);
    for (const team of teams ?? []) this.teams.add(team, row);
  }

  /** The rows of users with this name, or of the members of these teams, whichever are fewer. */
  *ofNameOrTeams(key: string, teams: readonly string[]): Generator<number, void> {
    const members = teams.reduce((sum, team) => sum + this.teams.count(team), 0);
    if (members >= this.names.count(key)) yield* this.names.rows(key);
    else for (const team of teams) yield* this.teams.rows(team);
  }
}
