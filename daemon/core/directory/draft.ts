/**
 * The directory as it will be after the facts decided so far; `decide` reads and
 * writes it. Within a batch, a later command sees the effect of an earlier one. The
 * facts of a command are staged until `commit`; `discard` leaves no trace. Pure.
 */
import type { AppSettings } from '../../../protocol/app/settings.ts';
import type { Actor } from '../../../protocol/base/actor.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { DeletedFact, Fact, Origin, UserFact } from '../../../protocol/log/entry.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { changedFields } from './changed-fields.ts';
import type { Directory } from './directory.ts';
import { type DocReader, DraftDocs } from './documents.ts';
import { isTombstone, living, type Tombstone, tombstoneOf } from './record.ts';
import { ReporterCounts, RoleCounts } from './user-counts.ts';

/** The party that sent a command. */
export type Submitter = Actor | { readonly kind: 'anonymous' };

type Records = Map<string, StoredUser | Tombstone>;

export class Draft {
  readonly #directory: Directory;
  readonly #committed: Records = new Map();
  readonly #staged: Records = new Map();
  /** Ids that took a name since the draft began. Never undone: a lookup checks the record, in case the user has left the name again. */
  readonly #takers = new Map<string, string[]>();
  /** Like `#takers`, for devices. */
  readonly #deviceTakers = new Map<string, string[]>();
  readonly #committedDocs: DraftDocs;
  readonly #stagedDocs: DraftDocs;
  /** Users by role, relative to the counts of the directory. */
  readonly #committedRoles = new RoleCounts();
  readonly #committedReporters = new ReporterCounts();
  readonly #stagedFacts: Fact[] = [];
  /** Facts of the commands that were accepted, in order. */
  readonly facts: Fact[] = [];
  #app: AppSettings;
  #appSeq: number;
  #origin: Origin | undefined;
  readonly #isFull: boolean;
  #isTooMuch = false;

  /** `isFull`: there is no memory for more users or activities. */
  constructor(directory: Directory, isFull = false) {
    this.#directory = directory;
    this.#isFull = isFull;
    this.#app = directory.app;
    this.#appSeq = directory.appSeq;
    this.#committedDocs = new DraftDocs(directory.docs);
    this.#stagedDocs = new DraftDocs(this.#committedDocs);
  }

  /** Whether what is staged needs memory that is not there. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
  }

  get docs(): DocReader {
    return this.#stagedDocs;
  }

  /** Users with a ban or a mute that has ended by `now`, at most `max`. Facts of this draft do not count yet. */
  dueBy(now: Micros, max: number): readonly string[] {
    return this.#directory.expiry.dueBy(now, max);
  }

  /** Number of living users with this role, counting the commands accepted so far. */
  usersWithRole(role: string): number {
    return this.#directory.roles.get(role) + this.#committedRoles.get(role);
  }

  /** Number of living users with a report by this user, counting the commands accepted so far. */
  usersReportedBy(reporter: string): number {
    return this.#directory.reporters.get(reporter) + this.#committedReporters.get(reporter);
  }

  get app(): AppSettings {
    return this.#app;
  }

  /** The revision of the settings: the seq of their last change, counting the commands accepted so far. */
  get appSeq(): number {
    return this.#appSeq;
  }

  /** The epoch that the facts become part of. */
  get epoch(): string {
    return this.#directory.position.epoch;
  }

  /** The seq that the next fact will have, if no other writer is first. */
  get nextSeq(): number {
    return this.#directory.seq + this.facts.length + this.#stagedFacts.length + 1;
  }

  record(id: string): StoredUser | Tombstone | undefined {
    return this.#staged.get(id) ?? this.#committed.get(id) ?? this.#directory.record(id);
  }

