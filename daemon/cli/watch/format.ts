/** Writes a live event as one line for people. Pure. */

import { isObject } from '../../../protocol/base/json.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import { visible } from '../visible.ts';

type Fields = Readonly<Record<string, unknown>>;

const SHOWN_CHARS = 200;
const TYPE_WIDTH = 'user.reactivated'.length;

/**
 * `2026-05-17 14:35:23.313  #1234  user.updated  ann  created  "Ann"  role=admin  custom={"plan":"pro"}`, or for presence
 * `2026-05-17 14:35:23.313  online   ann`. Events that are not about a user have the user group, task or import in its
 * place: `…  #1240  import.updated  7c9e…  importing  1000/5000`
 */
export function formatEvent(event: Fields): string {
  const user = isObject(event.user) ? event.user : {};
  if (event.type === 'user.presence.changed') {
    return [
      time(event.created_at),
      (user.online === true ? 'online' : 'offline').padEnd('offline'.length),
      plain(String(user.id ?? '-')),
    ].join('  ');
  }
  const parts = [time(event.created_at), `#${String(event.seq ?? '?')}`, plain(String(event.type)).padEnd(TYPE_WIDTH)];
  if (isObject(event.user_group)) parts.push(...groupParts(event, event.user_group));
  else if (isObject(event.import_task)) parts.push(...importParts(event, event.import_task));
  else if (typeof event.task_id === 'string') parts.push(...exportParts(event, event.task_id));
  else parts.push(plain(String(user.id ?? '-')), ...(event.type === 'user.deleted' ? deletion(event) : description(event, user)));
  return parts.join('  ');
}

function groupParts({ members }: Fields, group: Fields): string[] {
  const named = [plain(String(group.id ?? '-')), quoted(group.name ?? '')];
  return Array.isArray(members) ? [...named, `members=${plain(members.join(','))}`] : named;
}

function importParts({ progress }: Fields, { id, state, result }: Fields): string[] {
  const parts = [plain(String(id ?? '-')), plain(String(state ?? '-'))];
  if (isObject(progress)) parts.push(`${String(progress.done)}/${String(progress.total)}`);
  const { failed = 0, reason } = isObject(result) ? result : {};
  if (failed !== 0) parts.push(`failed=${plain(String(failed))}`);
  if (typeof reason === 'string') parts.push(quoted(reason));
  return parts;
}

/** The link opens the file for anyone, so only `--json` shows it. */
function exportParts({ error }: Fields, taskId: string): string[] {
  return typeof error === 'string' ? [plain(taskId), quoted(error)] : [plain(taskId)];
}

/** `online now: ann, bob`, from a `presence.state`. */
export function formatPresenceState({ reset, online }: Fields): string {
  const ids = Array.isArray(online) ? online.map(String) : [];
  return `${reset === true ? 'online now' : 'online, too'}: ${ids.length === 0 ? 'nobody' : plain(ids.join(', '))}`;
}

function time(value: unknown): string {
  // Microseconds and the zone are noise for a person; --json has them.
  return typeof value === 'string' ? plain(value.replace('T', ' ').replace(/(\.\d{3})\d*Z$/, '$1')) : '-';
}

function deletion(event: Fields): string[] {
  return typeof event.delete_user === 'string' && event.delete_user !== '' ? [plain(event.delete_user)] : [];
}

function description(event: Fields, user: Fields): string[] {
  const parts: string[] = [];
  if (event.created === true) parts.push('created');
  if (typeof user.name === 'string') parts.push(quoted(user.name));
  if (typeof user.role === 'string' && user.role !== 'user') parts.push(`role=${plain(user.role)}`);
  if (Array.isArray(user.teams) && user.teams.length > 0) parts.push(`teams=${plain(user.teams.join(','))}`);
  if (isObject(user.custom) && Object.keys(user.custom).length > 0) parts.push(`custom=${quoted(user.custom)}`);
  return parts;
}

function quoted(value: unknown): string {
  return plain(JSON.stringify(value));
}

/** Makes text of users harmless, and cuts it. */
export function plain(text: string): string {
  return visible(shortened(text, SHOWN_CHARS));
}
