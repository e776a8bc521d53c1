/**
 * Events about documents: what is told of user groups, exports and imports. All of an event lies in its fact, except what
 * must not lie there: a link that opens a file, and who is there now. Pure.
 */

import { APP_PK, renderWholeGroup, type UserGroup } from '../access/groups.ts';
import type { Micros } from '../base/time.ts';
import type { DocEventType, DocFact, Task } from '../log/documents.ts';
import { type ImportTask, renderImport } from '../transfer/imports.ts';
import { type Rendered, renderUserIn, timeOf } from '../users/render.ts';
import type { StoredUser } from '../users/user.ts';
import type { EventDialect } from './user-events.ts';

/** How the event is written: as a live connection asked for it, or as the body of a webhook (`v1`, `v2`). */
export type DocEventDialect = EventDialect | 'v2';

/** What an event shows that is not in the log, asked for when it is written down. */
export interface DocLookups {
  /** The living user. */
  user(id: string): StoredUser | undefined;
  online(id: string): boolean;
  /** A link to the file of a finished export, good for a while from now on; undefined where no files are served. */
  exportUrl(taskId: string): string | undefined;
}

/** The event a change to a document is announced with; most are told to nobody. */
export function docEventType({ event }: DocFact): DocEventType | undefined {
  return event?.type;
}

/**
 * The whole event. A live one has its `seq`, and names people by id; the body of a webhook has the user who did it. Members
 * of a user group are shown as far as they exist now, as in every answer. `fact` must be one that is told.
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
    ...(by === undefined ? undefined : { user: renderUserIn(dates, by, { online: lookups.online(by.id) }) }),
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
    // Blank lines of a file count as lines, and not as users.
    ...(isCounted ? { progress: { done: Math.min(done, users), total: users } } : undefined),
  };
}
