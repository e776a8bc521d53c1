/**
 * Turns the source into batches that may be sent: every user was checked, every id occurs once.
 * What is wrong with a line is a failure of that line and stops nothing.
 */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../protocol/base/limits.ts';
import { type CheckedUser, checkUser } from './check-user.ts';
import { LINE_BYTES_MAX, type RawLine, readLines } from './line-reader.ts';
import { SeenIds } from './seen-ids.ts';

export interface SourceUser {
  readonly line: number;
  readonly id: string;
  /** The user as JSON. Where a line is nothing but the user it is the line as it stands, which saves writing it anew. */
  readonly json: string;
  /** Length of `json` in UTF-8. */
  readonly bytes: number;
  /** The revision that it must have to be written; 0: it must not exist. */
  readonly rev?: number;
}

/** Why a user was not taken over. One line of the report. */
export interface Failure {
  readonly line: number;
  readonly id?: string;
  /** The code of the daemon's error, or a word for what was found before sending. */
  readonly code: number | 'line_too_long' | 'invalid_utf8' | 'invalid_json' | 'invalid_user' | 'duplicate_id' | 'not_sent' | 'not_read';
  readonly reason: string;
  /** Refused only because the user has another revision than was named. */
  readonly isPrecondition?: true;
}

export interface SourceBatch {
  readonly users: readonly SourceUser[];
  readonly failures: readonly Failure[];
  /** Bytes of the source that this batch covers. */
  readonly bytes: number;
  readonly lastLine: number;
}

export interface BatchLimits {
  readonly users: number;
  /** A batch is closed once it has so many bytes of JSON; one more line must still fit into a request. */
  readonly bytes: number;
  readonly failures: number;
}

/** What the source looks like. */
export interface SourceFormat {
  /** Cuts the source into lines that hold one user each. */
  readonly split: (source: AsyncIterable<Buffer>) => AsyncIterable<readonly RawLine[]>;
  /** Finds the user in the value of a line. */
  readonly check: (value: unknown) => CheckedUser;
  /** Lines up to this one are passed over: an earlier run brought them. */
  readonly afterLine?: number;
}

/** One user per line. */
export const USER_LINES: SourceFormat = { split: readLines, check: checkUser };

/** What a request adds to the lines: the ids as keys, and punctuation. */
const FRAME_BYTES = LIMITS.batchUsers * (LIMITS.idChars + 4) + 64;

export const BATCH_LIMITS: BatchLimits = {
  users: LIMITS.batchUsers,
  bytes: LIMITS.bodyBytes - LINE_BYTES_MAX - FRAME_BYTES,
  failures: 1_000,
};

/** Reads on only when the batch before was taken, so whoever is slow holds back the source. Rejects when the source does. */
export async function* readBatches(
  source: AsyncIterable<Buffer>,
  limits: BatchLimits = BATCH_LIMITS,
  { split, check, afterLine = 0 }: SourceFormat = USER_LINES,
): AsyncGenerator<SourceBatch> {
  const seen = new SeenIds();
  let batch = emptyBatch();
  for await (const lines of split(source)) {
    for (const line of lines) {
      addLine(batch, line, line.line <= afterLine ? undefined : readUser(line, check), seen);
      if (batch.users.length < limits.users && batch.jsonBytes < limits.bytes && batch.failures.length < limits.failures) continue;
      yield batch;
      batch = emptyBatch();
    }
  }
  if (batch.bytes > 0) yield batch;
}

interface OpenBatch {
  readonly users: SourceUser[];
  readonly failures: Failure[];
  jsonBytes: number;
  bytes: number;
  lastLine: number;
}

function emptyBatch(): OpenBatch {
  return { users: [], failures: [], jsonBytes: 0, bytes: 0, lastLine: 0 };
}

function addLine(batch: OpenBatch, raw: RawLine, read: SourceUser | Failure | undefined, seen: SeenIds): void {
  batch.bytes += raw.bytes;
  batch.lastLine = raw.line;
  if (read === undefined) return;
  if ('code' in read) {
    batch.failures.push(read);
    return;
  }
  const before = seen.claim(read.id, read.line);
  if (before === undefined) {
    batch.users.push(read);
    batch.jsonBytes += read.bytes;
  } else {
    const reason = `line ${read.line} names the same user as line ${before}; line ${before} counts`;
    batch.failures.push({ line: read.line, id: read.id, code: 'duplicate_id', reason });
  }
}

/** The user of a line, what is wrong with it, or undefined for a blank line. */
function readUser({ line, content }: RawLine, check: SourceFormat['check']): SourceUser | Failure | undefined {
  if (content === undefined) return { line, code: 'line_too_long', reason: `the line is longer than ${LINE_BYTES_MAX} bytes` };
  if (!isUtf8(content)) return { line, code: 'invalid_utf8', reason: 'the line is not valid UTF-8' };
  const json = content.toString('utf8');
  if (json.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { line, code: 'invalid_json', reason: error instanceof Error ? error.message : 'not JSON' };
  }
  const checked = check(value);
  if (!('problems' in checked)) {
    const { id, json: own } = checked;
    return own === undefined ? { line, id, json, bytes: content.length } : { line, id, json: own, bytes: Buffer.byteLength(own) };
  }
  const named = checked.id === undefined ? {} : { id: checked.id };
  return { line, ...named, code: 'invalid_user', reason: checked.problems.join('; ') };
}
