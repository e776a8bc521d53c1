/**
 * What a subscriber wants to hear about, and whether an event is one of those.
 *
 * Indexes in the router only propose receivers; this file alone decides, for
 * live events and for those that are read back from the past.
 */
import type { ParsedFilter } from '../../../protocol/users/filter.ts';
import { compileFilter } from '../../../protocol/users/filter-match.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { HIDDEN, type Told, type ToldOfUser } from './told.ts';

export type Want =
  | { readonly kind: 'all' }
  | { readonly kind: 'ids'; readonly ids: ReadonlySet<string> }
  | { readonly kind: 'teams'; readonly teams: ReadonlySet<string> }
  | { readonly kind: 'filter'; readonly filter: ParsedFilter };

export type Match = 'enter' | 'stay' | 'leave';

/** Whose eyes the interest sees with: a server hears of everything, a user of itself, others only of what all may hear. */
export type Reach = 'server' | 'self' | 'others';

/** Whether its owner may know of a user. */
export type Sight = (user: StoredUser) => boolean;

type Predicate = (user: StoredUser, online: boolean) => boolean;

export interface InterestOptions {
  /** Name given by the client; empty for the interest in oneself, which is never named in events. */
  readonly name: string;
  readonly want: Want;
  /** Events at or before this position were part of a snapshot, or were delivered under an earlier connection. */
  readonly since: number;
  readonly reach: Reach;
  /** Whether coming and going of its users is told too. */
  readonly wantsPresence?: boolean | undefined;
  /** Absent: everyone is in sight. */
  readonly sight?: Sight | undefined;
  /** What decided the sight, as a text: when that is another one, the interest shows too much or too little. */
  readonly basis?: string;
}

/** `hidden`: the user went out of sight; it is named, and nothing of it is shown. */
export type Concern = Match | boolean | typeof HIDDEN;

/** One named want of one subscriber. */
export class Interest {
  readonly name: string;
  readonly want: Want;
  readonly reach: Reach;
  readonly wantsPresence: boolean;
  since: number;
  /** The name as JSON; empty when there is none. */
  readonly label: string;
  readonly basis: string;
  readonly #sight: Sight | undefined;
  readonly #matches: Predicate | undefined;

  constructor({ name, want, since, reach, wantsPresence = false, sight, basis = '' }: InterestOptions) {
    this.name = name;
    this.label = name === '' ? '' : JSON.stringify(name);
    this.want = want;
    this.since = since;
    this.reach = reach;
    this.wantsPresence = wantsPresence;
    this.basis = basis;
    this.#sight = sight;
    this.#matches = predicate(want);
  }

  /** Not everyone is in sight. Then only events will do that say how their user was before: see `concerns`. */
  get isConfined(): boolean {
    return this.#sight !== undefined;
  }

  /** How the event concerns this interest: `enter`, `stay` or `leave` where membership can change, `true` where it cannot. */
  concerns(event: Told): Concern {
    if (event.seq <= this.since || !this.#mayHear(event)) return false;
    if (event.after === undefined) return this.want.kind === 'all';
    const concern = this.#concern(event);
    // A deleted user is judged by what it was: of the teams of a pruned one nothing is left.
    const judged = isAlive(event.after) ? event.after : (event.before ?? event.after);
    if (concern === false || this.#sight === undefined || this.#sight(judged)) return concern;
    // Who was in sight before must be taken out of the receiver's copy. Of an event that is read back from the log that is not
    // known, and nobody is named who may never have been in sight: whoever has a sight is not fed from the log (catch-up.ts).
    return event.knowsBefore && event.before !== undefined && this.#sight(event.before) ? HIDDEN : false;
  }

  #concern(event: ToldOfUser): Match | boolean {
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

  /** Why the event is told under this interest or not, in words; for an operator who asks. */
  explain(event: Told): string {
    if (event.seq <= this.since) return `not told: the subscription begins after position ${this.since}`;
    if (!this.#mayHear(event))
      return `not told: ${event.audience === 'server' ? 'only servers' : 'only the user itself and servers'} hear of ${event.type}`;
    if (event.after === undefined)
      return this.want.kind === 'all' ? 'told' : `not told: ${event.type} is about no user, and told to subscriptions to everything`;
    const concern = this.#concern(event);
    if (concern === false) {
      if (this.want.kind === 'ids') return 'not told: the id is not among the ids asked for';
      return `not told: the user ${this.want.kind === 'teams' ? 'is and was in none of the teams' : 'does and did not match the filter'}`;
    }
    const final = this.concerns(event);
    if (final === HIDDEN) return 'told as user.hidden: the user went out of sight of this caller (teams, hidden roles)';
    if (final === false) return 'not told: the user is out of sight of this caller (teams, hidden roles)';
    return concern === true ? 'told' : `told with match ${concern}`;
  }

  /** Whether the user is one of those it asks for. */
  holds(user: StoredUser, isOnline: boolean): boolean {
    if (this.#sight?.(user) === false) return false;
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

  #mayHear({ audience }: Told): boolean {
    return audience === 'all' || this.reach === 'server' || (audience === 'self' && this.reach === 'self');
  }

  /** How it concerns this interest that a user came or went. A filter may ask for who is online: then it enters or leaves by that. */
  concernsPresence(user: StoredUser, isOnline: boolean): Match | boolean {
    if (this.#sight?.(user) === false) return false;
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

  #membership({ after, before, knowsBefore, online }: ToldOfUser): Match | false {
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
export function decoration(interests: Iterable<Interest>, event: Told): string | undefined {
  return joined(interests, (interest) => interest.concerns(event));
}

/** The same for a user that came or went. */
export function presenceDecoration(interests: Iterable<Interest>, user: StoredUser, isOnline: boolean): string | undefined {
  return joined(interests, (interest) => interest.concernsPresence(user, isOnline));
}

function joined(interests: Iterable<Interest>, concerns: (interest: Interest) => Concern): string | undefined {
  let names = '';
  let concerned = false;
  let isHidden = false;
  let match: Match | undefined;
  for (const interest of interests) {
    const result = concerns(interest);
    if (result === false) continue;
    if (result === HIDDEN) {
      isHidden = true;
      continue;
    }
    concerned = true;
    if (interest.label !== '') names += `${names === '' ? '' : ','}${interest.label}`;
    if (result !== true) match = match === undefined || match === result ? result : 'stay';
  }
  if (!concerned) return isHidden ? HIDDEN : undefined;
  return `${names === '' ? '' : `,"sub":[${names}]`}${match === undefined ? '' : `,"match":"${match}"`}`;
}
