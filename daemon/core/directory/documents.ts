/**
 * The documents of the directory, by kind and id, and by their keys (see `docKeys`).
 * Pure; iteration is in the order in which they were first put.
 */
import { DOC_KINDS, type Doc, type DocChange, type DocKind, docKeys, docTime } from '../../../protocol/log/documents.ts';
import { Timeline, type TimelinePage } from './timeline.ts';

/** The reading side, which a draft overlays and the edge uses. */
export interface DocReader {
  get<Kind extends DocKind>(kind: Kind, id: string): Doc<Kind> | undefined;
  all<Kind extends DocKind>(kind: Kind): Iterable<Doc<Kind>>;
  count(kind: DocKind): number;
  /** Documents with this key (see `docKeys`). */
  under<Kind extends DocKind>(kind: Kind, key: string): Iterable<Doc<Kind>>;
  countUnder(kind: DocKind, key: string): number;
}

/** The documents of the directory itself, which can also be paged by key. */
export interface DocLibrary extends DocReader {
  /** The documents of a stretch of time, newest first. Only for kinds that have a time. */
  newest<Kind extends DocKind>(kind: Kind, key: string, stretch: TimelinePage): Doc<Kind>[];
}

class Shelf {
  readonly docs = new Map<string, DocChange>();
  /** Ids by key; those of documents with a time are in order of time. */
  readonly keys = new Map<string, Set<string> | Timeline>();
}

export class Docs implements DocLibrary {
  readonly #shelves: Readonly<Record<DocKind, Shelf>> = {
    task: new Shelf(),
    role: new Shelf(),
    group: new Shelf(),
    import: new Shelf(),
    activity: new Shelf(),
    follow: new Shelf(),
    consumer: new Shelf(),
    outbox: new Shelf(),
    receipt: new Shelf(),
    lease: new Shelf(),
    sign_in: new Shelf(),
    plan: new Shelf(),
  };

  get<Kind extends DocKind>(kind: Kind, id: string): Doc<Kind> | undefined {
    return docOf<Kind>(this.#shelves[kind].docs.get(id));
  }

  *all<Kind extends DocKind>(kind: Kind): Iterable<Doc<Kind>> {
    for (const change of this.#shelves[kind].docs.values()) {
      const doc = docOf<Kind>(change);
      if (doc !== undefined) yield doc;
    }
  }

  count(kind: DocKind): number {
    return this.#shelves[kind].docs.size;
  }

  *under<Kind extends DocKind>(kind: Kind, key: string): Iterable<Doc<Kind>> {
    for (const id of this.#shelves[kind].keys.get(key) ?? []) {
      const doc = this.get(kind, id);
      if (doc !== undefined) yield doc;
    }
  }

  countUnder(kind: DocKind, key: string): number {
    return this.#shelves[kind].keys.get(key)?.size ?? 0;
  }

  newest<Kind extends DocKind>(kind: Kind, key: string, stretch: TimelinePage): Doc<Kind>[] {
    const ids = this.#shelves[kind].keys.get(key);
    if (!(ids instanceof Timeline)) return [];
    return ids.newest(stretch).flatMap((id) => this.get(kind, id) ?? []);
  }

  /** Puts or deletes a document. Returns the change that would restore the previous state. */
  put(change: DocChange): DocChange {
    const { docs } = this.#shelves[change.kind];
    const before = docs.get(change.id);
    if (before !== undefined) this.#unlist(before);
    if (change.doc === null) docs.delete(change.id);
    else docs.set(change.id, change);
    this.#list(change);
    return before ?? ({ ...change, doc: null } as DocChange);
  }

  #list(change: DocChange): void {
    const { keys } = this.#shelves[change.kind];
    const time = docTime(change);
    for (const key of docKeys(change)) {
      const ids = keys.get(key) ?? (time === undefined ? new Set<string>() : new Timeline());
      keys.set(key, ids);
      if (ids instanceof Set) ids.add(change.id);
      else if (time !== undefined) ids.add({ time, id: change.id });
    }
  }

  #unlist(change: DocChange): void {
    const { keys } = this.#shelves[change.kind];
    const time = docTime(change);
    for (const key of docKeys(change)) {
      const ids = keys.get(key);
      if (ids instanceof Set) ids.delete(change.id);
      else if (time !== undefined) ids?.remove({ time, id: change.id });
      if (ids?.size === 0) keys.delete(key);
    }
  }

  *changes(): Iterable<DocChange> {
    for (const kind of DOC_KINDS) yield* this.#shelves[kind].docs.values();
  }
}

/** The shelf of a kind holds only documents of that kind, because `put` alone fills it. */
function docOf<Kind extends DocKind>(change: DocChange | undefined): Doc<Kind> | undefined {
  return (change?.doc ?? undefined) as Doc<Kind> | undefined;
}

/** The documents as they will be after changes that are not in the directory yet. */
export class DraftDocs implements DocReader {
  readonly #base: DocReader;
  readonly #changes = new Map<string, DocChange>();

  constructor(base: DocReader) {
    this.#base = base;
  }

  get<Kind extends DocKind>(kind: Kind, id: string): Doc<Kind> | undefined {
    const change = this.#changes.get(`${kind} ${id}`);
    return change === undefined ? this.#base.get(kind, id) : docOf<Kind>(change);
  }

  *all<Kind extends DocKind>(kind: Kind): Iterable<Doc<Kind>> {
    yield* this.#overlaid(kind, this.#base.all(kind), () => true);
  }

  count(kind: DocKind): number {
    let count = this.#base.count(kind);
    for (const change of this.#changes.values()) {
      if (change.kind !== kind) continue;
      const wasThere = this.#base.get(kind, change.id) !== undefined;
      count += (change.doc === null ? 0 : 1) - (wasThere ? 1 : 0);
    }
    return count;
  }

  countUnder(kind: DocKind, key: string): number {
    let count = this.#base.countUnder(kind, key);
    for (const change of this.#changes.values()) {
      if (change.kind !== kind) continue;
      const before = this.#base.get(kind, change.id);
      if (docKeys(change).includes(key)) count++;
      if (before !== undefined && docKeys({ kind, id: change.id, doc: before } as DocChange).includes(key)) count--;
    }
    return count;
  }

  *under<Kind extends DocKind>(kind: Kind, key: string): Iterable<Doc<Kind>> {
    yield* this.#overlaid(kind, this.#base.under(kind, key), (change) => docKeys(change).includes(key));
  }

  *#overlaid<Kind extends DocKind>(kind: Kind, base: Iterable<Doc<Kind>>, isWanted: (change: DocChange) => boolean): Iterable<Doc<Kind>> {
    const mine = [...this.#changes.values()].filter((change) => change.kind === kind);
    const hidden = new Set(mine.map((change) => this.#base.get(kind, change.id)));
    for (const doc of base) if (!hidden.has(doc)) yield doc;
    for (const change of mine) {
      const doc = docOf<Kind>(change);
      if (doc !== undefined && isWanted(change)) yield doc;
    }
  }

  put(change: DocChange): void {
    this.#changes.set(`${change.kind} ${change.id}`, change);
  }

  clear(): void {
    this.#changes.clear();
  }
}
