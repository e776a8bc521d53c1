/**
 * What a subscriber wants to hear about, and whether an event is one of those.
 *
 * Indexes in the router only propose receivers; this file alone decides, for
 * live events and for those that are read back from the past.
 */
import type { Filter } from '../../protocol/filter.ts';
import { compileFilter } from '../../protocol/filter-match.ts';
import { isAlive, type StoredUser } from '../../protocol/user.ts';
import type { LiveEvent } from './live-event.ts';

export type Want =
  | { readonly kind: 'all' }
  | { readonly kind: 'ids'; readonly ids: ReadonlySet<string> }
  | { readonly kind: 'teams'; readonly teams: ReadonlySet<string> }
  | { readonly kind: 'filter'; readonly filter: Filter };

export type Match = 'enter' | 'stay' | 'leave';

/** Whose eyes the interest sees with: a server hears of everything, a user of itself, others only of what all may hear. */
export type Reach = 'server' | 'self' | 'others';

type Predicate = (user: StoredUser, online: boolean) => boolean;

/** One named want of one subscriber. */
export class Interest {
  /** Name given by the client; empty for the interest in oneself, which is never named in events. */
  readonly name: string;
  readonly want: Want;
  readonly reach: Reach;
  /** Whether coming and going of its users is told too. */
  readonly wantsPresence: boolean;
  /** Events at or before this position were part of a snapshot, or were delivered under an earlier connection. */
  since: number;
  /** The name as JSON; empty when there is none. */
  readonly label: string;
  readonly #matches: Predicate | undefined;

  constructor(name: string, want: Want, since: number, reach: Reach, wantsPresence = false) {
    this.name = name;
    this.label = name === '' ? '' : JSON.stringify(name);
    this.want = want;
    this.since = since;
    this.reach = reach;
    this.wantsPresence = wantsPresence;
    this.#matches = predicate(want);
  }

  /** How the event concerns this interest: `enter`, `stay` or `leave` where membership can change, `true` where it cannot. */
  concerns(event: LiveEvent): Match | boolean {
    if (event.seq <= this.since || !this.#mayHear(event)) return false;
    switch (this.want.kind) {
      case 'all':
        return true;
      case 'ids':
        return this.want.ids.has(event.id);
      case 'teams':
      case 'filter':
        return this.#membership(event);
    }
  }

  /** Whether the user is one of those it asks for. */
  holds(user: StoredUser, isOnline: boolean): boolean {
    switch (this.want.kind) {
      case 'all':
        return true;
      case 'ids':
        return this.want.ids.has(user.id);
      case 'teams':
      case 'filter':
        return this.#matches?.(user, isOnline) === true;
    }
  }

  #mayHear({ audience }: LiveEvent): boolean {
    return audience === 'all' || this.reach === 'server' || (audience === 'self' && this.reach === 'self');
  }

  /** How it concerns this interest that a user came or went. A filter may ask for who is online: then it enters or leaves by that. */
  concernsPresence(user: StoredUser, isOnline: boolean): Match | boolean {
    switch (this.want.kind) {
      case 'all':
        return this.wantsPresence;
      case 'ids':
        return this.wantsPresence && this.want.ids.has(user.id);
      case 'teams':
      case 'filter': {
        const matches = this.#matches ?? (() => false);
        const isIn = matches(user, isOnline);
        const wasIn = matches(user, !isOnline);
        if (isIn !== wasIn) return isIn ? 'enter' : 'leave';
        return isIn && this.wantsPresence ? 'stay' : false;
      }
    }
  }

  #membership({ after, before, knowsBefore, online }: LiveEvent): Match | false {
    const matches = this.#matches ?? (() => false);
    const isIn = isAlive(after) && matches(after, online);
    // Read back from the log, the state before is not known. Telling a receiver that a user entered or left which it
    // already knew, or never knew, changes nothing in its copy; not telling it would.
    if (!knowsBefore) return isIn ? 'enter' : 'leave';
    const wasIn = before !== undefined && matches(before, online);
    if (isIn) return wasIn ? 'stay' : 'enter';
    return wasIn ? 'leave' : false;
  }
}

function predicate(want: Want): Predicate | undefined {
  if (want.kind === 'filter') return compileFilter(want.filter);
  if (want.kind === 'teams') return (user) => user.teams.some((team) => want.teams.has(team));
  return undefined;
}

/**
 * What a receiver with these interests is told about the event, as the JSON that is added to it
 * (`,"sub":["a","b"],"match":"enter"`), or undefined when it is not told at all.
 * Over several interests, the event enters if it was in none of them before, and leaves if it is in none after.
 */
export function decoration(interests: Iterable<Interest>, event: LiveEvent): string | undefined {
  return joined(interests, (interest) => interest.concerns(event));
}

/** The same for a user that came or went. */
export function presenceDecoration(interests: Iterable<Interest>, user: StoredUser, isOnline: boolean): string | undefined {
  return joined(interests, (interest) => interest.concernsPresence(user, isOnline));
}

function joined(interests: Iterable<Interest>, concerns: (interest: Interest) => Match | boolean): string | undefined {
  let names = '';
  let concerned = false;
  let match: Match | undefined;
  for (const interest of interests) {
    const result = concerns(interest);
    if (result === false) continue;
    concerned = true;
    if (interest.label !== '') names += `${names === '' ? '' : ','}${interest.label}`;
    if (result !== true) match = match === undefined || match === result ? result : 'stay';
  }
  if (!concerned) return undefined;
  return `${names === '' ? '' : `,"sub":[${names}]`}${match === undefined ? '' : `,"match":"${match}"`}`;
}
