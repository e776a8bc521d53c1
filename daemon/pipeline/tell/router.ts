/**
 * Finds the subscribers that may be interested in an event, with indexes by id, team and "everything". It proposes receivers; `decoration`
 * in interest.ts decides.
 */

import { Multimap } from '../../core/directory/multimap.ts';
import type { EventForm } from './event-form.ts';
import type { Interest, Want } from './interest.ts';
import type { Interests, Subscriber } from './subscriber.ts';
import type { Concerned } from './told.ts';

/** Subscribers that want everything and receive the same bytes. */
export interface Cohort {
  readonly key: string;
  readonly form: EventForm;
  readonly decoration: string;
  readonly wantsPresence: boolean;
  readonly members: Set<Subscriber>;
}

export class Router {
  readonly #byId = new Multimap<Subscriber>();
  readonly #byTeam = new Multimap<Subscriber>();
  /** Checked for every event: subscribers with a filter, and those that want everything and something else too. */
  readonly #always = new Set<Subscriber>();
  /** Those of them with a filter. */
  readonly #judged = new Set<Subscriber>();
  readonly #cohorts = new Map<string, Cohort>();
  readonly #cohortOf = new Map<Subscriber, Cohort>();

  get cohorts(): Iterable<Cohort> {
    return this.#cohorts.values();
  }

  cohortOf(subscriber: Subscriber): Cohort | undefined {
    return this.#cohortOf.get(subscriber);
  }

  /** The subscribers with a filter: it takes work to find out what concerns them. */
  get judged(): ReadonlySet<Subscriber> {
    return this.#judged;
  }

  isJudged(subscriber: Subscriber): boolean {
    return this.#judged.size > 0 && this.#judged.has(subscriber);
  }

  /**
   * Adds the subscriber under its current interests. Afterwards, they change only through `change`. One that is behind is in the indexes
   * like any other, so that it costs little to fall behind and to return, but in no cohort.
   */
  add(subscriber: Subscriber): void {
    if (subscriber.onlyAll !== undefined) this.wake(subscriber);
    else for (const interest of subscriber.interests.values()) this.#index(subscriber, interest, 'add');
    if (subscriber.hasFilter) this.#judged.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    this.rest(subscriber);
    if (subscriber.onlyAll === undefined) for (const interest of subscriber.interests.values()) this.#index(subscriber, interest, 'remove');
    this.#judged.delete(subscriber);
  }

  /** The subscriber has fallen behind. */
  rest(subscriber: Subscriber): void {
    const cohort = this.#cohortOf.get(subscriber);
    if (cohort === undefined) return;
    this.#cohortOf.delete(subscriber);
    cohort.members.delete(subscriber);
    if (cohort.members.size === 0) this.#cohorts.delete(cohort.key);
  }

  /** The subscriber is no longer behind. */
  wake(subscriber: Subscriber): void {
    const all = subscriber.onlyAll;
    if (all !== undefined && subscriber.state.kind !== 'behind') this.#join(subscriber, all);
  }

  /**
   * Changes the interests of a subscriber. Of the indexes, only the entries change that come or go: a subscriber may have tens of thousands
   * of others.
   */
  change(subscriber: Subscriber, edit: (interests: Interests) => void): void {
    const before = indexed(subscriber);
    this.rest(subscriber);
    edit(subscriber.interests);
    const after = indexed(subscriber);
    for (const interest of after) if (!before.has(interest)) this.#index(subscriber, interest, 'add');
    const left = [...after].map(({ want }) => want);
    for (const interest of before) if (!after.has(interest)) this.#unlist(subscriber, interest.want, left);
    if (subscriber.hasFilter) this.#judged.add(subscriber);
    else this.#judged.delete(subscriber);
    this.wake(subscriber);
  }

  /** Takes the subscriber from the indexes where it is because of `gone`, and would not be because of what is left. */
  #unlist(subscriber: Subscriber, gone: Want, left: readonly Want[]): void {
    const alike = left.filter(({ kind }) => kind === gone.kind);
    switch (gone.kind) {
      case 'ids':
        for (const id of gone.ids) if (!alike.some((want) => want.kind === 'ids' && want.ids.has(id))) this.#byId.remove(id, subscriber);
        break;
      case 'teams':
        for (const team of gone.teams) {
          if (!alike.some((want) => want.kind === 'teams' && want.teams.has(team))) this.#byTeam.remove(team, subscriber);
        }
        break;
      case 'all':
      case 'filter':
        if (!left.some(({ kind }) => kind === 'all' || kind === 'filter')) this.#always.delete(subscriber);
        break;
    }
  }

  /** Subscribers outside the cohorts that may be concerned by the event. */
  candidates(event: Concerned): Iterable<Subscriber> {
    const { after } = event;
    if (after === undefined) return this.#always;
    const byId = this.#byId.get(event.id);
    if (this.#always.size === 0 && this.#byTeam.size === 0) return byId;
    const found = new Set<Subscriber>(this.#always);
    collect(found, byId);
    for (const team of after.teams) collect(found, this.#byTeam.get(team));
    for (const team of event.before?.teams ?? []) collect(found, this.#byTeam.get(team));
    return found;
  }

  #join(subscriber: Subscriber, all: Interest): void {
    const { decoration, wantsPresence } = all;
    const { form } = subscriber;
    const key = `${wantsPresence} ${form}${decoration}`;
    const cohort = this.#cohorts.get(key) ?? { key, form, decoration, wantsPresence, members: new Set() };
    this.#cohorts.set(key, cohort);
    cohort.members.add(subscriber);
    this.#cohortOf.set(subscriber, cohort);
  }

  #index(subscriber: Subscriber, { want }: Interest, change: 'add' | 'remove'): void {
    switch (want.kind) {
      case 'ids':
        for (const id of want.ids) this.#byId[change](id, subscriber);
        break;
      case 'teams':
        for (const team of want.teams) this.#byTeam[change](team, subscriber);
        break;
      case 'all':
      case 'filter':
        if (change === 'add') this.#always.add(subscriber);
        else this.#always.delete(subscriber);
        break;
    }
  }
}

/** The interests under which a subscriber is in the indexes: none when it only wants everything. */
function indexed(subscriber: Subscriber): ReadonlySet<Interest> {
  return new Set(subscriber.onlyAll === undefined ? subscriber.interests.values() : []);
}

function collect(into: Set<Subscriber>, from: Iterable<Subscriber>): void {
  for (const subscriber of from) into.add(subscriber);
}
