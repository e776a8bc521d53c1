/** The fields of a user that a change touched, as history, webhooks and plans name them. Pure. */
import { jsonEquals } from '../../../protocol/base/json.ts';
import { sameTeams } from '../../../protocol/users/teams.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Not reported: every change moves these fields, `sent` and the marks of a sync are never shown, and `custom` is compared by key.
 */
const NOT_TOLD: ReadonlySet<string> = new Set(['id', 'rev', 'updated_at', 'sent', 'deactivated_by_sync', 'deleted_by_sync', 'custom']);
const NONE: ReadonlySet<string> = new Set();

/** Names of the fields that differ, custom data by its keys (`custom.book`), in the order of the record. */
export function changedFields(before: StoredUser, after: StoredUser): string[] {
  const same = before.teams === after.teams || !sameTeams(before.teams, after.teams) ? after : { ...after, teams: before.teams };
  const fields = differing(before as Fields, same as Fields, NOT_TOLD);
  if (before.custom === after.custom) return fields;
  for (const key of differing(before.custom, after.custom, NONE)) fields.push(`custom.${key}`);
  return fields;
}

function differing(before: Fields, after: Fields, ignored: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (const name of Object.keys(before)) {
    const [was, is] = [before[name], after[name]];
    if (was !== is && !ignored.has(name) && !jsonEquals(was, is)) names.push(name);
  }
  for (const name of Object.keys(after)) {
    // Most values are identical; comparing them first avoids the slower checks.
    if (before[name] !== after[name] && !ignored.has(name) && !Object.hasOwn(before, name)) names.push(name);
  }
  return names;
}
