/**
 * Finds the subscribers that may be interested in an event, with indexes by id, team and "everything". It proposes receivers; `decoration`
 * in interest.ts decides.
 */

import type { EventForm } from './event-form.ts';
import type { Interest } from './interest.ts';
import type { Subscriber } from './subscriber.ts';
import type { Concerned } from './told.ts';

/** Subscribers that want everything and receive the same bytes. */
export interface Cohort {
  readonly key: string;
  readonly form: EventForm;
  readonly decoration: string;
  readonly wantsPresence: boolean;
  readonly members: Set<Subscriber>;
}

/** The decoration of every event for a subscriber whose only interest is "everything" under this name. */
export function allDecoration(name: string): string {
  return `,"sub":[${JSON.stringify(name)}]`;
}

const NOBODY: ReadonlySet<Subscriber> = new Set();

export class Router {
  readonly #byId = new Map<string, Set<Subscriber>>();
  readonly #byTeam = new Map<string, Set<Subscriber>>();
  /** Checked for every event: subscribers with a filter, and those that want everything and something else too. */
  readonly #always = new Set<Subscriber>();
  readonly #cohorts = new Map<string, Cohort>();
  readonly #cohortOf = new Map<Subscriber, Cohort>();

  get cohorts(): Iterable<Cohort> {
    return this.#cohorts.values();
  }

  /** Adds the subscriber under its current interests. Call `remove` before they change. */
  add(subscriber: Subscriber): void {
    const all = subscriber.onlyAll;
    if (all !== undefined) {
      this.#join(subscriber, all);
      return;
    }
    for (const interest of subscriber.interests.values()) this.#index(subscriber, interest, enter);
  }

  remove(subscriber: Subscriber): void {
    const cohort = this.#cohortOf.get(subscriber);
    if (cohort !== undefined) {
      this.#cohortOf.delete(subscriber);
      cohort.members.delete(subscriber);
      if (cohort.members.size === 0) this.#cohorts.delete(cohort.key);
      return;
    }
    for (const interest of subscriber.interests.values()) this.#index(subscriber, interest, leave);
  }

  /** Subscribers outside the cohorts that may be concerned by the event. */
  candidates(event: Concerned): ReadonlySet<Subscriber> {
    const { after } = event;
    if (after === undefined) return this.#always;
    const byId = this.#byId.get(event.id);
    if (this.#always.size === 0 && this.#byTeam.size === 0) return byId ?? NOBODY;
    const found = new Set<Subscriber>(this.#always);
    collect(found, byId);
    for (const team of after.teams) collect(found, this.#byTeam.get(team));
    for (const team of event.before?.teams ?? []) collect(found, this.#byTeam.get(team));
    return found;
  }

  #join(subscriber: Subscriber, all: Interest): void {
    const decoration = allDecoration(all.name);
    const { wantsPresence } = all;
    const { form } = subscriber;
    const key = `${wantsPresence} ${form}${decoration}`;
    const cohort = this.#cohorts.get(key) ?? { key, form, decoration, wantsPresence, members: new Set() };
    this.#cohorts.set(key, cohort);
    cohort.members.add(subscriber);
    this.#cohortOf.set(subscriber, cohort);
  }

  #index(subscriber: Subscriber, { want }: Interest, change: typeof enter): void {
    switch (want.kind) {
      case 'ids':
        for (const id of want.ids) change(this.#byId, id, subscriber);
        break;
      case 'teams':
        for (const team of want.teams) change(this.#byTeam, team, subscriber);
        break;
      case 'all':
      case 'filter':
        if (change === enter) this.#always.add(subscriber);
        else this.#always.delete(subscriber);
        break;
    }
  }
}

function collect(into: Set<Subscriber>, from: Set<Subscriber> | undefined): void {
  if (from !== undefined) for (const subscriber of from) into.add(subscriber);
}

function enter(index: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): void {
  const held = index.get(key);
  if (held === undefined) index.set(key, new Set([subscriber]));
  else held.add(subscriber);
}

function leave(index: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): void {
  const held = index.get(key);
  if (held?.delete(subscriber) === true && held.size === 0) index.delete(key);
}
