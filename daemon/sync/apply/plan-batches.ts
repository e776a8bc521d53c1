/** Cuts a plan into batches that fit into one request: first the users to write, then the users to remove. */
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { PlanFile } from '../plan/plan-file.ts';
import type { Removal } from '../plan/plan-lines.ts';
import type { RowError } from '../rows.ts';
import { BATCH_LIMITS } from '../source.ts';
import type { SourceUser } from '../source-user.ts';

export interface WriteBatch {
  readonly users: readonly SourceUser[];
  /** Fields that differ, by user. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Rows with errors among these users. They are no part of the plan. */
  readonly errors: readonly RowError[];
  /** Last line of the plan that the batch covers. */
  readonly lastAt: number;
}

export interface RemovalUser {
  /** Line of the plan. */
  readonly line: number;
  readonly id: string;
  readonly rev?: number;
}

export interface RemovalBatch {
  readonly removal: Removal;
  readonly users: readonly RemovalUser[];
  readonly lastAt: number;
}

const ERRORS_MAX = 1_000;
/** Bytes that the revisions add to a request: each id once more, and a number. */
const REVS_BYTES = LIMITS.batchUsers * (LIMITS.idChars + 24);
const BYTES_MAX = BATCH_LIMITS.bytes - REVS_BYTES;

/** Users to create and to update, after the line `afterAt`. */
export async function* writeBatches(plan: PlanFile, afterAt: number, usersMax: number): AsyncGenerator<WriteBatch> {
  let batch = new OpenBatch();
  for await (const lines of plan.lines()) {
    for (const { at, line } of lines) {
      if (at <= afterAt) continue;
      if ('error' in line) batch.errors.push(line.error);
      else if ('user' in line) {
        const json = JSON.stringify(line.user);
        const bytes = Buffer.byteLength(json);
        batch.users.push({ line: line.line, id: line.id, json, bytes, ...(line.rev === null ? undefined : { rev: line.rev }) });
        if (line.changes !== undefined) batch.fields.set(line.id, Object.keys(line.changes));
        batch.bytes += bytes;
      } else continue;
      batch.lastAt = at;
      if (batch.users.length < usersMax && batch.bytes < BYTES_MAX && batch.errors.length < ERRORS_MAX) continue;
      yield batch;
      batch = new OpenBatch();
    }
  }
  if (batch.lastAt > 0) yield batch;
}

class OpenBatch implements WriteBatch {
  readonly users: SourceUser[] = [];
  readonly fields = new Map<string, readonly string[]>();
  readonly errors: RowError[] = [];
  bytes = 0;
  lastAt = 0;
}

/** Users to remove, after the line `afterAt`. All users of one batch are removed in the same way. */
export async function* removalBatches(plan: PlanFile, afterAt: number, usersMax: number): AsyncGenerator<RemovalBatch> {
  let users: RemovalUser[] = [];
  let removal: Removal | undefined;
  for await (const lines of plan.lines()) {
    for (const { at, line } of lines) {
      if (at <= afterAt || 'error' in line || 'user' in line) continue;
      if (removal !== undefined && (users.length >= usersMax || line.do !== removal)) {
        yield { removal, users, lastAt: at - 1 };
        users = [];
      }
      removal = line.do;
      users.push({ line: at, id: line.id, ...(line.rev === null ? undefined : { rev: line.rev }) });
    }
  }
  const last = users.at(-1);
  if (removal !== undefined && last !== undefined) yield { removal, users, lastAt: last.line };
}
