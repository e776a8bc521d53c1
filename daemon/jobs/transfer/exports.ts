/**
 * Exports of users: each task becomes one file of JSON lines, `{"user": {…}, "messages": [], "reactions": []}`, with users
 * as chat v1 shows them. rosterd holds no messages and no reactions; the empty lists keep the form that importers know.
 *
 * It keeps EX1 and EX2 (daemon/RULES.md).
 */
import type { Task } from '../../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../../protocol/transfer/exports.ts';
import { renderV1 } from '../../../protocol/users/render.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { Documents } from '../tasks/documents.ts';
import type { JobError, Work } from '../tasks/runner.ts';
import type { Files } from './files.ts';

export interface ExportOptions {
  readonly roster: Pick<Roster, 'directory' | 'submit' | 'online'>;
  readonly files: Pick<Files, 'writeExport'>;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
}

const AT_ONCE = 2;

/** Works on all waiting tasks. Fails a task of an unknown kind, because nobody would ever finish it. */
export function taskWork({ roster, files, nowMs }: ExportOptions): Work {
  const tasks = new Documents(roster, 'task', nowMs);
  return {
    kind: 'task',
    concurrency: AT_ONCE,
    isOpen: ({ kind, doc }) => kind === 'task' && doc !== null && !isOver(doc),
    *openIds() {
      for (const task of tasks.all()) if (!isOver(task)) yield task.id;
    },
    accept: async (id) => {
      if (tasks.get(id)?.status === 'waiting') await tasks.change(id, { status: 'pending' });
    },
    run: async (id) => {
      const task = tasks.get(id);
      if (task === undefined || isOver(task)) return;
      if (task.kind !== EXPORT_TASK) {
        return await tasks.change(id, {
          status: 'failed',
          error: { type: 'unknown_kind', description: `this daemon does not know tasks of the kind ${task.kind}` },
        });
      }
      const ids = userIds(task.input);
      await tasks.change(id, { status: 'running', started_at: tasks.now(), progress: { done: 0, total: ids.length } });
      const { lines, missing } = exportLines(roster, ids);
      await files.writeExport(id, lines);
      await tasks.change(id, {
        status: 'completed',
        progress: { done: lines.length, total: ids.length },
        result: missing.length === 0 ? {} : { missing },
      });
    },
    fail: (id: string, error: JobError) => tasks.change(id, { status: 'failed', error: { ...error } }),
  };
}

function isOver({ status }: Task): boolean {
  return status === 'completed' || status === 'failed';
}

function userIds(input: { readonly user_ids?: unknown } | undefined): string[] {
  const ids = input?.user_ids;
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
}

function exportLines(roster: ExportOptions['roster'], ids: readonly string[]): { lines: string[]; missing: string[] } {
  const { directory } = roster;
  const named = { user: (id: string) => directory.user(id) };
  const lines: string[] = [];
  const missing: string[] = [];
  for (const id of ids) {
    const user = directory.user(id);
    if (user === undefined) missing.push(id);
    else {
      const shown = renderV1(user, { online: roster.online(id), reader: 'server', named });
      lines.push(JSON.stringify({ user: shown, messages: [], reactions: [] }));
    }
  }
  return { lines, missing };
}
