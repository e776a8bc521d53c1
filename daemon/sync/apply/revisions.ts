/** The revisions that users have now, for those that a plan touches: one list of the whole directory, read as it comes. */
import { IdMap } from '../id-map.ts';
import { type Reply, replyOf, type SyncServer, TransportError } from '../transport.ts';
import { BrokenList, readUserList } from '../user-list.ts';

/** Revision by id; 0 for those that do not exist. */
export class Revisions {
  /** Negative: the user is deactivated. */
  readonly #revs = new IdMap();

  /** Only users that were added are noted. */
  add(id: string): void {
    this.#revs.set(id, 0);
  }

  note(id: string, rev: number, isDeactivated: boolean): void {
    if (this.#revs.get(id) !== undefined) this.#revs.set(id, isDeactivated ? -rev : rev);
  }

  get(id: string): { readonly rev: number; readonly isDeactivated: boolean } {
    const rev = this.#revs.get(id) ?? 0;
    return { rev: Math.abs(rev), isDeactivated: rev < 0 };
  }

  /** What was noted is forgotten. */
  reset(): void {
    this.#revs.fill(0);
  }
}

const BODY_CHARS_MAX = 64 * 1024;

/**
 * Reads `GET /sync/users` to its end. Rejects with TransportError when it is not whole, so that it is asked for again; an answer
 * that is no such list is returned.
 */
export async function readRevisions(server: SyncServer, revisions: Revisions, signal: AbortSignal): Promise<Reply> {
  const { status, chunks } = await server.stream({ method: 'GET', path: '/sync/users' }, signal);
  if (status !== 200) return replyOf(status, await beginningOf(chunks));
  revisions.reset();
  try {
    await readUserList(chunks, ({ id, rev, isDeactivated }) => revisions.note(id, rev, isDeactivated));
  } catch (error) {
    throw error instanceof BrokenList ? new TransportError('the list of users broke off', { cause: error }) : error;
  }
  return replyOf(status, '');
}

async function beginningOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) {
    text += chunk.toString('utf8');
    if (text.length > BODY_CHARS_MAX) break;
  }
  return text;
}
