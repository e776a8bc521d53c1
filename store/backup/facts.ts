/** Facts about a directory from one pass over its lines: the number of lines of each kind, and the two digests. */
import { RevisionDigest } from '../../protocol/base/digest.ts';
import type { Position } from '../../protocol/base/position.ts';
import type { LineKind } from '../../protocol/log/directory-line.ts';
import { isAlive } from '../../protocol/users/user.ts';
import { ContentDigest } from './content-digest.ts';

/** Numbers and digests of one directory at one position. */
export interface DirectoryFacts {
  /** Living users, including deactivated ones. */
  readonly users: number;
  /** Deleted users: records that are kept, and tombstones. */
  readonly deleted: number;
  readonly documents: number;
  /** Of the content of living users; see content-digest.ts. */
  readonly content: string;
  /** Of ids and revisions of living users: equal to `digest` of the client library. */
  readonly revisions: string;
}

/** Like `DirectoryFacts`, with the position. */
export interface PlacedFacts extends DirectoryFacts {
  readonly position: Position;
}

export class FactCounter {
  readonly #content = new ContentDigest();
  readonly #revisions = new RevisionDigest();
  #users = 0;
  #deleted = 0;
  #documents = 0;

  add(line: LineKind): void {
    if (line.kind === 'user') {
      if (!isAlive(line.user)) {
        this.#deleted++;
        return;
      }
      this.#users++;
      this.#content.add(line.user);
      this.#revisions.add(line.user.id, line.user.rev);
    } else if (line.kind === 'gone') this.#deleted++;
    else if (line.kind === 'document') this.#documents++;
  }

  get facts(): DirectoryFacts {
    return {
      users: this.#users,
      deleted: this.#deleted,
      documents: this.#documents,
      content: String(this.#content),
      revisions: String(this.#revisions),
    };
  }
}
