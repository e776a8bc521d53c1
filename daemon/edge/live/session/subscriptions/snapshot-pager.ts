/**
 * Pages through the users of a subscription as they were at one position, while the directory moves on. Of ids, it keeps their records and
 * nothing else. An abandoned pager releases its view after a while, and that of a client is over after a longer while in any case.
 */

import { LIMITS } from '../../../../../protocol/base/limits.ts';
import { fixedUnits, USER_UNITS, WorkMeter } from '../../../../../protocol/users/finding/filter-cost.ts';
import { isAlive, type StoredUser } from '../../../../../protocol/users/user.ts';
import { type Budget, inSlices, type Walk } from '../../../../base/slices.ts';
import type { RecordsView } from '../../../../core/directory/frozen-view.ts';
import { isTombstone, type Tombstone } from '../../../../core/directory/record.ts';
import { wholeUser } from '../../../../core/directory/records/user-view.ts';
import type { Sight, Want } from '../../../../pipeline/tell/interest.ts';

/** A client that does not ask for the next page for this long loses its snapshot. */
const IDLE_MS = 60_000;
/** How old the snapshot of a client may become: what changes meanwhile is kept for it. At a thousand users a page it is long enough for any. */
const AGE_MS = 10 * 60_000;
/** A page with long users ends early: rendering it holds the event loop. Length of the records as JSON. */
const PAGE_CHARS = 512 * 1024;
/** Characters of a record that are measured per unit of work. */
const CHARS_PER_UNIT = 8;

export interface SnapshotPage {
  readonly users: StoredUser[];
  readonly isLast: boolean;
  /** On the last page, when requested and not too many to list: the ids of deleted users. */
  readonly gone: readonly string[] | undefined;
}

/** The directory's record under an id; undefined when it never had one. */
interface Place {
  readonly id: string;
  readonly record: StoredUser | Tombstone | undefined;
}

export interface SnapshotPagerOptions {
  readonly view: RecordsView;
  readonly want: Want;
  /** Users in one page. */
  readonly limit: number;
  readonly online: (id: string) => boolean;
  /** Absent: everyone is in sight. */
  readonly sight: Sight | undefined;
  /** Position of the receiver's copy: users deleted since then are listed. Absent: the receiver has no copy. */
  readonly goneSince?: number | undefined;
  readonly budget: Budget | undefined;
}

export class SnapshotPager {
  readonly #view: RecordsView;
  readonly #places: Iterator<Place>;
  readonly #sight: Sight | undefined;
  readonly #goneSince: number | undefined;
  readonly #budget: Budget | undefined;
  /** Undefined when there are too many to list. */
  #gone: string[] | undefined = [];
  readonly #matches: (user: StoredUser) => boolean;
  readonly #fixedUnits: number;
  readonly #work = new WorkMeter();
  readonly #limit: number;
  readonly total: number | undefined;
  #next: IteratorResult<Place>;
  #timer: NodeJS.Timeout | undefined;
  readonly #endsMs: number;

  constructor({ view, want, limit, online, sight, goneSince, budget }: SnapshotPagerOptions) {
    this.#view = view;
    this.#budget = budget;
    this.#fixedUnits = want.kind === 'filter' ? fixedUnits(want.filter.filter) : 0;
    this.#sight = sight;
    this.#goneSince = goneSince;
    this.#limit = limit;
    this.#matches = matcher(want, online, this.#work);
    this.#places = (want.kind === 'ids' ? named(view, want.ids) : everywhere(view))[Symbol.iterator]();
    this.#next = this.#places.next();
    // The records that it names are taken: it need not keep the old form of any other.
    if (want.kind === 'ids') view.release();
    // A server is trusted.
    this.#endsMs = budget === undefined ? Number.POSITIVE_INFINITY : performance.now() + AGE_MS;
    this.total = want.kind === 'all' && sight === undefined ? view.size : undefined;
  }

  /** Position of every page. */
  get seq(): number {
    return this.#view.position.seq;
  }

  /** Whether it has become too old to go on. */
  get isOver(): boolean {
    return performance.now() >= this.#endsMs;
  }

  async next(): Promise<SnapshotPage> {
    clearTimeout(this.#timer);
    return await inSlices(this.#fill(), this.#budget);
  }

  *#fill(): Walk<SnapshotPage> {
    const users: StoredUser[] = [];
    const work = this.#work;
    let chars = 0;
    for (; this.#next.done !== true; this.#next = this.#places.next()) {
      if (work.isStep) yield work.take();
      const { id, record } = this.#next.value;
      const isGone = record === undefined || isTombstone(record) || !isAlive(record);
      if (isGone) this.#noteGone(id, record);
      if (isGone || this.#sight?.(record) === false) {
        work.unseen += USER_UNITS;
        continue;
      }
      work.units += USER_UNITS + this.#fixedUnits;
      if (!this.#matches(record)) continue;
      // A full page goes on to the next match: whether it is the last must not depend on users out of sight.
      if (users.length >= this.#limit || chars >= PAGE_CHARS) break;
      const user = wholeUser(record);
      users.push(user);
      const { length } = JSON.stringify(user);
      chars += length;
      work.units += length / CHARS_PER_UNIT;
    }
    yield work.take();
    const isLast = this.#next.done === true;
    return { users, isLast, gone: isLast && this.#goneSince !== undefined ? this.#gone : undefined };
  }

  /**
   * Of a hard-deleted user only the id remains, not the time of its deletion in the log or its teams. So it is always listed, but not for
   * callers that may see only some users.
   */
  #noteGone(id: string, record: StoredUser | Tombstone | undefined): void {
    if (this.#goneSince === undefined || record === undefined) return;
    const isKnownRecord = !isTombstone(record);
    if (isKnownRecord && record.rev <= this.#goneSince) return;
    const isInSight = this.#sight === undefined || (isKnownRecord && record.deleted === 'soft' && this.#sight(record));
    if (!isInSight) return;
    this.#gone?.push(id);
    if ((this.#gone?.length ?? 0) > LIMITS.snapshotPageUsers) this.#gone = undefined;
  }

  /** Starts the timer that ends an abandoned snapshot. */
  releaseAfterIdle(onIdle: () => void): this {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onIdle, IDLE_MS);
    this.#timer.unref();
    return this;
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#view.release();
  }
}

/** Reads all records before it gives the first. */
function* named(view: RecordsView, ids: ReadonlySet<string>): Iterable<Place> {
  const records = Array.from(ids, (id) => view.record(id));
  let at = 0;
  for (const id of ids) yield { id, record: records[at++] };
}

function* everywhere(view: RecordsView): Iterable<Place> {
  for (const record of view.scan()) yield { id: record.id, record };
}

function matcher(want: Want, online: (id: string) => boolean, work: WorkMeter): (user: StoredUser) => boolean {
  switch (want.kind) {
    case 'all':
    case 'ids':
      return () => true;
    case 'teams':
      return (user) => user.teams.some((team) => want.teams.has(team));
    case 'filter':
      return (user) => want.filter.judge(user, online(user.id), work);
  }
}
