/**
 * One line of a snapshot or a backup: settings, usage, a document, a user, or a tombstone. For files from outside, this checks
 * just enough to know that a directory can load the line. Checksums protect the content of the lines.
 */

import { isObject } from '../base/json.ts';
import type { StoredUser } from '../users/user.ts';
import { DOC_KINDS } from './documents.ts';

/** The kind of a line, with the user if it is one. */
export type LineKind = { readonly kind: 'user'; readonly user: StoredUser } | { readonly kind: 'gone' | 'document' | 'settings' | 'usage' };

const GONE: LineKind = { kind: 'gone' };
const DOCUMENT: LineKind = { kind: 'document' };
const SETTINGS: LineKind = { kind: 'settings' };
const USAGE: LineKind = { kind: 'usage' };

const KINDS: ReadonlySet<unknown> = new Set(DOC_KINDS);

/** The kind of a line, or undefined when it is not a line of a directory. */
export function kindOfLine(line: unknown): LineKind | undefined {
  if (!isObject(line)) return undefined;
  const { user, gone, doc, state, usage } = line;
  if (isObject(user)) return isUser(user) ? { kind: 'user', user } : undefined;
  if (isObject(gone)) return typeof gone.id === 'string' && typeof gone.gone_at === 'number' ? GONE : undefined;
  if (isObject(doc)) return KINDS.has(doc.kind) && typeof doc.id === 'string' && isObject(doc.doc) ? DOCUMENT : undefined;
  if (isObject(state)) return typeof state.time === 'number' && isObject(state.app) && Array.isArray(state.entries) ? SETTINGS : undefined;
  return isObject(usage) && typeof usage.period === 'string' && isObject(usage.teams) ? USAGE : undefined;
}

/** Checks the fields that every record needs. The other fields are as the writer of the record knew them. */
function isUser(value: object): value is StoredUser {
  const { id, rev, role, teams, custom, created_at, updated_at }: Partial<Record<keyof StoredUser, unknown>> = value;
  const hasTexts = typeof id === 'string' && typeof role === 'string' && Array.isArray(teams) && isObject(custom);
  return hasTexts && typeof rev === 'number' && typeof created_at === 'number' && typeof updated_at === 'number';
}
