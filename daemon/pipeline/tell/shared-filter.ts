/**
 * Filters of live subscriptions. All subscriptions that ask the same share one compiled filter, and it judges each state of a user once,
 * however many of them there are.
 */
import { conditionsOf, type ParsedFilter } from '../../../protocol/users/finding/filter.ts';
import { WorkMeter } from '../../../protocol/users/finding/filter-cost.ts';
import { compileFilter, dependsOnPresence, type Predicate } from '../../../protocol/users/finding/filter-match.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

interface Judged {
  readonly user: StoredUser;
  readonly online: boolean;
  readonly matches: boolean;
}

export class SharedFilter {
  readonly filter: ParsedFilter;
  readonly conditions: number;
  /** Length of its text: what it costs in memory is about proportional to that. */
  readonly bytes: number;
  readonly dependsOnPresence: boolean;
  readonly #predicate: Predicate;
  readonly #work = new WorkMeter();
  /** The last two judgements: an event is judged by the state after it and the one before. */
  #last: Judged | undefined;
  #lastButOne: Judged | undefined;

  constructor(filter: ParsedFilter, bytes: number) {
    this.filter = filter;
    this.conditions = conditionsOf(filter);
    this.bytes = bytes;
    this.dependsOnPresence = dependsOnPresence(filter);
    this.#predicate = compileFilter(filter, this.#work);
  }

  /** Judges without remembering it: for a walk, which meets each user once. What it looked at is added to `work`. */
  judge(user: StoredUser, online: boolean, work?: WorkMeter): boolean {
    const before = this.#work.units;
    const matches = this.#predicate(user, online);
    if (work !== undefined) work.units += this.#work.units - before;
    return matches;
  }

  /** A record never changes: another state of the user is another object. */
  matches(user: StoredUser, online: boolean): boolean {
    const last = this.#last;
    if (last?.user === user && last.online === online) return last.matches;
    const lastButOne = this.#lastButOne;
    if (lastButOne?.user === user && lastButOne.online === online) return lastButOne.matches;
    const matches = this.judge(user, online);
    this.#lastButOne = last;
    this.#last = { user, online, matches };
    return matches;
  }
}

/** The filters in use, by their text. */
const shared = new Map<string, WeakRef<SharedFilter>>();
const unused = new FinalizationRegistry<string>((text) => {
  if (shared.get(text)?.deref() === undefined) shared.delete(text);
});

/** The filter as all its subscriptions share it. */
export function sharedFilter(filter: ParsedFilter): SharedFilter {
  const text = JSON.stringify(filter);
  const known = shared.get(text)?.deref();
  if (known !== undefined) return known;
  const made = new SharedFilter(filter, text.length);
  shared.set(text, new WeakRef(made));
  unused.register(made, text);
  return made;
}
