/** The current revisions of the users that a plan touches, from one streamed list of the whole directory. */
import { IdMap } from '../id-map.ts';
import { type Reply, replyOf, type SyncServer, TransportError } from '../transport.ts';
import { BrokenList, readUserList } from '../user-list.ts';

/** Revision by id; 0 for users that do not exist. */
export class Revisions {
  /** Negative: the user is deactivated. */
  readonly #revs = new IdMap();

  /** Adds a user to note. Other users are ignored. */
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

  /** Forgets the noted revisions. */
  reset(): void {
    this.#revs.fill(0);
  }
}

const BODY_CHARS_MAX = 64 * 1024;

/**
 * Reads `GET /sync/users` to its end. Rejects with TransportError when the list is not whole, so that it is asked for again.
 * Returns an answer that is no such list.
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
