/** What the clients of a role may do, and the change of it. Pure. */
import { isGranted, PERMISSIONS } from '../../../protocol/access/permissions.ts';
import { type ApiCall, type JsonRecord, updateApp } from '../talk/api-call.ts';

export interface ShownPermission {
  readonly id: string;
  readonly description: string;
}

/** Of the settings of the application, as far as they decide about roles. */
export interface GrantSettings {
  readonly grants: Readonly<Record<string, readonly string[]>>;
  readonly isUnchecked: boolean;
  readonly permissions: readonly ShownPermission[];
}

/** `app`: an answer of GetApp; `listed`: one of ListPermissions. */
export function grantSettingsOf(app: unknown, listed: unknown): GrantSettings {
  const { grants, disable_permissions_checks } = Object(app) as JsonRecord;
  const permissions = Array.isArray(listed)
    ? listed.map(({ id, description }) => ({ id: String(id), description: String(description ?? '') }))
    : [];
  return { grants: Object(grants), isUnchecked: disable_permissions_checks === true, permissions };
}

/** The permissions of a role, and whether the application set them in place of the built-in ones. */
export function grantsOf(role: string, { grants }: GrantSettings): { readonly ids: readonly string[]; readonly isSet: boolean } {
  const own = Object.hasOwn(grants, role) ? grants[role] : undefined;
  if (own !== undefined) return { ids: own, isSet: true };
  return { ids: [...PERMISSIONS.keys()].filter((id) => isGranted({ enforce_unique_usernames: 'no' }, role, id)), isSet: false };
}

/** `ids`: null restores the built-in permissions. `tag`: the revision of the settings that were looked at. */
export function grantsCall(role: string, ids: readonly string[] | null, tag: string | undefined): ApiCall {
  return updateApp({ grants: { [role]: ids } }, tag);
}

/** What a change of permissions means, in sentences. */
export function grantsSay(role: string, before: readonly string[], after: readonly string[]): readonly string[] {
  const added = after.filter((id) => !before.includes(id));
  const lost = before.filter((id) => !after.includes(id));
  if (added.length + lost.length === 0) return ['Nothing is different.'];
  return [
    ...(added.length === 0 ? [] : [`Clients of users with the role ${role} may then also: ${added.join(', ')}.`]),
    ...(lost.length === 0 ? [] : [`They may no longer: ${lost.join(', ')}.`]),
    'It counts from their next request on. Servers may do everything, whatever is set here.',
  ];
}
