/**
 * The directory in memory: every user by id, with indexes by name and team,
 * the settings, the tasks and the recent entry ids. It changes only in `apply`,
 * which is fed from the log and holds no rules: the same entries give the same
 * directory everywhere. Deterministic: no clock, no randomness, no I/O.
 */
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { type CustomFact, type DeletedFact, type Entry, type Fact, lastSeq, type UserFact } from '../../../protocol/log/entry.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { BanIndex } from './ban-index.ts';
import { DeviceIndex } from './device-index.ts';
import { type DocLibrary, Docs } from './documents.ts';
import { Expiry } from './expiry.ts';
import { IdIndex } from './id-index.ts';
import { RoleCounts } from './role-counts.ts';
import { Usage, type UsagePeriod } from './usage.ts';

/** What a hard delete leaves: the id stays burned. */
export interface Tombstone {
  readonly id: string;
  /** Time of the delete, microseconds. */
  readonly gone_at: number;
}

export function isTombstone(record: StoredUser | Tombstone): record is Tombstone {
  return 'gone_at' in record;
}

/** The record, when it is that of a user that is not deleted. */
export function living(record: StoredUser | Tombstone | undefined): StoredUser | undefined {
  return record !== undefined && !isTombstone(record) && isAlive(record) ? record : undefined;
}

export function tombstoneOf(user: StoredUser): Tombstone {
  return { id: user.id, gone_at: user.deleted_at ?? user.updated_at };
}

/** What one fact did to one user: the raw material of an event. */
export interface UserChange {
  readonly seq: number;
  readonly fact: UserFact | DeletedFact | CustomFact;
  /** The living user before, if there was one. */
  readonly before: StoredUser | undefined;
  /** The user after. After a delete it is the marked record; it is no longer alive. */
  readonly after: StoredUser;
}

/** One line of a snapshot. Users and tombstones are most of it; the other kinds come first. */
export type DirectoryLine =
  | { readonly state: { readonly time: number; readonly app: AppSettings; readonly app_seq?: number; readonly entries: readonly string[] } }
  | { readonly doc: DocChange }
  | { readonly usage: UsagePeriod }
  | { readonly user: StoredUser }
  | { readonly gone: Tombstone };

/** Users indexed between two looks at the clock. */
const INDEXED_PER_STEP = 256;

export const DEFAULT_APP: AppSettings = { enforce_unique_usernames: 'no' };

export class Directory {
  /** Users and tombstones together: an id is never taken out, so a view can walk the map while it changes. */
  readonly #records = new Map<string, StoredUser | Tombstone>();
  /** Filled by `indexStep` after a snapshot was loaded, so that the daemon serves before a million names are indexed. */
  #unindexed: Iterator<StoredUser | Tombstone> | undefined;
  #isLoading = false;
  readonly #names = new IdIndex();
  readonly #teams = new IdIndex();
  readonly #docs = new Docs();
  /** Users by role; kept up while loading too. */
  readonly roles = new RoleCounts();
  readonly expiry = new Expiry();
  readonly bans = new BanIndex();
  readonly devices = new DeviceIndex();
  readonly usage = new Usage();
  readonly #entryIds = new Set<string>();
  readonly #views = new Set<FrozenView>();
  #app: AppSettings = DEFAULT_APP;
  #appSeq = 0;
  #epoch: string;
  #seq: number;
  #time = 0;
  #alive = 0;

  constructor(position: Position) {
    this.#epoch = position.epoch;
    this.#seq = position.seq;
  }

