/** Exports of users, and their result files. */

import Type from 'typebox';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { pathId } from '../../../protocol/base/reading.ts';
import type { Task } from '../../../protocol/log/documents.ts';
import { decodeExportUsers, EXPORT_FILE, EXPORT_TASK, ExportUsersBody } from '../../../protocol/transfer/exports.ts';
import { Nothing, TaskStartedAnswer, userIn } from '../../../protocol/users/answers.ts';
import { renderUserIn } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { deletedUser, unknownUser } from '../../core/problems.ts';
import { asideOf } from '../http/acting.ts';
import type { Reading } from '../http/backend.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { etag } from '../http/outcome.ts';
import type { Services } from '../http/services.ts';

/** JSON Lines. */
const LINES = 'application/x-ndjson';

export const EXPORT_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users/:id/export', (dialect) => ({
    operation: 'ExportUser',
    method: 'GET',
    access: 'server',
    summary: 'Everything that is held of one user',
    answer: Type.Object({ user: userIn(dialect), messages: Type.Array(Type.Unknown()), reactions: Type.Array(Type.Unknown()) }),
    handle: (call) => {
      const user = living(call.backend, pathId(call.id));
      if (user instanceof RosterError) throw user;
      const aside = asideOf(call, user.id);
      return { body: { user: renderUserIn(dialect, user, aside), messages: [], reactions: [] }, headers: { ETag: etag(user) } };
    },
  })),
  ...inBothDialects('/export/users', () => ({
    operation: 'ExportUsers',
    method: 'POST',
    access: 'server',
    summary: 'Exports up to 25 users into a file, as a task',
    body: ExportUsersBody,
    answer: TaskStartedAnswer,
    handle: async ({ submit, services, body, newId }) => {
      const ids = decodeExportUsers(await body());
      const now = Math.round(services.nowMs() * 1_000);
      const task: Task = {
        id: newId(),
        kind: EXPORT_TASK,
        status: 'waiting',
        created_at: now,
        updated_at: now,
        input: { user_ids: [...ids] },
      };
      const { seq } = await submit({ kind: 'docs', changes: [{ kind: 'task', id: task.id, doc: task }], userIds: ids }, 'bulk');
      return { status: 201, body: { task_id: task.id }, seq };
    },
  })),
  {
    operation: 'DownloadExport',
    method: 'GET',
    path: '/exports/users/:task/:file',
    dialect: 'v1',
    access: 'signed',
    summary: 'The file of an export: one JSON object per line. The URL is in the result of the task',
    answer: Nothing,
    downloads: [LINES],
    handle: async ({ services, params: { task = '', file = '' } }) => {
      const found = await services.files.openExport(task, file);
      if (found === undefined) throw new RosterError('not_found', 'the export does not exist, or no longer');
      return { body: {}, file: { ...found, type: LINES, name: EXPORT_FILE } };
    },
  },
];

/** The result of a task. The link to the file of an export is made for each request, and works for a day. */
export function taskResult({ id, kind, status, result }: Task, services: Pick<Services, 'signUrl' | 'nowMs'>): Task['result'] {
  if (kind !== EXPORT_TASK || status !== 'completed') return result;
  return { ...result, url: exportUrl(id, services) };
}

/** A link to the file of a finished export, valid for a day from now on. */
export function exportUrl(taskId: string, { nowMs, signUrl }: Pick<Services, 'signUrl' | 'nowMs'>): string {
  return signUrl(`/exports/users/${taskId}/${EXPORT_FILE}`, Math.floor(nowMs() / 1_000) + LIMITS.signedUrlS);
}

/** The living user, or the error that says why it is not available. */
function living({ directory }: Reading, id: string): StoredUser | RosterError {
  return directory.user(id) ?? (directory.record(id) === undefined ? unknownUser(id) : deletedUser(id));
}
