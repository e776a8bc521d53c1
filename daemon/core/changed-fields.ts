/** Which fields of a user a change touched: what its history, its webhooks and a plan tell. Pure. */
import { jsonEquals } from '../../protocol/json.ts';
import type { StoredUser } from '../../protocol/user.ts';

/** Every change moves these, and the memory of the stale-reconnect guard is nobody's business. */
const NOT_TOLD: ReadonlySet<string> = new Set(['id', 'rev', 'updated_at', 'sent', 'custom']);

/** Names of the fields that differ, custom data by its keys (`custom.book`), in the order of the record. */
export function changedFields(before: StoredUser, after: StoredUser): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof StoredUser>;
  const fields: string[] = [];
  for (const name of names) if (!NOT_TOLD.has(name) && !jsonEquals(before[name], after[name])) fields.push(name);
  if (before.custom === after.custom) return fields;
  for (const key of new Set([...Object.keys(before.custom), ...Object.keys(after.custom)])) {
    if (!jsonEquals(before.custom[key], after.custom[key])) fields.push(`custom.${key}`);
  }
  return fields;
}
