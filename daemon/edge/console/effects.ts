/** What an endpoint does, by its route: the one place that decides what a sign-in with the role `read` may call. It keeps CO6 (daemon/RULES.md). */
import type { Endpoint } from '../http/endpoint.ts';

/** Questions that are too long for a query, so that they are sent by POST. */
const READING_POSTS: ReadonlySet<string> = new Set([
  'QueryTeamUsageStats',
  'GetFlagCount',
  'CheckSQS',
  'CheckSNS',
  'CompareUsers',
  'SimulateResume',
]);

/** `reads`: nothing is different after it. A new endpoint writes unless it is a GET, or is named above. */
export function effectOf({ method, operation }: Pick<Endpoint, 'method' | 'operation'>): 'reads' | 'writes' {
  return method === 'GET' || (method === 'POST' && READING_POSTS.has(operation)) ? 'reads' : 'writes';
}

/** Whether the console may call an endpoint at all: those for signed URLs, and those open to everyone, need no sign-in. */
export function isForConsole({ access, isStub }: Pick<Endpoint, 'access' | 'isStub'>): boolean {
  return access !== 'signed' && access !== 'open' && isStub !== true;
}
