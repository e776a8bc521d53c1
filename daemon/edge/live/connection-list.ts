/**
 * The live connections in pages, in an order that the caller chooses, over all nodes. Each page looks at every connection of a node, in slices: the
 * sizes of queues change all the time, so no order of them could be kept.
 *
 * It keeps CO31 (daemon/RULES.md).
 */
import type { Walk } from '../../base/slices.ts';
import type { ConnectionsQuestion, ListedConnection, PlaceInList } from '../http/services.ts';

/** Connections between two yields of the walk. */
const LOOKED_AT_ONCE = 64;

/** A session, as far as the list needs it. */
export interface WalkedSession {
  readonly connectionId: string;
  readonly userId: string | undefined;
  readonly queuedBytes: number;
}

interface Candidate<S> extends PlaceInList {
  readonly session: S;
  readonly sinceMs: number;
}

/** The rows of one node, at most as many as the question asks for, and how many connections it has that the search finds. */
export interface PartOfList {
  readonly rows: readonly ListedConnection[];
  readonly total: number;
}

/** The first connections of one node after the place that the question names. */
export function* partOfList<S extends WalkedSession>(
  sessions: Iterable<readonly [S, number]>,
  question: ConnectionsQuestion,
  describe: (session: S, sinceMs: number) => ListedConnection,
): Walk<PartOfList> {
  const { search, after, limit } = question;
  const best: Candidate<S>[] = [];
  let [total, seen] = [0, 0];
  for (const [session, sinceMs] of sessions) {
    if (++seen % LOOKED_AT_ONCE === 0) yield;
    const { connectionId: id, userId } = session;
    if (search !== '' && userId?.startsWith(search) !== true && !id.startsWith(search)) continue;
    total++;
    const candidate = { session, sinceMs, id, value: question.sort === 'queue' ? session.queuedBytes : sinceMs };
    if (after === undefined || compare(question, candidate, after) > 0) keep(best, candidate, question, limit);
  }
  return { rows: best.map(({ session, sinceMs }) => describe(session, sinceMs)), total };
}

/** Puts it at its place among the first `limit`, or nowhere. */
function keep<S>(best: Candidate<S>[], candidate: Candidate<S>, question: ConnectionsQuestion, limit: number): void {
  let at = best.length;
  for (let before = best[at - 1]; before !== undefined && compare(question, candidate, before) < 0; before = best[at - 1]) at--;
  if (at >= limit) return;
  best.splice(at, 0, candidate);
  if (best.length > limit) best.pop();
}

/** The parts of all nodes in one order. `place`: of its last row, if rows follow. */
export function joinedList(parts: readonly PartOfList[], question: ConnectionsQuestion): PartOfList & { readonly place?: PlaceInList } {
  const placed = parts.flatMap(({ rows }) => rows.map((row) => ({ row, id: row.connection, value: sortedBy(question, row) })));
  placed.sort((a, b) => compare(question, a, b));
  const shown = placed.slice(0, question.limit);
  const last = shown.at(-1);
  const total = parts.reduce((sum, part) => sum + part.total, 0);
  // A node that sent a whole page may have more.
  const hasMore = placed.length > shown.length || parts.some(({ rows }) => rows.length === question.limit);
  const rows = shown.map(({ row }) => row);
  return { rows, total, ...(hasMore && last !== undefined ? { place: { value: last.value, id: last.id } } : undefined) };
}

function sortedBy({ sort }: ConnectionsQuestion, { queueBytes, sinceMs }: ListedConnection): number {
  return sort === 'queue' ? queueBytes : sinceMs;
}

/** The longest queue first, or the oldest or the newest connection; those that are alike by their id. */
function compare({ sort }: ConnectionsQuestion, a: PlaceInList, b: PlaceInList): number {
  const up = a.value - b.value || 0;
  const order = sort === 'oldest' ? up : -up;
  if (order !== 0) return order;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
