/**
 * Multi-tenancy: teams as walls between the users of one application. Off (the
 * default), teams are labels and everyone sees everyone. On, a client sees the
 * users of its own teams, and one without a team those without one. Servers see everyone. Pure.
 */
import type { AppSettings } from '../app/settings.ts';
import type { StoredUser } from '../users/user.ts';
import { isGranted } from './permissions.ts';

export function isMultiTenant(app: AppSettings): boolean {
  return app.multi_tenant_enabled === true;
}

/** The role that a user has in a team: of its own in that team where the application is multi-tenant, else the user's. */
export function roleIn(app: AppSettings, { role, teams_role: roles }: StoredUser, team: string | undefined): string {
  if (!isMultiTenant(app) || team === undefined || roles === undefined || !Object.hasOwn(roles, team)) return role;
  return roles[team] ?? role;
}

/**
 * The teams in which a client may do `action` to others: undefined when it may do it to everyone, an empty list when to those
 * without a team only, and `nowhere` when it may not at all.
 */
export function reachOf(app: AppSettings, user: StoredUser, action: string): readonly string[] | undefined | 'nowhere' {
  if (!isMultiTenant(app)) return isGranted(app, user.role, action) ? undefined : 'nowhere';
  if (user.teams.length === 0) return isGranted(app, user.role, action) ? [] : 'nowhere';
  const teams = user.teams.filter((team) => isGranted(app, roleIn(app, user, team), action));
  return teams.length === 0 ? 'nowhere' : teams;
}

/** Whether a client may know of another user. Everyone knows of itself. */
export function isInSight(app: AppSettings, viewer: Pick<StoredUser, 'id' | 'teams'>, other: Pick<StoredUser, 'id' | 'teams'>): boolean {
  if (!isMultiTenant(app) || viewer.id === other.id) return true;
  return viewer.teams.length === 0 ? other.teams.length === 0 : other.teams.some((team) => viewer.teams.includes(team));
}
