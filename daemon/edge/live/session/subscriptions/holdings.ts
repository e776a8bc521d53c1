/**
 * What live connections hold in memory, and how much they may: each for itself, all of a user together, all strangers of a network, and
 * all strangers. The sums are kept, not counted anew, as thousands of connections may belong to one network.
 *
 * It keeps BU5 and BU10 (daemon/RULES.md).
 */

import { type ErrorKind, fieldErrors } from '../../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../../protocol/base/limits.ts';
import type { Caller } from '../../../../../protocol/base/tokens.ts';
import type { Want } from '../../../../pipeline/tell/interest.ts';
import type { Stranger } from '../../../strangers.ts';

/** What is held: subscriptions, conditions and bytes of filters, ids and teams, snapshots that were not read to their end. */
export interface Holds {
  readonly subs: number;
  readonly conditions: number;
  readonly bytes: number;
  readonly names: number;
  readonly snapshots: number;
}

export const NOTHING: Holds = { subs: 0, conditions: 0, bytes: 0, names: 0, snapshots: 0 };
const MEASURES = ['subs', 'conditions', 'bytes', 'names', 'snapshots'] as const satisfies readonly (keyof Holds)[];

const WORDS: Readonly<Record<keyof Holds, string>> = {
  subs: 'subscriptions',
  conditions: 'conditions in the filters',
  bytes: 'bytes in the filters',
  names: 'ids and teams in the subscriptions and among watched users',
  snapshots: 'unfinished snapshots',
};

export function heldBy(wants: Iterable<Want>, snapshots: number): Holds {
  let [subs, conditions, bytes, names] = [0, 0, 0, 0];
  for (const want of wants) {
    subs++;
    if (want.kind === 'ids') names += want.ids.size;
    if (want.kind === 'teams') names += want.teams.size;
    if (want.kind !== 'filter') continue;
    conditions += want.filter.conditions;
    bytes += want.filter.bytes;
  }
  return { subs, conditions, bytes, names, snapshots };
}

/** What some connections may hold together. */
interface Bound {
  readonly most: Holds;
  /** Whose connections they are, in words. */
  readonly of: string;
  readonly kind: ErrorKind;
  readonly advice: string;
}

const OF_USER: Bound = {
  most: {
    subs: LIMITS.socketsPerUser * LIMITS.subsPerConnection,
    conditions: LIMITS.conditionsPerUser,
    bytes: LIMITS.filterBytesPerUser,
    names: LIMITS.subIdsPerUser,
    snapshots: LIMITS.snapshotsPerUser,
  },
  of: 'a user',
  kind: 'input',
  advice: '',
};

const OF_NETWORK: Bound = {
  most: {
    subs: LIMITS.subsPerNetwork,
    conditions: LIMITS.conditionsPerNetwork,
    bytes: LIMITS.filterBytesPerNetwork,
    names: LIMITS.subIdsPerNetwork,
    snapshots: LIMITS.snapshotsPerNetwork,
  },
  of: 'anonymous callers and guests from one network',
  kind: 'rate_limit',
  advice: '; end others first, or connect with the token of a user',
};

const OF_STRANGERS: Bound = {
  most: {
    subs: LIMITS.subsOfStrangers,
    conditions: LIMITS.conditionsOfStrangers,
    bytes: LIMITS.filterBytesOfStrangers,
    names: LIMITS.subIdsOfStrangers,
    snapshots: LIMITS.snapshotsOfStrangers,
  },
  of: 'anonymous callers and guests',
  kind: 'rate_limit',
  advice: '; try again later, or connect with the token of a user',
};

/** Connections that have a bound together. */
interface Group {
  readonly key: string;
  readonly bound: Bound;
}

const STRANGERS: Group = { key: 'strangers', bound: OF_STRANGERS };
const NO_GROUPS: readonly Group[] = [];

export class Holdings {
  /** Groups that hold something. */
  readonly #sums = new Map<string, Holds>();

  /** For a new connection, which holds nothing yet. A server has no bounds. */
  of(caller: Caller, stranger: Stranger | undefined): Holding {
    const user = caller.kind === 'user' ? { key: `user ${caller.id}`, bound: OF_USER } : [];
    const network = stranger?.network === undefined ? [] : { key: `network ${stranger.network}`, bound: OF_NETWORK };
    // No longer than it has to be: one that grows keeps room for sixteen more.
    return new Holding(this.#sums, NO_GROUPS.concat(user, network, stranger === undefined ? [] : STRANGERS));
  }

  /** Groups that hold something. */
  get size(): number {
    return this.#sums.size;
  }
}

/** What one connection holds, of one kind. */
export class Holding {
  readonly #sums: Map<string, Holds>;
  readonly #groups: readonly Group[];
  #own = NOTHING;
  #isClosed = false;

  constructor(sums: Map<string, Holds>, groups: readonly Group[]) {
    this.#sums = sums;
    this.#groups = groups;
  }

  /** For something else that the same connection holds. */
  another(): Holding {
    return new Holding(this.#sums, this.#groups);
  }

  /**
   * Throws RosterError, with the bound, when holding `next` is too much: `input` for a user, `rate_limit` for strangers, where others hold
   * the rest. To hold less than now is always allowed. `isAlone`: only what the user itself holds counts. `path`: what the error names.
   */
  mustFit(next: Holds, isAlone = false, path = 'sub'): void {
    for (const { key, bound } of this.#groups) {
      const { most, of, kind, advice } = bound;
      if (isAlone && kind !== 'input') continue;
      const sum = this.#sums.get(key) ?? NOTHING;
      for (const measure of MEASURES) {
        const total = sum[measure] - this.#own[measure] + next[measure];
        if (next[measure] <= this.#own[measure] || total <= most[measure]) continue;
        // What others hold is nobody's business.
        const told = kind === 'input' ? `, this would make ${total}` : advice;
        throw fieldErrors(kind, [{ path, message: `at most ${most[measure]} ${WORDS[measure]} of all connections of ${of}${told}` }]);
      }
    }
  }

  set(next: Holds): void {
    if (this.#isClosed) return;
    for (const { key } of this.#groups) {
      const sum = added(this.#sums.get(key) ?? NOTHING, next, this.#own);
      if (MEASURES.every((measure) => sum[measure] === 0)) this.#sums.delete(key);
      else this.#sums.set(key, sum);
    }
    this.#own = next;
  }

  /** The connection has ended: it holds nothing, from now on. */
  close(): void {
    this.set(NOTHING);
    this.#isClosed = true;
  }
}

function added(sum: Holds, more: Holds, less: Holds): Holds {
  return {
    subs: sum.subs + more.subs - less.subs,
    conditions: sum.conditions + more.conditions - less.conditions,
    bytes: sum.bytes + more.bytes - less.bytes,
    names: sum.names + more.names - less.names,
    snapshots: sum.snapshots + more.snapshots - less.snapshots,
  };
}
