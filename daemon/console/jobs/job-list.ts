/** Tasks and imports as the console lists them. Pure. */
import { fileAt } from '../address.ts';
import { type ApiCall, isRecord, type JsonRecord } from '../talk/api-call.ts';

/** A task of `GET /tasks`. Times are nanoseconds. */
export interface ListedTask {
  readonly task_id: string;
  readonly kind: string;
  readonly status: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly progress?: JobProgress;
  readonly result?: JsonRecord;
  readonly error?: { readonly type: string; readonly description: string };
}

/** An import of `GET /imports`. */
export interface ListedImport {
  readonly id: string;
  readonly path: string;
  readonly mode: string;
  readonly state: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly result?: JsonRecord;
}

export interface JobProgress {
  readonly done: number;
  readonly total: number;
}

/** A row of the file that was not taken. */
export interface WrongRow {
  readonly item: number;
  readonly id?: string;
  readonly code: number | string;
  readonly reason: string;
}

export const JOBS_A_PAGE = 25;

/** One more than a page has, to see whether more follow. */
export function tasksCall(page: number, status: string): ApiCall {
  return {
    method: 'GET',
    path: `/api/v2/tasks?limit=${JOBS_A_PAGE + 1}&offset=${page * JOBS_A_PAGE}${status === '' ? '' : `&status=${status}`}`,
  };
}

export function importsCall(page: number): ApiCall {
  return { method: 'GET', path: `/api/v2/imports?limit=${JOBS_A_PAGE + 1}&offset=${page * JOBS_A_PAGE}` };
}

/** `delete_users` as `Delete users`. */
export function kindText(kind: string): string {
  const text = kind.replaceAll(/[_.]/g, ' ');
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function isUnderWay(state: string): boolean {
  return !['completed', 'failed', 'analyze_failed', 'import_failed'].includes(state);
}

/** The badge of a state: what is good is green, what is not is red. */
export function stateBadge(state: string): string {
  return state.replaceAll('_', ' ');
}

/** How far an import is; undefined before its users are counted. */
export function importProgress({ result }: Pick<ListedImport, 'result'>): JobProgress | undefined {
  const { users, done = 0 } = result ?? {};
  return typeof users === 'number' && typeof done === 'number' ? { done: Math.min(done, users), total: users } : undefined;
}

/** What an import did, in words. */
export function importCounts({ result }: Pick<ListedImport, 'result'>): readonly string[] {
  return ['created', 'updated', 'unchanged', 'failed', 'devices', 'mutes', 'push_notifications'].flatMap((name) => {
    const count = result?.[name];
    return typeof count === 'number' ? [`${count.toLocaleString('en')} ${name.replace('_', ' ')}`] : [];
  });
}

/** The first rows of the file that were not taken, and the number of all. */
export function wrongRows({ result }: Pick<ListedImport, 'result'>): { readonly rows: readonly WrongRow[]; readonly count: number } {
  const rows = Array.isArray(result?.errors) ? result.errors.filter(isRecord) : [];
  const { failed } = result ?? {};
  return { rows: rows as unknown as readonly WrongRow[], count: typeof failed === 'number' ? failed : rows.length };
}

/** The result of a task without its link, and the link to its file as a path of the daemon at `address`. */
export function taskOutcome(
  { result }: Pick<ListedTask, 'result'>,
  address: string,
): { readonly rest: JsonRecord; readonly file: string | undefined } {
  const { url, ...rest } = result ?? {};
  return { rest, file: typeof url === 'string' && URL.canParse(url) ? fileAt(address, url) : undefined };
}
