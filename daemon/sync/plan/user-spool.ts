/** Keeps the good users of a source on the disk until the source as a whole is known to be good. */
import type { BatchLimits } from '../source.ts';
import type { SourceUser } from '../source-user.ts';
import { SpoolFile } from './spool.ts';

export class UserSpool {
  /** `<line> <id> <json>` of each user, in the order of the source. */
  readonly #file: SpoolFile;
  /** Users in it. */
  count = 0;

  constructor(path: string) {
    this.#file = new SpoolFile(path);
  }

  /** Bytes on the disk. */
  get bytes(): number {
    return this.#file.bytes;
  }

  /** Throws the system's error when the disk is full. */
  add({ line, id, json }: SourceUser): void {
    this.#file.add(`${line} ${id} ${json}`);
    this.count++;
  }

  /** All users again, in batches of at most this many users and bytes. */
  async *batches(limits: Pick<BatchLimits, 'users' | 'bytes'>): AsyncGenerator<readonly SourceUser[]> {
    let batch: SourceUser[] = [];
    let bytes = 0;
    for await (const lines of this.#file.lines()) {
      for (const line of lines) {
        const user = readUser(line);
        batch.push(user);
        bytes += user.bytes;
        if (batch.length < limits.users && bytes < limits.bytes) continue;
        yield batch;
        batch = [];
        bytes = 0;
      }
    }
    if (batch.length > 0) yield batch;
  }
}

function readUser(entry: string): SourceUser {
  const first = entry.indexOf(' ');
  const second = entry.indexOf(' ', first + 1);
  const json = entry.slice(second + 1);
  return { line: Number(entry.slice(0, first)), id: entry.slice(first + 1, second), json, bytes: Buffer.byteLength(json) };
}
