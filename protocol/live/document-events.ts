/**
 * Events about user groups, exports and imports. The fact holds the whole event, except for the parts that must not be
 * stored in it: a link that opens a file, and the users that exist now. Pure.
 */

import { APP_PK, renderWholeGroup, type UserGroup } from '../access/groups.ts';
import type { Micros } from '../base/time.ts';
import type { DocEventType, DocFact, Task } from '../log/documents.ts';
import { type ImportTask, renderImport } from '../transfer/imports.ts';
import { type Rendered, renderUserIn, timeOf } from '../users/render.ts';
import type { StoredUser } from '../users/user.ts';
import type { EventDialect } from './user-events.ts';

/** The form of the event: as a live connection asked for it, or as the body of a webhook (`v1`, `v2`). */
export type DocEventDialect = EventDialect | 'v2';

/** The parts of an event that are not in the log, looked up when the event is rendered. */
export interface DocLookups {
  /** The living user. */
  user(id: string): StoredUser | undefined;
  online(id: string): boolean;
  /** A link to the file of a finished export, valid for a limited time from now on; undefined where no files are served. */
  exportUrl(taskId: string): string | undefined;
}

/** The type of the event that a change to a document causes; most changes cause none. */
export function docEventType({ event }: DocFact): DocEventType | undefined {
  return event?.type;
}

/**
 * The whole event. A live event has its `seq` and names users by id; the body of a webhook contains the user who did it. As in
 * every answer, only members that exist now are shown. `fact` must be one that causes an event.
 */
export function renderDocEvent(fact: DocFact, seq: number, at: Micros, dialect: DocEventDialect, lookups: DocLookups): Rendered {
  const isLive = dialect === 'live' || dialect === 'live-ns';
  const dates = dialect === 'v2' || dialect === 'live-ns' ? 'v2' : 'v1';
  const by = isLive || fact.event?.by === undefined ? undefined : lookups.user(fact.event.by);
  return {
    type: docEventType(fact),
    ...(isLive ? { seq } : undefined),
    created_at: timeOf(dates)(at),
    ...(dialect === 'v2' ? { custom: {} } : undefined),
    ...subject(fact, dates, lookups),
    ...(by === undefined ? undefined : { user: renderUserIn(dates, by, { online: lookups.online(by.id), reader: 'server' }) }),
  };
}

function subject({ event, ...change }: DocFact, dates: 'v1' | 'v2', lookups: DocLookups): Rendered {
  switch (change.kind) {
    case 'group':
      return groupFields(event?.was ?? change.doc, event?.members, dates, lookups);
    case 'task':
      return change.doc === null ? {} : exportFields(change.doc, dates, lookups);
    case 'import':
      return change.doc === null ? {} : importFields(change.doc, dates);
    default:
      return {};
  }
}

function groupFields(group: UserGroup | null, members: readonly string[] | undefined, dates: 'v1' | 'v2', { user }: DocLookups): Rendered {
  return {
    ...(group === null ? undefined : { user_group: { app_pk: APP_PK, ...renderWholeGroup(group, dates, user) } }),
    ...(members === undefined ? undefined : { members }),
  };
}

function exportFields(task: Task, dates: 'v1' | 'v2', { exportUrl }: DocLookups): Rendered {
  const time = timeOf(dates);
  const url = task.status === 'completed' ? exportUrl(task.id) : undefined;
  return {
    task_id: task.id,
    ...(url === undefined ? undefined : { url }),
    ...(task.status === 'failed' ? { error: task.error?.description ?? '' } : undefined),
    started_at: time(task.started_at ?? task.created_at),
    finished_at: time(task.updated_at),
  };
}

function importFields(task: ImportTask, dates: 'v1' | 'v2'): Rendered {
  const { users, done = 0 } = task.result ?? {};
  const isCounted = typeof users === 'number' && typeof done === 'number';
  return {
    import_task: renderImport(task, dates),
    // Blank lines of a file count as lines, but not as users.
    ...(isCounted ? { progress: { done: Math.min(done, users), total: users } } : undefined),
  };
}
