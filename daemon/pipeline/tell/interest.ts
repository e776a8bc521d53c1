/**
 * The events that a subscriber wants, and whether an event is one of them.
 *
 * Indexes in the router only propose receivers; this file alone decides, for live events and for those that are read back from the past.
 */
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { SharedFilter } from './shared-filter.ts';
import { HIDDEN, type Told, type ToldOfUser } from './told.ts';

export type Want =
  | { readonly kind: 'all' }
  | { readonly kind: 'ids'; readonly ids: ReadonlySet<string> }
  | { readonly kind: 'teams'; readonly teams: ReadonlySet<string> }
  | { readonly kind: 'filter'; readonly filter: SharedFilter };

export type Match = 'enter' | 'stay' | 'leave';

/**
 * The rights of the interest's owner: a server receives everything, a user everything about itself, others only events that are for all.
 */
export type Reach = 'server' | 'self' | 'others';

/** Whether the owner of the interest may see a user. */
export type Sight = (user: StoredUser) => boolean;

export interface InterestOptions {
  /** Name given by the client; empty for the interest in oneself, which is never named in events. */
  readonly name: string;
  readonly want: Want;
  /** Events at or before this position were part of a snapshot, or were delivered over an earlier connection. */
  readonly since: number;
  readonly reach: Reach;
  /** Whether presence changes of its users are sent too. */
  readonly wantsPresence?: boolean | undefined;
  /** Absent: everyone is in sight. */
  readonly sight?: Sight | undefined;
  /** The inputs of the sight, as a text: when they differ from the current ones, the interest shows too much or too little. */
  readonly basis?: string;
}

/** `hidden`: the user left the receiver's sight; the event names it and shows nothing else of it. */
export type Concern = Match | boolean | typeof HIDDEN;

/** The beginning of a decoration with names. */
const SUB = ',"sub":[';

/** One named want of one subscriber. */
export class Interest {
  readonly name: string;
  readonly want: Want;
  readonly reach: Reach;
  readonly wantsPresence: boolean;
  since: number;
  /** The decoration of events that concern it alone, `,"sub":["name"]`; empty when it has no name. */
  readonly decoration: string;
  readonly basis: string;
  readonly #sight: Sight | undefined;

  constructor({ name, want, since, reach, wantsPresence = false, sight, basis = '' }: InterestOptions) {
    this.name = name;
    this.decoration = name === '' ? '' : `${SUB}${JSON.stringify(name)}]`;
    this.want = want;
    this.since = since;
    this.reach = reach;
    this.wantsPresence = wantsPresence;
    this.basis = basis;
    this.#sight = sight;
  }

  /** Whether some users are out of sight. Then only events that know the previous state of their user can be used: see `concerns`. */
  get isConfined(): boolean {
    return this.#sight !== undefined;
  }

