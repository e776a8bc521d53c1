/** The directory at one position, while the directory itself moves on. Deterministic. */
import type { Position } from '../../../protocol/base/position.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Docs } from './documents.ts';
import { type DirectoryLine, isTombstone, living, type Tombstone } from './record.ts';

/** A view for reading records; it has no lines to save. */
export type RecordsView = Pick<FrozenView, 'position' | 'size' | 'record' | 'user' | 'records' | 'users' | 'release'>;

/** The directory at one position, while the directory itself moves on. */
export class FrozenView {
  readonly position: Position;
  /** Living users at that position. */
  readonly size: number;
  readonly #head: readonly DirectoryLine[];
  readonly #records: ReadonlyMap<string, StoredUser | Tombstone>;
  /** Old forms of records that changed since; undefined for an id that did not exist yet. */
  readonly #preserved = new Map<string, StoredUser | Tombstone | undefined>();
  readonly #docs: Docs;
  /** Old forms of documents that changed since, by kind and id. */
  readonly #oldDocs = new Map<string, DocChange>();
  readonly #onRelease: () => void;

  constructor(
    position: Position,
    size: number,
    head: readonly DirectoryLine[],
    records: ReadonlyMap<string, StoredUser | Tombstone>,
    docs: Docs,
    onRelease: () => void,
  ) {
    this.position = position;
    this.size = size;
    this.#head = head;
    this.#records = records;
    this.#docs = docs;
    this.#onRelease = onRelease;
  }

  /** The directory calls this before a record changes. The first old form counts. */
  preserve(id: string, old: StoredUser | Tombstone | undefined): void {
    if (!this.#preserved.has(id)) this.#preserved.set(id, old);
  }

  /** Like `preserve`, for a document. */
  preserveDoc(old: DocChange): void {
    const key = `${old.kind} ${old.id}`;
    if (!this.#oldDocs.has(key)) this.#oldDocs.set(key, old);
  }

  record(id: string): StoredUser | Tombstone | undefined {
    return this.#preserved.has(id) ? this.#preserved.get(id) : this.#records.get(id);
  }

  user(id: string): StoredUser | undefined {
    return living(this.record(id));
  }

  *records(): Iterable<StoredUser | Tombstone> {
    for (const [id, current] of this.#records) {
      const record = this.#preserved.size > 0 && this.#preserved.has(id) ? this.#preserved.get(id) : current;
      if (record !== undefined) yield record;
    }
  }

  *users(): Iterable<StoredUser> {
    for (const record of this.records()) if (!isTombstone(record) && isAlive(record)) yield record;
  }

  /** Each document once, even when it changes during the iteration. */
  *#docLines(): Iterable<DirectoryLine> {
    const told = new Set<string>();
    for (const doc of this.#docs.changes()) {
      const key = `${doc.kind} ${doc.id}`;
      if (this.#oldDocs.has(key)) continue;
      told.add(key);
      yield { doc };
    }
    for (const [key, doc] of this.#oldDocs) if (doc.doc !== null && !told.has(key)) yield { doc };
  }

  *lines(): Iterable<DirectoryLine> {
    yield* this.#head;
    yield* this.#docLines();
    for (const record of this.records()) yield isTombstone(record) ? { gone: record } : { user: record };
  }

  release(): void {
    this.#preserved.clear();
    this.#oldDocs.clear();
    this.#onRelease();
  }
}
