/**
 * The effect that an upsert or a partial update would have, user by user, without making it.
 *
 * A batch is first judged as a whole, because the uniqueness of names is checked across it. If it would be refused, the users named in the
 * refusal are removed and the rest is judged again, until the rest would be accepted.
 */

import Type from 'typebox';
import { ERRORS, type FieldError, fieldErrors, listedProblems, RosterError } from '../../../protocol/base/errors.ts';
import { flagParameter, queryReader } from '../../../protocol/base/query-string.ts';
import type { Dialect, QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import type { PatchCommand } from '../../../protocol/users/patch-request.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import type { UpsertCommand } from '../../../protocol/users/upsert.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { changedFields } from '../../core/directory/changed-fields.ts';
import { isTombstone } from '../../core/directory/record.ts';
import type { Reading } from '../http/backend.ts';

export const DryRunQuery = Type.Object({
  dry_run: flagParameter('says what would be done to each user, and does nothing; needs a server token'),
});
const readDryRun = queryReader(DryRunQuery, 'plain');

/** Differences by field name: the value before, and the value after. */
export type FieldDifferences = Readonly<Record<string, readonly [before: unknown, after: unknown]>>;

export interface DryRun {
  /** The outcome for the users that would be accepted. */
  readonly outcome: Outcome;
  /** The problems of the other users, at least one of each. */
  readonly errors: readonly FieldError[];
  /** Current revisions of every valid user in the request; 0: the user does not exist. */
  readonly revs: Readonly<Record<string, number>>;
  readonly changes: Readonly<Record<string, FieldDifferences>>;
}

/**
 * Whether the request asks for a dry run. Every value except the exact words is an error, since a misread value would cause a write. Throws
 * RosterError: `input` for another value, `not_allowed` for a client.
 */
export function isDryRun(query: QueryFields, caller: Caller): boolean {
  const { dry_run: isDry = false } = readDryRun(query);
  if (!isDry) return false;
  if (caller.kind !== 'server') throw fieldErrors('not_allowed', [{ path: 'dry_run', message: 'needs a server token' }]);
  return true;
}

/** Rejects with RosterError when the request is refused for a reason other than single users. */
export async function dryRun(backend: Reading, command: UpsertCommand | PatchCommand, dialect: Dialect): Promise<DryRun> {
  const errors = command.problems.map(withCode);
  const refused = new Set<string>();
  for (;;) {
    const rest = without(command, refused);
    // One preview of a full batch at a time, so that other work runs between two of them.
    if (refused.size > 0) await new Promise((resolve) => setImmediate(resolve));
    const found = previewed(backend, rest);
    if (found instanceof RosterError) {
      const named = namedUsers(found, idsOf(rest));
      if (named.size === 0) throw found;
      errors.push(...found.fields.map(withCode));
      for (const id of named) refused.add(id);
      continue;
    }
    return {
      outcome: found,
      errors: listedProblems(errors),
      revs: revsOf(backend, idsOf(command)),
      changes: changesOf(backend, found, dialect),
    };
  }
}

function idsOf(command: UpsertCommand | PatchCommand): readonly string[] {
  return (command.kind === 'upsert' ? command.users : command.patches).map(({ id }) => id);
}

function without(command: UpsertCommand | PatchCommand, refused: ReadonlySet<string>): UpsertCommand | PatchCommand {
  const isLeft = ({ id }: { readonly id: string }): boolean => !refused.has(id);
  return command.kind === 'upsert'
    ? { ...command, users: command.users.filter(isLeft), problems: [] }
    : { ...command, patches: command.patches.filter(isLeft), problems: [] };
}

function previewed(backend: Reading, command: UpsertCommand | PatchCommand): Outcome | RosterError {
  try {
    return backend.preview(command);
  } catch (error) {
    if (error instanceof RosterError) return error;
    throw error;
  }
}

/** The users that the refusal is about, from its paths: `users[ann].role`. */
function namedUsers({ fields }: RosterError, ids: readonly string[]): ReadonlySet<string> {
  const asked = new Set(ids);
  const named = fields.map(({ path }) => /^users\[([^\]]*)\]/.exec(path)?.[1] ?? '');
  return new Set(named.filter((id) => asked.has(id)));
}

function withCode({ path, message, code = ERRORS.input.code }: FieldError): Required<FieldError> {
  return { path, code, message };
}

function revsOf({ directory }: Reading, ids: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(ids.map((id) => [id, directory.user(id)?.rev ?? 0]));
}

function changesOf({ directory }: Reading, { users }: Outcome, dialect: Dialect): Readonly<Record<string, FieldDifferences>> {
  const changed = users.filter(({ change }) => change !== 'unchanged');
  return Object.fromEntries(
    changed.map(({ user, change }) => [user.id, fieldChanges(userBefore(directory, user.id, change), user, dialect)]),
  );
}

/** A restored user is compared with what was deleted. */
function userBefore(directory: Reading['directory'], id: string, change: Change): StoredUser | undefined {
  const record = change === 'restored' ? directory.record(id) : directory.user(id);
  return record === undefined || isTombstone(record) ? undefined : record;
}

function fieldChanges(before: StoredUser | undefined, after: StoredUser, dialect: Dialect): FieldDifferences {
  const base = before ?? { ...NOBODY, created_at: after.created_at };
  const value = valueIn(dialect);
  return Object.fromEntries(changedFields(base, after).map((field) => [field, [value(before, field), value(after, field)]]));
}

/** Stands for a user that does not exist yet: every field of a new user differs from it. */
const NOBODY = { id: '', rev: 0, role: '', teams: [], custom: {}, updated_at: 0 };

function valueIn(dialect: Dialect): (user: StoredUser | undefined, field: string) => unknown {
  const time = timeOf(dialect);
  return (user, field) => {
    const value = user === undefined ? undefined : fieldOf(user, field);
    return TIMES.has(field) && typeof value === 'number' ? time(value) : (value ?? null);
  };
}

const TIMES: ReadonlySet<string> = new Set(['deactivated_at', 'deleted_at', 'revoke_tokens_issued_before']);
const CUSTOM = 'custom.';

function fieldOf(user: StoredUser, field: string): unknown {
  const [from, key] = field.startsWith(CUSTOM) ? [user.custom, field.slice(CUSTOM.length)] : [user, field];
  return Object.getOwnPropertyDescriptor(from, key)?.value;
}
