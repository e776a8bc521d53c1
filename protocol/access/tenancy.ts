/**
 * Multi-tenancy: teams as walls between the users of one application. Off (the
 * default): teams are labels, and everyone sees everyone. On: a client sees the users
 * of its own teams; a client without a team sees users without a team. Servers see everyone. Pure.
 */
import type { AppSettings } from '../app/settings.ts';
import type { StoredUser } from '../users/user.ts';
import { isGranted } from './permissions.ts';

export function isMultiTenant(app: AppSettings): boolean {
  return app.multi_tenant_enabled === true;
}

/** The role of a user in a team: its role for that team in a multi-tenant application, otherwise its general role. */
export function roleIn(app: AppSettings, { role, teams_role: roles }: StoredUser, team: string | undefined): string {
  if (!isMultiTenant(app) || team === undefined || roles === undefined || !Object.hasOwn(roles, team)) return role;
  return roles[team] ?? role;
}

/**
 * The teams in which a client may do `action` to others: undefined when it may do so to everyone, an empty list when only to
 * those without a team, and `nowhere` when it may not at all.
 */
export function reachOf(app: AppSettings, user: StoredUser, action: string): readonly string[] | undefined | 'nowhere' {
  if (!isMultiTenant(app)) return isGranted(app, user.role, action) ? undefined : 'nowhere';
  if (user.teams.length === 0) return isGranted(app, user.role, action) ? [] : 'nowhere';
  const teams = user.teams.filter((team) => isGranted(app, roleIn(app, user, team), action));
  return teams.length === 0 ? 'nowhere' : teams;
}

/** Whether a client may see another user. Everyone sees itself. */
export function isInSight(app: AppSettings, viewer: Pick<StoredUser, 'id' | 'teams'>, other: Pick<StoredUser, 'id' | 'teams'>): boolean {
  if (!isMultiTenant(app) || viewer.id === other.id) return true;
  return viewer.teams.length === 0 ? other.teams.length === 0 : other.teams.some((team) => viewer.teams.includes(team));
}