  /** How the event concerns this interest: `enter`, `stay` or `leave` where membership can change, `true` where it cannot. */
  concerns(event: Told): Concern {
    if (event.seq <= this.since || !this.#mayHear(event)) return false;
    if (event.after === undefined) return this.want.kind === 'all';
    const concern = this.#concern(event);
    // A deleted user is judged by its state before, because a pruned one has no teams left. One that was deleted before is in no sight.
    const judged = isAlive(event.after) ? event.after : event.before;
    if (concern === false || this.#sight === undefined || (judged !== undefined && this.#sight(judged))) return concern;
    // A user that was in sight before must be removed from the receiver's copy. An event that is read back from the log does not say that,
    // and an id that may never have been in sight must not be named; so a confined subscriber is not fed from the log (catch-up.ts).
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

  /** Why the event is or is not sent under this interest, in words, for an operator who asks. */
  explain(event: Told): string {
    if (event.seq <= this.since) return `not sent: the subscription begins after position ${this.since}`;
    if (!this.#mayHear(event))
      return `not sent: ${event.audience === 'server' ? 'only servers are sent' : 'only the user itself and servers are sent'} ${event.type}`;
    if (event.after === undefined)
      return this.want.kind === 'all'
        ? 'sent'
        : `not sent: ${event.type} is about no user, and is sent only to subscriptions to everything`;
    const concern = this.#concern(event);
    if (concern === false) {
      if (this.want.kind === 'ids') return 'not sent: the id is not among the ids asked for';
      return `not sent: the user ${this.want.kind === 'teams' ? 'is and was in none of the teams' : 'does and did not match the filter'}`;
    }
    const final = this.concerns(event);
    if (final === HIDDEN) return 'sent as user.hidden: the user went out of sight of this caller (teams, hidden roles)';
    if (final === false) return 'not sent: the user is out of sight of this caller (teams, hidden roles)';
    return concern === true ? 'sent' : `sent with match ${concern}`;
  }

  /** Whether its owner must hear who is online once changes of presence were missed: it asked for them, or its filter depends on them. */
  get needsPresence(): boolean {
    return this.wantsPresence || (this.want.kind === 'filter' && this.want.filter.dependsOnPresence);
  }

  /** Whether the interest asks for this user. */
  holds(user: StoredUser, isOnline: boolean): boolean {
    return this.#sight?.(user) !== false && this.#matches(user, isOnline);
  }

  /** Whether it asks for a user, as far as that is in sight. */
  #matches(user: StoredUser, isOnline: boolean): boolean {
    const { want } = this;
    switch (want.kind) {
      case 'all':
        return true;
      case 'ids':
        return want.ids.has(user.id);
      case 'teams':
        return user.teams.some((team) => want.teams.has(team));
      case 'filter':
        return want.filter.matches(user, isOnline);
    }
  }

  #mayHear({ audience }: Told): boolean {
    return audience === 'all' || this.reach === 'server' || (audience === 'self' && this.reach === 'self');
  }

  /**
   * How a presence change concerns this interest. A filter may ask for users that are online: then the change makes the user enter or
   * leave.
   */
  concernsPresence(user: StoredUser, isOnline: boolean): Match | boolean {
    if (this.#sight?.(user) === false) return false;
    switch (this.want.kind) {
      case 'all':
        return this.wantsPresence;
      case 'ids':
        return this.wantsPresence && this.want.ids.has(user.id);
      case 'teams':
      case 'filter': {
        const isIn = this.#matches(user, isOnline);
        const wasIn = this.#matches(user, !isOnline);
        if (isIn !== wasIn) return isIn ? 'enter' : 'leave';
        return isIn && this.wantsPresence ? 'stay' : false;
      }
    }
  }

  #membership({ after, before, knowsBefore, online }: ToldOfUser): Match | false {
    const isIn = isAlive(after) && this.#matches(after, online);
    // An event read back from the log does not know the state before. An enter or leave for a user that the receiver already had, or never
    // had, changes nothing in its copy; omitting one that matters would.
    if (!knowsBefore) return isIn ? 'enter' : 'leave';
    const wasIn = before !== undefined && this.#matches(before, online);
    if (isIn) return wasIn ? 'stay' : 'enter';
    return wasIn ? 'leave' : false;
  }
}

/**
 * The JSON that is added to the event for a receiver with these interests (`,"sub":["a","b"],"match":"enter"`), or undefined when the
 * receiver does not get the event. Over several interests, the event enters if it was in none of them before, and leaves if it is in none
 * after.
 */
export function decoration(interests: Iterable<Interest>, event: Told): string | undefined {
  return joined(interests, (interest) => interest.concerns(event));
}

/** Like `decoration`, for a presence change. */
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
    const { decoration: own } = interest;
    if (own !== '') names = names === '' ? own : `${names.slice(0, -1)},${own.slice(SUB.length)}`;
    if (result !== true) match = match === undefined || match === result ? result : 'stay';
  }
  if (!concerned) return isHidden ? HIDDEN : undefined;
  return match === undefined ? names : `${names},"match":"${match}"`;
}
