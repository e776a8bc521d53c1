/** The list of a directory's users (`GET /sync/users`), read as it arrives and believed only when it is whole. */
import { isUserId } from '../../protocol/base/ids.ts';
import { parseObject } from '../../protocol/base/json.ts';
import { readLines } from './line-reader.ts';

/** The list of the directory's users is invalid. */
export class BrokenList extends Error {
  constructor(reason: string) {
    super(`the list of the directory's users (GET /sync/users) cannot be used: ${reason}`);
    this.name = 'BrokenList';
  }
}

export interface ListedUser {
  readonly id: string;
  readonly rev: number;
  readonly isDeactivated: boolean;
}

const LIST_LINE_BYTES = 4 * 1024;

/** Calls `note` for each user. Rejects with BrokenList, TransportError; the users noted before are then of no use. */
export async function readUserList(chunks: AsyncIterable<Buffer>, note: (user: ListedUser) => void): Promise<void> {
  const list = new UserList(note);
  for await (const lines of readLines(chunks, LIST_LINE_BYTES)) for (const { content } of lines) list.add(content);
  list.end();
}

class UserList {
  readonly #note: (user: ListedUser) => void;
  #promised: number | undefined;
  #count = 0;
  #isEnded = false;

  constructor(note: (user: ListedUser) => void) {
    this.#note = note;
  }

  add(content: Buffer | undefined): void {
    const line = content === undefined ? undefined : parseObject(content.toString('utf8'));
    if (line === undefined) throw new BrokenList(`line ${this.#count + 2} is no JSON object`);
    if (this.#isEnded) throw new BrokenList('something follows its end');
    if (this.#promised === undefined) this.#promised = countIn(line);
    else if (line.end === true) {
      this.#isEnded = true;
      if (countIn(line) !== this.#count) throw new BrokenList(`its end counts ${countIn(line)} users, but it holds ${this.#count}`);
    } else this.#user(line);
  }

  end(): void {
    if (!this.#isEnded || this.#promised !== this.#count) throw new BrokenList(`it broke off after ${this.#count} users`);
  }

  #user({ id, rev, deactivated }: Record<string, unknown>): void {
    if (typeof id !== 'string' || !isUserId(id) || typeof rev !== 'number') throw new BrokenList(`line ${this.#count + 2} names no user`);
    this.#count++;
    this.#note({ id, rev, isDeactivated: deactivated === true });
  }
}

function countIn(line: Record<string, unknown>): number {
  if (typeof line.count !== 'number') throw new BrokenList('it does not say how many users it holds');
  return line.count;
}
