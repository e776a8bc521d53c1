/** The directory at one position, while the directory itself moves on. Deterministic. */
import type { Position } from '../../../protocol/base/position.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Docs } from './documents.ts';
import type { OldForms } from './old-forms.ts';
import { type DirectoryLine, isTombstone, living, type Tombstone } from './record.ts';
import type { PackedRecords } from './records/definitions.ts';
import type { RecordStore } from './records/record-store.ts';

/** A view for reading records; it has no lines to save. */
export type RecordsView = Pick<FrozenRecords, keyof FrozenRecords>;

/** What a view reads: the current state, and the old forms of what changed since. */
export interface ViewSources {
  readonly position: Position;
  /** Living users at that position. */
  readonly size: number;
  readonly records: Pick<RecordStore, 'get' | 'values' | 'scan' | 'packed'>;
  /** Under an id that did not exist yet: undefined. */
  readonly oldRecords: OldForms<StoredUser | Tombstone | undefined>;
}

/** The records at one position. */
export class FrozenRecords {
  readonly position: Position;
  readonly size: number;
  readonly #records: ViewSources['records'];
  readonly #old: ViewSources['oldRecords'];
  readonly #number: number;

  constructor({ position, size, records, oldRecords }: ViewSources) {
    this.position = position;
    this.size = size;
    this.#records = records;
    this.#old = oldRecords;
    this.#number = oldRecords.open();
  }

  record(id: string): StoredUser | Tombstone | undefined {
    const old = this.#old.find(this.#number, id);
    return old === undefined ? this.#records.get(id) : old.form;
  }

  user(id: string): StoredUser | undefined {
    return living(this.record(id));
  }

  records(): Iterable<StoredUser | Tombstone> {
    return this.#shown(this.#records.values());
  }

  /** Like `records`, for walks that look at few fields: see `RecordStore.scan`. */
  scan(): Iterable<StoredUser | Tombstone> {
    return this.#shown(this.#records.scan());
  }

  *#shown(records: Iterable<StoredUser | Tombstone>): Iterable<StoredUser | Tombstone> {
    for (const current of records) {
      const old = this.#old.size > 0 ? this.#old.find(this.#number, current.id) : undefined;
      const record = old === undefined ? current : old.form;
      if (record !== undefined) yield record;
    }
  }

  protected packedRecords(): Iterable<PackedRecords> {
    return this.#records.packed((user) => (this.#old.size > 0 ? this.#old.find(this.#number, user.id) : undefined));
  }

  *users(): Iterable<StoredUser> {
    for (const record of this.records()) if (!isTombstone(record) && isAlive(record)) yield record;
  }

  release(): void {
    this.#old.close(this.#number);
  }
}

/** Everything at one position, for saving it. */
export class FrozenView extends FrozenRecords {
  readonly #head: readonly DirectoryLine[];
  readonly #docs: Docs;
  /** By kind and id. */
  readonly #oldDocs: OldForms<DocChange>;
  readonly #docsNumber: number;

  constructor(sources: ViewSources, head: readonly DirectoryLine[], docs: Docs, oldDocs: OldForms<DocChange>) {
    super(sources);
    this.#head = head;
    this.#docs = docs;
    this.#oldDocs = oldDocs;
    this.#docsNumber = oldDocs.open();
  }

  /** Each document once, even when it changes during the iteration. */
  *#docLines(): Iterable<DirectoryLine> {
    const told = new Set<string>();
    for (const doc of this.#docs.changes()) {
      const key = docKey(doc);
      if (this.#oldDocs.find(this.#docsNumber, key) !== undefined) continue;
      told.add(key);
      yield { doc };
    }
    for (const [key, doc] of this.#oldDocs.changed(this.#docsNumber)) if (doc.doc !== null && !told.has(key)) yield { doc };
  }

  /** For a snapshot: the records in blocks, which are saved and loaded without a look at their values. */
  packed(): { readonly position: Position; readonly isPacked: true; lines(): Iterable<DirectoryLine> } {
    return { position: this.position, isPacked: true, lines: () => this.#packedLines() };
  }

  *#packedLines(): Iterable<DirectoryLine> {
    yield* this.#head;
    yield* this.#docLines();
    yield* this.packedRecords();
  }

  *lines(): Iterable<DirectoryLine> {
    yield* this.#head;
    yield* this.#docLines();
    for (const record of this.records()) yield isTombstone(record) ? { gone: record } : { user: record };
  }

  override release(): void {
    super.release();
    this.#oldDocs.close(this.#docsNumber);
  }
}

/** The key under which old forms of a document are kept. */
export function docKey({ kind, id }: DocChange): string {
  return `${kind} ${id}`;
}
