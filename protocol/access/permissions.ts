/**
 * The actions that a client may do, by the role of its user. A server token may
 * do everything and is not checked. Pure.
 *
 * A permission is named by its id, such as `search-user`. The built-in grants
 * below apply until the application sets grants for a role
 * (`grants` of the app settings); that role then has exactly those permissions.
 */
import type { AppSettings } from '../app/settings.ts';

export interface Permission {
  /** Its name in grants. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Its name in errors. */
  readonly action: string;
  readonly level: 'app' | 'channel';
  /** Applies only to the caller's own objects. */
  readonly owner: boolean;
}

type Row = readonly [id: string, action: string, level: Permission['level'], description: string];

const ROWS: readonly Row[] = [
  ['ban-user', 'BanUser', 'app', 'Bans and unbans users'],
  ['block-user', 'BlockUser', 'app', 'Blocks and unblocks users for oneself'],
  ['create-channel', 'CreateChannel', 'channel', 'Creates channels; for the service that owns them'],
  ['flag-user', 'FlagUser', 'app', 'Reports users, and takes own reports back'],
  ['mute-user', 'MuteUser', 'app', 'Mutes and unmutes users for oneself'],
  ['read-channel', 'ReadChannel', 'channel', 'Reads channels; for the service that owns them'],
  ['read-flag-reports', 'ReadFlagReports', 'app', 'Reads reports about users'],
  ['search-user', 'SearchUser', 'app', 'Finds users'],
  ['update-flag-reports', 'UpdateFlagReports', 'app', 'Settles reports about users'],
  ['update-user-owner', 'UpdateUser', 'app', 'Changes the own user'],
  ['update-user-teams', 'UpdateUserTeams', 'app', 'Changes the teams of the own user'],
];

/** The built-in permissions, ordered by id. They are fixed; those that the application makes are in app/custom-permissions.ts. */
export const PERMISSIONS: ReadonlyMap<string, Permission> = new Map(
  ROWS.map(([id, action, level, description]) => [id, { id, name: nameOf(id), description, action, level, owner: id.endsWith('-owner') }]),
);

/** `search-user` → `Search User`. */
function nameOf(id: string): string {
  return id
    .split('-')
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join(' ');
}

const NONE: ReadonlySet<string> = new Set();
const MEMBER: ReadonlySet<string> = new Set(['search-user', 'update-user-owner', 'flag-user', 'mute-user', 'block-user']);
const MODERATOR: ReadonlySet<string> = new Set([...MEMBER, 'ban-user', 'read-flag-reports', 'update-flag-reports']);

/** Roles whose grants differ from those of `user`. */
const BUILT_IN_GRANTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['anonymous', NONE],
  ['moderator', MODERATOR],
  ['global_moderator', MODERATOR],
  ['admin', MODERATOR],
  ['global_admin', MODERATOR],
]);

/**
 * Whether users of this role may do this; `action` is the id of a permission. A role for which the application set no grants, such as
 * a new custom role, has those of `user`. `disable_permissions_checks` grants all. No grant lets a client change a role: only servers can.
 */
export function isGranted(app: AppSettings, role: string, action: string): boolean {
  if (app.disable_permissions_checks === true) return true;
  // A role may have the name of a property that every object inherits.
  const granted = app.grants !== undefined && Object.hasOwn(app.grants, role) ? app.grants[role] : undefined;
  return granted === undefined ? (BUILT_IN_GRANTS.get(role) ?? MEMBER).has(action) : granted.includes(action);
}
