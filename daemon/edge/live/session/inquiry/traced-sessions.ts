/** What is known of sessions, open or ended lately, for an operator who asks. */
import type { LiveSession, SessionRegistry } from '../registry.ts';
import { tracedOpen } from './ended-sessions.ts';
import type { TracedSession } from './explain.ts';

/** Open sessions, and ended ones, in one list. */
const LISTED_MAX = 50;

type Registry = Pick<SessionRegistry, 'find' | 'of' | 'all' | 'openedMs' | 'ended'>;

/** What is known of a session, open or ended lately. */
export function tracedSession(sessions: Registry, connection: string): TracedSession | undefined {
  const session = sessions.find(connection);
  return (session === undefined ? undefined : traced(sessions, session)) ?? sessions.ended.find(connection);
}

/** The sessions of a user, or those of servers, that are open, and those that ended lately, newest first. */
export function tracedSessions(sessions: Registry, userId: string | undefined): readonly TracedSession[] {
  const open: TracedSession[] = [];
  const own = userId === undefined ? sessions.all : sessions.of(userId).map(({ connection }) => sessions.find(connection));
  for (const session of own) {
    const found = session?.userId === userId && session !== undefined ? traced(sessions, session) : undefined;
    if (found !== undefined) open.push(found);
    if (open.length >= LISTED_MAX) break;
  }
  return [...open, ...sessions.ended.of(userId).slice(0, LISTED_MAX)];
}

function traced(sessions: Registry, session: LiveSession): TracedSession | undefined {
  const { connectionId: connection, userId, trace } = session;
  return trace === undefined ? undefined : tracedOpen({ connection, userId, openedMs: sessions.openedMs(session) }, trace);
}
