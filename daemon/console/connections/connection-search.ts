/** The question of the connections page, and what it says of the answer. Pure. */
import { whole } from '../parts/amounts.ts';
import type { ApiCall } from '../talk/api-call.ts';

export const CONNECTIONS_PER_PAGE = 50;
export const CONNECTION_SORTS = ['queue', 'newest', 'oldest'] as const;
export type ShownSort = (typeof CONNECTION_SORTS)[number];

/** As `/connections` lists it. `connected_at`: nanoseconds since 1970. */
export interface ShownConnection {
  readonly connection_id: string;
  readonly user_id: string | null;
  readonly transport: string;
  readonly connected_at: number;
  readonly address: string | null;
  readonly queue_bytes: number;
  readonly subscriptions: number;
  readonly sent_seq: number | null;
  readonly consumer: string | null;
  readonly acknowledged_seq: number | null;
  readonly node?: string;
}

export interface ConnectionSearch {
  readonly text: string;
  readonly sort: ShownSort;
}

/** From the parameters of the address. */
export function connectionSearchOf(query: URLSearchParams): ConnectionSearch {
  return { text: query.get('q') ?? '', sort: CONNECTION_SORTS.find((one) => one === query.get('sort')) ?? 'queue' };
}

export function connectionQueryOf({ text, sort }: ConnectionSearch): Readonly<Record<string, string>> {
  return { q: text, sort: sort === 'queue' ? '' : sort };
}

/** `next`: of the page before; empty for the first one. */
export function connectionsCall({ text, sort }: ConnectionSearch, next: string): ApiCall {
  const query = new URLSearchParams({ sort, limit: String(CONNECTIONS_PER_PAGE) });
  if (text.trim() !== '') query.set('search', text.trim());
  if (next !== '') query.set('next', next);
  return { method: 'GET', path: `/api/v2/connections?${query}` };
}

export function foundText(total: number, shown: number, page: number): string {
  if (total === 0) return 'No connection found.';
  const all = `${whole(total)} ${total === 1 ? 'connection' : 'connections'}`;
  return shown >= total ? `${all}.` : `${all}; page ${page} shows ${shown}.`;
}

/** How far the client is, in words. */
export function positionsText({ sent_seq, consumer, acknowledged_seq }: ShownConnection): string {
  const sent = sent_seq === null ? '' : `sent up to #${sent_seq}`;
  const acknowledged = consumer === null ? '' : `consumer ${consumer} acknowledged #${acknowledged_seq ?? 0}`;
  return [sent, acknowledged].filter((text) => text !== '').join(', ');
}