  /** Living users whose name has this key. With `teams`, all of them in these teams, and perhaps others. */
  *holders(key: string, teams?: readonly string[]): Iterable<StoredUser> {
    const takers = new Set(this.#takers.get(key));
    yield* this.#named(key, takers);
    const { bytes, lookup } = this.#directory;
    const rows = teams === undefined ? lookup.names.rows(key) : lookup.ofNameOrTeams(key, teams);
    for (const { id } of bytes.viewsOf(rows)) if (!takers.has(id)) yield* this.#named(key, [id]);
  }

  *#named(key: string, ids: Iterable<string>): Iterable<StoredUser> {
    for (const id of ids) {
      const record = living(this.record(id));
      if (record?.name !== undefined && nameKey(record.name) === key) yield record;
    }
  }

  /** Living users that have this device. */
  *deviceHolders(deviceId: string): Iterable<StoredUser> {
    const ids = new Set([...(this.#deviceTakers.get(deviceId) ?? []), ...this.#directory.devices.holders(deviceId)]);
    for (const id of ids) {
      const user = living(this.record(id));
      if (user?.devices?.some((device) => device.id === deviceId)) yield user;
    }
  }

  /** Sets the origin of the next command, which decides its rights, and which its facts about users record. */
  begin(origin: Origin): void {
    this.#origin = origin;
  }

  /** Without an origin, the sender is the daemon itself. */
  get sender(): Submitter {
    const { source = 'daemon', by } = this.#origin ?? {};
    if (source !== 'client' && source !== 'live') return { kind: 'server' };
    if (by !== undefined) return { kind: 'user', id: by };
    // A live connection without a user writes only with a server token.
    return source === 'client' ? { kind: 'anonymous' } : { kind: 'server' };
  }

  /** Adds a fact. The draft owns the object from here on. */
  stage(fact: Fact): void {
    this.#stagedFacts.push(fact);
    this.#isTooMuch ||= this.#isFull && this.#isMore(fact);
    if (fact.t === 'doc') this.#stagedDocs.put(fact);
    if (fact.t !== 'user' && fact.t !== 'deleted') return;
    // Changed in place: a copy would cost more than everything else here.
    this.#complete(fact);
    const { user } = fact;
    this.#staged.set(user.id, fact.t === 'deleted' && fact.mode === 'hard' ? tombstoneOf(user) : user);
    if (user.name !== undefined) remember(this.#takers, nameKey(user.name), user.id);
    for (const device of user.devices ?? []) remember(this.#deviceTakers, device.id, user.id);
  }

  /** Whether the fact makes the directory larger for good. Everything else is about what is there, or small, or goes by itself. */
  #isMore(fact: Fact): boolean {
    if (fact.t === 'doc') return fact.kind === 'activity' && fact.doc !== null && this.docs.get(fact.kind, fact.id) === undefined;
    if (fact.t !== 'user') return false;
    const held = this.record(fact.user.id);
    return held === undefined || isTombstone(held);
  }

  /** Adds the origin of the fact and the fields it touched. Silent facts have neither. */
  #complete(fact: UserFact | DeletedFact): void {
    if (fact.t === 'user' && fact.event === 'silent') return;
    if (this.#origin !== undefined) fact.from = this.#origin;
    if (fact.t === 'deleted' || fact.event === 'created') return;
    const before = living(this.record(fact.user.id));
    if (before !== undefined) fact.fields = changedFields(before, fact.user);
  }

  commit(): void {
    for (const [id, record] of this.#staged) {
      const [before, after] = [living(this.#committed.get(id) ?? this.#directory.record(id)), living(record)];
      this.#committedRoles.changed(before, after);
      this.#committedReporters.changed(before, after);
      this.#committed.set(id, record);
    }
    for (const fact of this.#stagedFacts) {
      this.facts.push(fact);
      if (fact.t === 'app') {
        this.#app = fact.app;
        this.#appSeq = this.#directory.seq + this.facts.length;
      } else if (fact.t === 'doc') this.#committedDocs.put(fact);
    }
    this.discard();
  }

  discard(): void {
    this.#staged.clear();
    this.#stagedDocs.clear();
    this.#stagedFacts.length = 0;
    this.#isTooMuch = false;
  }
}

function remember(takers: Map<string, string[]>, key: string, id: string): void {
  const ids = takers.get(key);
  if (ids === undefined) takers.set(key, [id]);
  else ids.push(id);
}