  get position(): Position {
    return { epoch: this.#epoch, seq: this.#seq };
  }

  get seq(): number {
    return this.#seq;
  }

  /** Time of the last entry, microseconds. */
  get time(): number {
    return this.#time;
  }

  get app(): AppSettings {
    return this.#app;
  }

  /** Position of the last change of the settings; 0 when they never changed. */
  get appSeq(): number {
    return this.#appSeq;
  }

  /** Users that are not deleted. */
  get size(): number {
    return this.#alive;
  }

  record(id: string): StoredUser | Tombstone | undefined {
    return this.#records.get(id);
  }

  /** The living user with this id. */
  user(id: string): StoredUser | undefined {
    return living(this.#records.get(id));
  }

  /** Everyone there is or was, deleted users and tombstones too. */
  records(): Iterable<StoredUser | Tombstone> {
    return this.#records.values();
  }

  *users(): Iterable<StoredUser> {
    for (const record of this.#records.values()) if (!isTombstone(record) && isAlive(record)) yield record;
  }

  /** Ids of living users whose name has this key (see `nameKey`). */
  idsByName(key: string): Iterable<string> {
    while (this.indexStep());
    return this.#names.get(key);
  }

  /** Keys of names with the id of the living user of that name, or the ids where they are several. Only what is indexed. */
  names(): Iterable<readonly [string, string | ReadonlySet<string>]> {
    return this.#names.entries();
  }

  /** The ids of living users of this name, and those of the members of these teams: whichever are fewer. */
  idsByNameOrTeams(key: string, teams: readonly string[]): Iterable<string> {
    while (this.indexStep());
    const members = teams.reduce((sum, team) => sum + this.#teams.count(team), 0);
    if (members >= this.#names.count(key)) return this.#names.get(key);
    return teams.flatMap((team) => [...this.#teams.get(team)]);
  }

  idsByTeam(team: string): Iterable<string> {
    while (this.indexStep());
    return this.#teams.get(team);
  }

  countInTeam(team: string): number {
    while (this.indexStep());
    return this.#teams.count(team);
  }

  /** Every team that has a living user, in no order. */
  teams(): Iterable<string> {
    while (this.indexStep());
    return this.#teams.keys();
  }

  get docs(): DocLibrary {
    return this.#docs;
  }

  /** Whether an entry with this id was applied lately: how a lost answer of the log is found out (LG5). */
  hasEntry(id: string): boolean {
    return this.#entryIds.has(id);
  }

  /** Applies one entry and says what it did to users, in order. The only way the directory changes. */
  apply(entry: Entry): UserChange[] {
    if (entry.first !== this.#seq + 1) throw new Error(`entry ${entry.first} does not follow position ${this.#seq}`);
    const changes: UserChange[] = [];
    let seq = entry.first;
    for (const fact of entry.facts) {
      const change = this.#applyFact(seq, fact);
      if (change !== undefined) changes.push(change);
      seq++;
    }
    this.#seq = lastSeq(entry);
    this.#time = entry.time;
    this.#rememberEntry(entry.id);
    return changes;
  }

  #applyFact(seq: number, fact: Fact): UserChange | undefined {
    switch (fact.t) {
      case 'user':
      case 'deleted': {
        const before = this.user(fact.user.id);
        this.#put(fact.t === 'deleted' && fact.mode === 'hard' ? tombstoneOf(fact.user) : fact.user, before);
        return { seq, fact, before, after: fact.user };
      }
      case 'custom':
        return { seq, fact, before: fact.user, after: fact.user };
      case 'doc':
        this.#putDoc(fact);
        return undefined;
      case 'app':
        this.#app = fact.app;
        this.#appSeq = seq;
        return undefined;
    }
  }

  #put(record: StoredUser | Tombstone, before: StoredUser | undefined): void {
    const held = this.#records.get(record.id);
    for (const view of this.#views) view.preserve(record.id, held);
    const after = living(record);
    this.#records.set(record.id, record);
    this.#alive += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    this.roles.changed(before, after);
    this.expiry.changed(before, after);
    this.devices.changed(before, after);
    this.bans.changed(before, after);
    if (this.#isLoading) return;
    this.usage.changed(held === undefined || isTombstone(held) ? undefined : held, after);
    if (before?.name !== after?.name) {
      if (before?.name !== undefined) this.#names.remove(nameKey(before.name), record.id);
      if (after?.name !== undefined) this.#names.add(nameKey(after.name), record.id);
    }
    if (before?.teams !== after?.teams) {
      // A team that stays keeps its place: whoever walks over a team meanwhile must not meet the user twice.
      for (const team of before?.teams ?? []) if (after?.teams.includes(team) !== true) this.#teams.remove(team, record.id);
      for (const team of after?.teams ?? []) this.#teams.add(team, record.id);
    }
  }

  #putDoc({ kind, id, doc }: DocChange): void {
    const before = this.#docs.put({ kind, id, doc } as DocChange);
    for (const view of this.#views) view.preserveDoc(before);
    if (kind !== 'task' || this.#docs.count('task') <= LIMITS.tasksKept) return;
    for (const old of this.#docs.all('task')) {
      if (old.status !== 'completed' && old.status !== 'failed') continue;
      this.#putDoc({ kind: 'task', id: old.id, doc: null });
      return;
    }
  }

  #rememberEntry(id: string): void {
    this.#entryIds.add(id);
    if (this.#entryIds.size <= LIMITS.requestIdsKept) return;
    for (const oldest of this.#entryIds) {
      this.#entryIds.delete(oldest);
      return;
    }
  }

  /**
   * The directory as it is now, readable while it goes on changing: what changes later is kept in its old form for the
   * view until `release`. Costs memory only for users that change while it is open.
   */
  freeze(): FrozenView {
    const head: DirectoryLine[] = [{ state: { time: this.#time, app: this.#app, app_seq: this.#appSeq, entries: [...this.#entryIds] } }];
    for (const usage of this.usage.lines()) head.push({ usage });
    return this.#view(head);
  }

  /** The same for who reads records and saves nothing: it does not copy what only a snapshot needs, such as the latest entry ids. */
  freezeRecords(): RecordsView {
    return this.#view([]);
  }

  #view(head: readonly DirectoryLine[]): FrozenView {
    const view = new FrozenView(this.position, this.#alive, head, this.#records, this.#docs, () => this.#views.delete(view));
    this.#views.add(view);
    return view;
  }

  /** Puts lines of a snapshot back. Only for an empty directory on its way to the snapshot's position. */
  load(lines: Iterable<DirectoryLine>): void {
    this.#isLoading = true;
    for (const line of lines) this.#loadLine(line);
    this.#isLoading = false;
    this.#unindexed = this.#records.values();
  }

  /** Whether the indexes by name and team hold everyone. Until then, asking them finishes them first. */
  get isIndexed(): boolean {
    return this.#unindexed === undefined;
  }

  /** Indexes some of the users that were loaded; false when all are. What changes meanwhile is indexed as it changes. */
  indexStep(): boolean {
    if (this.#unindexed === undefined) return false;
    for (let count = 0; count < INDEXED_PER_STEP; count++) {
      const next = this.#unindexed.next();
      if (next.done === true) {
        this.#unindexed = undefined;
        return false;
      }
      if (!isTombstone(next.value) && isAlive(next.value)) this.#index(next.value);
    }
    return true;
  }

  #index({ id, name, teams }: StoredUser): void {
    if (name !== undefined) this.#names.add(nameKey(name), id);
    for (const team of teams) this.#teams.add(team, id);
  }

  #loadLine(line: DirectoryLine): void {
    if ('user' in line) this.#put(line.user, undefined);
    else if ('gone' in line) this.#put(line.gone, undefined);
    else if ('doc' in line) this.#docs.put(line.doc);
    else if ('usage' in line) this.usage.load(line.usage);
    else {
      this.#app = line.state.app;
      // A snapshot that does not say when they changed may be from just after it.
      this.#appSeq = line.state.app_seq ?? this.#seq;
      this.#time = line.state.time;
      for (const id of line.state.entries) this.#entryIds.add(id);
    }
  }
}

/** A view for reading records; it has no lines to save. */
export type RecordsView = Pick<FrozenView, 'position' | 'size' | 'record' | 'user' | 'records' | 'users' | 'release'>;

/** The directory at one position, while the directory itself moves on. */
export class FrozenView {
  readonly position: Position;
  /** Living users at that position. */
  readonly size: number;
  readonly #head: readonly DirectoryLine[];
  readonly #records: ReadonlyMap<string, StoredUser | Tombstone>;
  /** Old forms of what changed since; undefined for an id that did not exist yet. */
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

  /** Called by the directory before a record changes. The first old form is the one that counts. */
  preserve(id: string, old: StoredUser | Tombstone | undefined): void {
    if (!this.#preserved.has(id)) this.#preserved.set(id, old);
  }

  /** The same for a document. */
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

  /** Each document once, also when it changes while this runs. */
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
