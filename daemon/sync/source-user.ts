/** Turns a row of the source into a user to send. Checks it by the daemon's own rules, so that a bad row costs no request. Pure. */
import type { FieldError } from '../../protocol/base/errors.ts';
import { InexactNumber, inexactIn } from '../../protocol/base/exact-numbers.ts';
import { clip } from '../../protocol/base/field-path.ts';
import { isUserId } from '../../protocol/base/ids.ts';
import { isObject } from '../../protocol/base/json.ts';
import { decodeUser } from '../../protocol/users/decode.ts';
import { KNOWN_FIELDS, RESERVED_FIELDS, type UserInput } from '../../protocol/users/user.ts';
import type { RowError, ValueRow } from './rows.ts';
import type { CheckRow, RowUser } from './source.ts';

/** A user as `POST /users` takes it. */
export interface SourceUser extends RowUser {
  /** In the form of chat v1. */
  readonly json: string;
  /** The revision that the user must have to be written; 0: it must not exist. */
  readonly rev?: number;
}

/** Maps an item of the source to a user. */
export interface RowMapping {
  /** Gives the chat v1 form, not yet checked; or the problems of single fields, with the id where it can be read. */
  map(item: unknown): { readonly value: unknown } | { readonly id?: unknown; readonly problems: readonly string[] };
  /** Requested columns that no item had. */
  neverFound(): readonly string[];
}

/** Fields that only the daemon sets, and one that it ignores. An exported source has them, and they need not be sent. */
const NOT_SENT: ReadonlySet<string> = new Set([...RESERVED_FIELDS, 'revoke_tokens_issued_before']);

/** With a team, only users of this team are accepted. */
export function rowCheck(mapping: Pick<RowMapping, 'map'>, team?: string): CheckRow<SourceUser> {
  return (row) => {
    const mapped = mapping.map(row.value);
    if ('problems' in mapped) return invalidUser(row.line, mapped.id, mapped.problems);
    const { value } = mapped;
    const problems = [...(row.isInexact === true ? inexactProblems(value) : []), ...misplacedProblems(value)];
    const user = problems.length === 0 ? decodeSent(value, problems) : undefined;
    if (user === undefined) return invalidUser(row.line, isObject(value) ? value.id : undefined, problems);
    const outside = team === undefined ? undefined : outsideTeam(user, team);
    if (outside !== undefined) return { line: row.line, id: user.id, code: 'out_of_scope', reason: outside };
    const json = jsonOf(row, value);
    return { line: row.line, id: user.id, json, bytes: Buffer.byteLength(json) };
  };
}

/** The numbers that would become other numbers, in everything that is sent. */
export function inexactProblems(user: unknown): string[] {
  const isWhole = !isObject(user) || user instanceof InexactNumber;
  const sent = isWhole ? user : Object.entries(user).filter(([key]) => !NOT_SENT.has(key));
  return inexactIn(sent).map(({ text }) => text);
}

/** Whether custom data of this name would be taken for a field of the user. */
export function isFieldName(key: string): boolean {
  return KNOWN_FIELDS.has(key) || RESERVED_FIELDS.has(key);
}

export const LIKE_A_FIELD = 'custom data cannot be called like a field of the user';

/** Custom data in an object of its own that would be left out silently, since chat v1 has a field under its key. */
export function misplacedProblems(user: unknown): string[] {
  if (!isObject(user)) return [];
  const { custom, extra_data }: Readonly<Record<string, unknown>> = user;
  return Object.entries({ custom, extra_data }).flatMap(([place, nested]) =>
    Object.entries(isObject(nested) ? nested : {})
      .filter(([key, value]) => isFieldName(key) && value !== null && value !== user[key])
      .map(([key]) => `${place}.${key}: ${LIKE_A_FIELD}`),
  );
}

/**
 * The user as the daemon reads it from a server; or undefined, with all errors of its form in `problems`
 * (`role: must be string, got number`). Questions for the directory (does the role exist, is the name free) are left to the daemon.
 */
export function decodeSent(value: unknown, problems: string[]): UserInput | undefined {
  const found: FieldError[] = [];
  const user = decodeUser(value, { path: '', key: undefined, dialect: 'v1', caller: 'server' }, found);
  for (const { path, message } of found) problems.push(path === '' ? message : `${path}: ${message}`);
  return user;
}

/** Reports an invalid user by its id, where it has one. */
export function invalidUser(line: number, id: unknown, problems: readonly string[]): RowError {
  const named = typeof id === 'string' && isUserId(id) ? { id } : undefined;
  return { line, ...named, code: 'invalid_user', reason: problems.join('; ') };
}

/** Teams that are not sent do not change, so the row itself must name the team. */
function outsideTeam({ teams = [] }: UserInput, team: string): string | undefined {
  if (teams.includes(team)) return undefined;
  const has = teams.length === 0 ? 'the row names no team' : `its teams are ${teams.map((name) => `"${clip(name)}"`).join(', ')}`;
  return `the user is outside the scope team=${team}: ${has}`;
}

function jsonOf(row: ValueRow, user: unknown): string {
  const isSentWhole = !isObject(user) || !Object.keys(user).some((key) => NOT_SENT.has(key));
  if (isSentWhole) return row.text !== undefined && user === row.value ? row.text : JSON.stringify(user);
  return JSON.stringify(Object.fromEntries(Object.entries(user).filter(([key]) => !NOT_SENT.has(key))));
}
