/** The first pass over a source: every row is mapped and checked by the daemon's rules, and what is good is put on the disk. */
import { clip } from '../../../protocol/base/explain.ts';
import { isUserId } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { RESERVED_FIELDS } from '../../../protocol/users/user.ts';
import { checkUser } from '../check-user.ts';
import type { SourceUser } from '../source.ts';
import type { PlanError } from './plan-lines.ts';
import type { PlanOptions, RowMapping } from './plan-types.ts';
import type { SourceRow } from './source-rows.ts';
import type { LineSet, Partitions, SpoolFile } from './spool.ts';

/** Lines without an id that messages name. */
const UNREADABLE_SHOWN = 5;
/** What only the daemon sets, and one that it ignores: a source that was exported has them, and they need not travel. */
const NOT_SENT: ReadonlySet<string> = new Set([...RESERVED_FIELDS, 'revoke_tokens_issued_before']);

export interface RowPlaces {
  /** `<line> <id> <json>` of each good row, in the order of the source. */
  readonly users: SpoolFile;
  /** `<line> <id>` of every row whose id is known, the line negative where the row is wrong. */
  readonly ids: Partitions;
}

export class RowReader {
  readonly #options: Pick<PlanOptions, 'team'>;
  readonly #mapping: RowMapping;
  readonly #places: RowPlaces;
  rows = 0;
  /** Rows that are right as far as can be told without the daemon. */
  good = 0;
  unreadable = 0;
  readonly unreadableLines: number[] = [];

  constructor(options: Pick<PlanOptions, 'team'>, mapping: RowMapping, places: RowPlaces) {
    this.#options = options;
    this.#mapping = mapping;
    this.#places = places;
  }

  /** What is wrong with the row; undefined when nothing is. Throws the system's error when the disk is full. */
  take(row: SourceRow): PlanError | undefined {
    this.rows++;
    if (!('value' in row)) return this.#fail(row.line, undefined, row.code, row.reason);
    const mapped = this.#mapping.map(row.value);
    if ('problems' in mapped) return this.#fail(row.line, mapped.id, 'invalid_user', mapped.problems.join('; '));
    const { value } = mapped;
    const checked = checkUser(value);
    if ('problems' in checked) {
      const id = checked.id ?? (isObject(value) ? value.id : undefined);
      return this.#fail(row.line, id, 'invalid_user', checked.problems.join('; '));
    }
    const outside = this.#outside(value);
    if (outside !== undefined) return this.#fail(row.line, checked.id, 'out_of_scope', outside);
    this.good++;
    this.#places.ids.add(checked.id, `${row.line} ${checked.id}`);
    this.#places.users.add(`${row.line} ${checked.id} ${JSON.stringify(sendable(value))}`);
    return undefined;
  }

  /** A row that is wrong names its user all the same: whoever stands in the source is not missing. */
  #fail(line: number, id: unknown, code: string, reason: string): PlanError {
    if (typeof id === 'string' && isUserId(id)) {
      this.#places.ids.add(id, `${-line} ${id}`);
      return { error: { line, id, code, reason } };
    }
    this.unreadable++;
    if (this.unreadableLines.length < UNREADABLE_SHOWN) this.unreadableLines.push(line);
    return { error: { line, code, reason } };
  }

  /** Teams that are not sent stay what they are, so the row itself must say that it belongs here. */
  #outside(user: unknown): string | undefined {
    const { team } = this.#options;
    if (team === undefined) return undefined;
    const teams = isObject(user) && Array.isArray(user.teams) ? user.teams : [];
    if (teams.includes(team)) return undefined;
    const has = teams.length === 0 ? 'the row names no team' : `its teams are ${teams.map((name) => `"${clip(String(name))}"`).join(', ')}`;
    return `the user is outside the scope team=${team}: ${has}`;
  }
}

function sendable(user: unknown): unknown {
  if (!isObject(user) || !Object.keys(user).some((key) => NOT_SENT.has(key))) return user;
  return Object.fromEntries(Object.entries(user).filter(([key]) => !NOT_SENT.has(key)));
}

/** The good rows again, without those in `except`, cut into batches of at most so many users and bytes. */
export async function* readBatches(
  users: SpoolFile,
  except: LineSet,
  limits: { readonly users: number; readonly bytes: number },
): AsyncGenerator<readonly SourceUser[]> {
  let batch: SourceUser[] = [];
  let bytes = 0;
  for await (const lines of users.lines()) {
    for (const entry of lines) {
      const user = readUser(entry);
      if (except.has(user.line)) continue;
      batch.push(user);
      bytes += user.bytes;
      if (batch.length < limits.users && bytes < limits.bytes) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

function readUser(entry: string): SourceUser {
  const first = entry.indexOf(' ');
  const second = entry.indexOf(' ', first + 1);
  const json = entry.slice(second + 1);
  return { line: Number(entry.slice(0, first)), id: entry.slice(first + 1, second), json, bytes: Buffer.byteLength(json) };
}
