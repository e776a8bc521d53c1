/**
 * The directory in memory: every user by id, with indexes by name and team, the settings, the documents and the recent entry ids. It
 * changes only in `apply`, which is fed from the log and holds no rules: the same entries give the same directory everywhere.
 */

import type { AppSettings } from '../../../protocol/app/settings.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { type Entry, type Fact, lastSeq } from '../../../protocol/log/entry.ts';
import { NAME_KEY_VERSION } from '../../../protocol/users/names.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { BanIndex } from './ban-index.ts';
import { DeviceIndex } from './device-index.ts';
import { type DocLibrary, Docs } from './documents.ts';
import { Expiry } from './expiry.ts';
import { docKey, FrozenRecords, FrozenView, type RecordsView, type ViewSources } from './frozen-view.ts';
import { IdOrder } from './indexes/id-order.ts';
import { LookupIndex } from './indexes/lookup-index.ts';
import { NO_KEY } from './keyed-hash.ts';
import { OldForms } from './old-forms.ts';
import { RecentIds } from './recent-ids.ts';
import { type DirectoryLine, isTombstone, living, type Tombstone, tombstoneOf, type UserChange } from './record.ts';
import { isPacked } from './records/definitions.ts';
import { RecordStore, type RecordViews } from './records/record-store.ts';
import { livingView, type UserView } from './records/user-view.ts';
import { Usage } from './usage.ts';
import { ReporterCounts, RoleCounts, UserStates } from './user-counts.ts';

/** Users indexed between two checks of the clock. */
const INDEXED_PER_STEP = 256;

export const DEFAULT_APP: AppSettings = { enforce_unique_usernames: 'no' };

export class Directory {
  /** Users and tombstones together. An id is never removed, so a view can walk them while they change. */
  readonly #records: RecordStore;
  /** The rows that `indexStep` still has to index; the daemon serves before a million names are indexed. */
  readonly #unindexed = { from: 0, to: 0 };
  #isIndexedLater = false;
  #isLoading = false;
  readonly #lookup: LookupIndex;
  /** Of all records, once `isIndexed`. */
  readonly order: IdOrder;
  readonly #docs = new Docs();
  readonly docs: DocLibrary = this.#docs;
  /** Users by role; kept up to date while loading too. */
  readonly roles = new RoleCounts();
  readonly reporters = new ReporterCounts();
  readonly states = new UserStates();
  readonly expiry = new Expiry();
  readonly bans = new BanIndex();
  readonly devices = new DeviceIndex();
  readonly usage = new Usage();
  readonly #entryIds = new RecentIds(LIMITS.requestIdsKept);
  readonly #oldRecords: ViewSources['oldRecords'] = new OldForms();
  readonly #oldDocs = new OldForms<DocChange>();
  #app: AppSettings = DEFAULT_APP;
  #appSeq = 0;
  #epoch: string;
  #seq: number;
  #time = 0;
  /** Version of the keys by which the names of the snapshot were compared. It stays until no two users hold one name. */
  nameKeyVersion = NAME_KEY_VERSION;

