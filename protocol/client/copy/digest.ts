/** A short text that is the same for two copies of the same users, whatever their order. */
import { RevisionDigest } from '../../base/digest.ts';

/** `<count>-<16 hexadecimal digits>`, of ids and revisions alone; see `RevisionDigest`. */
export function digest(users: Iterable<{ readonly id: string; readonly rev: number }>): string {
  const sum = new RevisionDigest();
  for (const { id, rev } of users) sum.add(id, rev);
  return sum.toString();
}
