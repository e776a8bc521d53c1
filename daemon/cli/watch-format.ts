/** Writes a live event as one line for people. Pure. */
import { isObject } from '../../protocol/json.ts';

const SHOWN_CHARS = 200;
const TYPE_WIDTH = 'user.reactivated'.length;

/**
 * `2026-05-17 14:35:23.313  #1234  user.updated  ann  created  "Ann"  role=admin  custom={"plan":"pro"}`, or of someone who
 * came or went: `2026-05-17 14:35:23.313  online   ann`
 */
export function formatEvent(event: Readonly<Record<string, unknown>>): string {
  const user = isObject(event.user) ? event.user : {};
  if (event.type === 'user.presence.changed') {
    return [
      time(event.created_at),
      (user.online === true ? 'online' : 'offline').padEnd('offline'.length),
      plain(String(user.id ?? '-')),
    ].join('  ');
  }
  const parts = [
    time(event.created_at),
    `#${String(event.seq ?? '?')}`,
    plain(String(event.type)).padEnd(TYPE_WIDTH),
    plain(String(user.id ?? '-')),
  ];
  parts.push(...(event.type === 'user.deleted' ? deletion(event) : description(event, user)));
  return parts.join('  ');
}

/** `online now: ann, bob`, from a `presence.state`. */
export function formatPresenceState({ reset, online }: Readonly<Record<string, unknown>>): string {
  const ids = Array.isArray(online) ? online.map(String) : [];
  return `${reset === true ? 'online now' : 'online, too'}: ${ids.length === 0 ? 'nobody' : plain(ids.join(', '))}`;
}

function time(value: unknown): string {
  // Microseconds and the zone are noise for a person; --json has them.
  return typeof value === 'string' ? plain(value.replace('T', ' ').replace(/(\.\d{3})\d*Z$/, '$1')) : '-';
}

function deletion(event: Readonly<Record<string, unknown>>): string[] {
  return typeof event.delete_user === 'string' && event.delete_user !== '' ? [plain(event.delete_user)] : [];
}

function description(event: Readonly<Record<string, unknown>>, user: Readonly<Record<string, unknown>>): string[] {
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

/** What users wrote is shown, not obeyed: control characters could move the cursor, and direction marks reorder the line. */
export function plain(text: string): string {
  const cut = text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
