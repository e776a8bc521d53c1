/**
 * Tells the files that rosterd itself writes, by their first line. Each has one JSON object per line, many with the id of a user, so
 * a source that is one of them would empty the users that it names.
 *
 * It keeps SO10 and SY16 (daemon/RULES.md).
 */
import type { FileHandle } from 'node:fs/promises';
import { parseObject } from '../../../../protocol/base/json.ts';
import { BACKUP_FORMAT } from '../../../../store/backup/codec.ts';
import { NO_RESULTS } from '../../../sync/counts.ts';
import { looksLikePlan } from '../../../sync/plan/plan-file.ts';

export type OwnFile = 'plan' | 'report' | 'backup';

/** Every key of a line of a report, and every result that it may name. */
const REPORT_KEYS: ReadonlySet<string> = new Set(['id', 'result', 'fields', 'line', 'code', 'reason', 'from_line', 'from_plan_line']);
const REPORT_RESULTS: ReadonlySet<string> = new Set([...Object.keys(NO_RESULTS), 'error', 'not_applied', 'held_back']);

/** Undefined for any other file. */
export function ownFileOf(firstLine: string): OwnFile | undefined {
  if (looksLikePlan(firstLine)) return 'plan';
  const value = parseObject(firstLine);
  if (value === undefined) return undefined;
  if (value.format === BACKUP_FORMAT) return 'backup';
  const isReport =
    typeof value.result === 'string' && REPORT_RESULTS.has(value.result) && Object.keys(value).every((key) => REPORT_KEYS.has(key));
  return isReport ? 'report' : undefined;
}

/** The text with which the file begins, at most so many bytes of it. Rejects with the system's error. */
export async function beginningOf(file: FileHandle, bytesMax: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0);
  return buffer.toString('utf8', 0, bytesRead);
}
