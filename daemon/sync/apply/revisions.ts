/** The revisions that users have now, for those that a plan touches: one list of the whole directory, read as it comes. */
import { isObject } from '../../../protocol/base/json.ts';
import { readLines } from '../line-reader.ts';
import type { PlanServer } from '../plan/plan-types.ts';
import { type Answer, TransportError } from '../transport.ts';

/** A Map ends at 2^24 entries: users are spread over several by the end of their ids, which is where ids differ most. */
const MAPS = 16;

/** Revision by id; 0 for those that do not exist. About 80 bytes each. */
export class Revisions {
  /** Negative: the user is deactivated. */
  readonly #maps: readonly Map<string, number>[] = Array.from({ length: MAPS }, () => new Map<string, number>());

  /** Only users that were added are noted. */
  add(id: string): void {
    this.#mapOf(id).set(id, 0);
  }

  note(id: string, rev: number, isDeactivated: boolean): void {
    const map = this.#mapOf(id);
    if (map.has(id)) map.set(id, isDeactivated ? -rev : rev);
  }

  get(id: string): { readonly rev: number; readonly isDeactivated: boolean } {
    const rev = this.#mapOf(id).get(id) ?? 0;
    return { rev: Math.abs(rev), isDeactivated: rev < 0 };
  }

  /** What was noted is forgotten. */
  reset(): void {
    for (const map of this.#maps) for (const id of map.keys()) map.set(id, 0);
  }

  #mapOf(id: string): Map<string, number> {
    const map = this.#maps[(id.codePointAt(id.length - 1) ?? 0) % MAPS];
    if (map === undefined) throw new Error('there is a map for every remainder');
    return map;
  }
}

/**
 * Reads `GET /sync/users` to its end. Rejects with TransportError when it breaks off, so that it is asked for again; an answer
 * that is no such list is returned.
 */
export async function readRevisions(server: PlanServer, revisions: Revisions, signal: AbortSignal): Promise<Answer> {
  const { status, chunks } = await server.stream({ method: 'GET', path: '/sync/users' }, signal);
  const answer = (body: string): Answer => ({ status, header: () => undefined, body });
  if (status !== 200) return answer(await firstOf(chunks));
  revisions.reset();
  let lines = 0;
  for await (const raws of readLines(chunks)) {
    for (const { content } of raws) {
      const line: unknown = parse(content);
      if (!isObject(line)) throw new TransportError('the list of users holds a line that is none');
      if (line.end === true && line.count === lines) return answer('');
      if (typeof line.id !== 'string' || typeof line.rev !== 'number') continue;
      lines++;
      revisions.note(line.id, line.rev, line.deactivated === true);
    }
  }
  throw new TransportError('the list of users broke off');
}

const BODY_CHARS_MAX = 64 * 1024;

async function firstOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) {
    text += chunk.toString('utf8');
    if (text.length > BODY_CHARS_MAX) break;
  }
  return text;
}

function parse(content: Buffer | undefined): unknown {
  try {
    return content === undefined ? undefined : JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
}