  /** `hashKey`: for ids, names and teams, which clients choose. */
  constructor(position: Position, hashKey = NO_KEY) {
    this.#records = new RecordStore(hashKey);
    this.#lookup = new LookupIndex(hashKey);
    this.order = new IdOrder((row) => this.#records.id(row));
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

  /** The seq of the last change of the settings; 0 when they never changed. */
  get appSeq(): number {
    return this.#appSeq;
  }

  /** Users that are not deleted. */
  get size(): number {
    return this.states.alive;
  }

  record(id: string): StoredUser | Tombstone | undefined {
    return this.#records.get(id);
  }

  /** The living user with this id. */
  user(id: string): StoredUser | undefined {
    return living(this.#records.get(id));
  }

  /** All records, including deleted users and tombstones. */
  records(): Iterable<StoredUser | Tombstone> {
    return this.#records.values();
  }

  /** The records as queries walk and read them. */
  get bytes(): RecordViews {
    return this.#records;
  }

  *users(): Iterable<StoredUser> {
    for (const record of this.#records.values()) if (!isTombstone(record) && isAlive(record)) yield record;
  }

  /** The indexes by name and team, once all users are in them: that may take long after a snapshot was loaded (see `indexStep`). */
  get lookup(): LookupIndex {
    while (this.indexStep());
    return this.#lookup;
  }

  /** Whether an entry with this id was applied recently. It settles an append whose answer was lost (LG5). */
  hasEntry(id: string): boolean {
    return this.#entryIds.has(id);
  }

  /** Applies one entry and returns its changes to users, in order. The only way to change the directory. */
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
    this.#entryIds.add(entry.id);
    return changes;
  }

  #applyFact(seq: number, fact: Fact): UserChange | undefined {
    switch (fact.t) {
      case 'user':
      case 'deleted': {
        const held = this.record(fact.user.id);
        this.#put(fact.t === 'deleted' && fact.mode === 'hard' ? tombstoneOf(fact.user) : fact.user, held);
        return { seq, fact, before: living(held), after: fact.user };
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

  /** Keeps a record in place of the one that its id has. */
  #put(record: StoredUser | Tombstone, held: StoredUser | Tombstone | undefined): void {
    this.#oldRecords.keep(record.id, held);
    const [before, after] = [living(held), living(record)];
    const row = this.#records.set(record, !this.#isLoading);
    this.#count(held === undefined, before, after);
    if (this.#isLoading) return;
    this.usage.changed(held === undefined || isTombstone(held) ? undefined : held, after);
    if (this.#isIndexedLater) this.#unindexed.to = this.#records.size;
    // Its turn comes.
    if (row >= this.#unindexed.from && row < this.#unindexed.to) return;
    if (held === undefined) this.order.add(row, record.id);
    this.#lookup.changed(row, before, after);
  }

  /** Keeps up to date what is complete while loading, too. */
  #count(isNew: boolean, before: StoredUser | undefined, after: StoredUser | undefined): void {
    this.states.changed(isNew, before, after);
    this.roles.changed(before, after);
    this.reporters.changed(before, after);
    this.expiry.changed(before, after);
    this.devices.changed(before, after);
    this.bans.changed(before, after);
  }

  #putDoc({ kind, id, doc }: DocChange): void {
    const before = this.#docs.put({ kind, id, doc } as DocChange);
    this.#oldDocs.keep(docKey(before), before);
    if (kind !== 'task' || this.#docs.count('task') <= LIMITS.tasksKept) return;
    for (const old of this.#docs.all('task')) {
      if (old.status !== 'completed' && old.status !== 'failed') continue;
      this.#putDoc({ kind: 'task', id: old.id, doc: null });
      return;
    }
  }

  /**
   * The directory as it is now, readable while it goes on changing: the old form of each record that changes later is kept, once for all
   * views that show it, until their `release`. A view costs memory only for records that change while it is open.
   */
  freeze(): FrozenView {
    const entries = [...this.#entryIds];
    const state = { time: this.#time, app: this.#app, app_seq: this.#appSeq, entries, names: this.nameKeyVersion };
    const head: DirectoryLine[] = [{ state }];
    for (const usage of this.usage.lines()) head.push({ usage });
    return new FrozenView(this.#sources, head, this.#docs, this.#oldDocs);
  }

  /** Like `freeze`, for reading records only: it copies nothing, and keeps no documents. */
  freezeRecords(): RecordsView {
    return new FrozenRecords(this.#sources);
  }

  get #sources(): ViewSources {
    return { position: this.position, size: this.states.alive, records: this.#records, oldRecords: this.#oldRecords };
  }

  /** Loads lines of a snapshot. Only for an empty directory that was created at the snapshot's position. */
  load(lines: Iterable<DirectoryLine>): void {
    this.#isLoading = true;
    for (const line of lines) this.#loadLine(line);
    this.#isLoading = false;
    this.#unindexed.to = this.#records.size;
  }

  /** Many users are about to be added, in a directory none of which is indexed yet: until the first `indexStep`, none is. */
  indexLater(): void {
    this.#isIndexedLater = true;
  }

  /** Whether the indexes by name and team, and the order of ids, are complete. Until then, a lookup in them completes them first. */
  get isIndexed(): boolean {
    return this.#unindexed.from === this.#unindexed.to;
  }

  /** Indexes some of the users that are not; false when all are indexed. Users that are added meanwhile are indexed as they are. */
  indexStep(): boolean {
    this.#isIndexedLater = false;
    const { from, to } = this.#unindexed;
    this.#unindexed.from = Math.min(from + INDEXED_PER_STEP, to);
    let view: UserView | undefined;
    for (let row = from; row < this.#unindexed.from; row++) {
      view = this.#records.viewOf(row, view);
      this.order.add(row, view.id);
      this.#lookup.changed(row, undefined, livingView(view));
    }
    return !this.isIndexed;
  }

  #loadLine(line: DirectoryLine): void {
    if ('user' in line) this.#put(line.user, this.record(line.user.id));
    else if ('gone' in line) this.#put(line.gone, this.record(line.gone.id));
    else if (isPacked(line)) this.#records.load(line, (user) => this.#count(true, undefined, livingView(user)));
    else if ('doc' in line) this.#docs.put(line.doc);
    else if ('usage' in line) this.usage.load(line.usage);
    else {
      this.#app = line.state.app;
      // A snapshot without `app_seq` may date from just after a change of the settings.
      this.#appSeq = line.state.app_seq ?? this.#seq;
      this.#time = line.state.time;
      this.nameKeyVersion = line.state.names ?? 1;
      for (const id of line.state.entries) this.#entryIds.add(id);
    }
  }
}
