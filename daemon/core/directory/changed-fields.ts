/** Which fields of a user a change touched: what its history, its webhooks and a plan tell. Pure. */
import { jsonEquals } from '../../../protocol/base/json.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Every change moves these, and the memory of the stale-reconnect guard is nobody's business. */
const NOT_TOLD: ReadonlySet<string> = new Set(['id', 'rev', 'updated_at', 'sent', 'custom']);
const NONE: ReadonlySet<string> = new Set();

/** Names of the fields that differ, custom data by its keys (`custom.book`), in the order of the record. */
export function changedFields(before: StoredUser, after: StoredUser): string[] {
  const fields = differing(before as Fields, after as Fields, NOT_TOLD);
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
    // What is the same needs no second look; most of it is.
    if (before[name] !== after[name] && !ignored.has(name) && !Object.hasOwn(before, name)) names.push(name);
  }
  return names;
}
