/**
 * Pages through the users of a subscription as they were at one position, while
 * the directory moves on. An abandoned pager gives its view back after a while.
 */
import { compileFilter } from '../../../protocol/filter-match.ts';
import type { StoredUser } from '../../../protocol/user.ts';
import type { FrozenView } from '../../core/directory.ts';
import type { Sight, Want } from '../../pipeline/interest.ts';
import { inSlices } from '../../pipeline/slices.ts';

/** A client that does not ask for the next page for so long has lost its snapshot. */
const IDLE_MS = 60_000;
/** Users looked at between two looks at the clock. */
const STEP_USERS = 256;

export interface SnapshotPage {
  readonly users: StoredUser[];
  readonly isLast: boolean;
}

export interface SnapshotPagerOptions {
  readonly view: FrozenView;
  readonly want: Want;
  /** Users in one page. */
  readonly limit: number;
  readonly online: (id: string) => boolean;
  /** Absent: everyone is in sight. */
  readonly sight: Sight | undefined;
}

export class SnapshotPager {
  readonly #view: FrozenView;
  readonly #users: Iterator<StoredUser>;
  readonly #matches: (user: StoredUser) => boolean;
  readonly #limit: number;
  readonly total: number | undefined;
  #next: IteratorResult<StoredUser>;
  #timer: NodeJS.Timeout | undefined;

  constructor({ view, want, limit, online, sight }: SnapshotPagerOptions) {
    this.#view = view;
    this.#limit = limit;
    const matches = matcher(want, online);
    this.#matches = sight === undefined ? matches : (user) => sight(user) && matches(user);
    this.#users = (want.kind === 'ids' ? known(view, want.ids) : view.users())[Symbol.iterator]();
    this.#next = this.#users.next();
    this.total = want.kind === 'all' && sight === undefined ? view.size : undefined;
  }

  /** Position of every page. */
  get seq(): number {
    return this.#view.position.seq;
  }

  async next(): Promise<SnapshotPage> {
    clearTimeout(this.#timer);
    return await inSlices(this.#fill());
  }

  *#fill(): Generator<void, SnapshotPage> {
    const users: StoredUser[] = [];
    for (let looked = 1; this.#next.done !== true && users.length < this.#limit; looked++) {
      const user = this.#next.value;
      if (this.#matches(user)) users.push(user);
      this.#next = this.#users.next();
      if (looked % STEP_USERS === 0) yield;
    }
    return { users, isLast: this.#next.done === true };
  }

  /** Arms the end of an abandoned snapshot. */
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

function* known(view: FrozenView, ids: Iterable<string>): Iterable<StoredUser> {
  for (const id of ids) {
    const user = view.user(id);
    if (user !== undefined) yield user;
  }
}

function matcher(want: Want, online: (id: string) => boolean): (user: StoredUser) => boolean {
  switch (want.kind) {
    case 'all':
    case 'ids':
      return () => true;
    case 'teams':
      return (user) => user.teams.some((team) => want.teams.has(team));
    case 'filter': {
      const matches = compileFilter(want.filter);
      return (user) => matches(user, online(user.id));
    }
  }
}
