/** The subscriptions of a client over the life of its connections: named again, completed, begun anew, and waited for. */
import type { Sub } from '../frames.ts';
import { RosterClientError, unanswered } from './client-error.ts';
import type { Frame, Link } from './link.ts';
import type { LiveUser } from './types.ts';
import { UserCopy } from './user-copy.ts';

export interface SubscriptionsOwner {
  changed(ids: readonly string[]): void;
  resynced(sub: string, users: readonly LiveUser[], gone: readonly string[]): void;
  refused(sub: string, error: RosterClientError): void;
  /** The daemon goes back to `seq` to feed this subscription. */
  rewound(seq: number, sub: string): void;
}

export interface Connected {
  readonly isResumed: boolean;
  readonly isNewHistory: boolean;
  readonly seq: number;
}

/** The subscription that queries with `presence` add to. The newest ids stay when there are too many. */
const QUERIED = 'queryUsers';
const QUERIED_IDS = 1_000;

interface Waiter {
  readonly resolve: (users: readonly LiveUser[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Subscriptions {
  readonly copy: UserCopy;
  readonly #link: Link;
  readonly #owner: SubscriptionsOwner;
  readonly #waiters = new Map<string, Waiter[]>();
  /** The latest snapshot that is being read, by subscription: an older one gives up. */
  readonly #runs = new Map<string, object>();
  /** Subscriptions that were complete once: what comes for them now is told as `resync`. */
  readonly #known = new Set<string>();
  /** Named in the connect frame that is on its way. */
  #greeted: readonly string[] = [];

  constructor(link: Link, owner: SubscriptionsOwner) {
    this.#link = link;
    this.#owner = owner;
    this.copy = new UserCopy((ids) => owner.changed(ids));
  }

  add(asked: Sub): Promise<readonly LiveUser[]> {
    // Who is told of coming and going is also told when some of it was missed.
    const spec = dependsOnPresence(asked) ? { ...asked, presence: true } : asked;
    return new Promise((resolve, reject) => {
      this.#known.delete(spec.sub);
      this.#waiters.set(spec.sub, [...(this.#waiters.get(spec.sub) ?? []), { resolve, reject }]);
      this.copy.begin(spec);
      if (this.#link.state.kind === 'open') void this.#ask(spec);
    });
  }

  /** Adds users to those that queries asked to hear of. */
  async watch(ids: readonly string[]): Promise<void> {
    const before = this.copy.specs.find(({ sub }) => sub === QUERIED)?.ids ?? [];
    await this.add({ sub: QUERIED, ids: [...new Set([...before, ...ids])].slice(-QUERIED_IDS), presence: true });
  }

  async remove(name: string): Promise<void> {
    if (!this.copy.has(name)) return;
    this.#settle(name, unanswered(`the subscription ${name} was ended`));
    this.#runs.delete(name);
    this.#known.delete(name);
    this.copy.remove(name);
    this.settleDoubts();
    if (this.#link.state.kind === 'open') await this.#link.request({ op: 'unsub', sub: name });
  }

  /** What the connect frame names: all that fit, and of a connection that resumes only those whose snapshot is complete. */
  hello(resumes: boolean, bytesMax: number): Sub[] {
    let bytes = 0;
    const specs = (resumes ? this.copy.loaded : this.copy.specs).filter((spec) => {
      // Ids are ASCII; names and filters may not be, and are small.
      bytes += 3 * JSON.stringify({ ...spec, ids: undefined }).length + JSON.stringify(spec.ids ?? []).length;
      return bytes <= bytesMax;
    });
    this.#greeted = specs.map(({ sub }) => sub);
    return specs;
  }

  /** Runs before any frame of the new connection is looked at. */
  connected({ isResumed, isNewHistory, seq }: Connected): void {
    this.#runs.clear();
    if (isNewHistory) this.copy.forgetHistory();
    const greeted = new Set(this.#greeted);
    for (const spec of this.copy.specs) {
      if (!greeted.has(spec.sub)) {
        const canFollow = isResumed && this.copy.isLoaded(spec.sub);
        if (canFollow) this.copy.await(spec.sub);
        else this.copy.begin(spec);
        void this.#ask(canFollow ? { ...spec, snapshot: false } : spec, canFollow);
      } else if (!isResumed) this.copy.begin(spec);
      else if (!this.copy.isLoaded(spec.sub)) {
        // A durable consumer goes on where it was, without a snapshot.
        this.copy.follow(spec.sub, seq);
        this.#completed(spec.sub, [], []);
      }
    }
  }

  /** A snapshot that nobody asked for: it follows a connect that could not resume. */
  told(name: string, first: Frame): void {
    if (first.users === undefined) {
      this.copy.follow(name, Number(first.seq));
      this.#completed(name, [], []);
    } else void this.#read(name, first);
  }

  /** The daemon ended a subscription, because what its owner may see has changed: it begins anew. */
  reset(name: string): void {
    const spec = this.copy.specs.find(({ sub }) => sub === name);
    if (spec === undefined) return;
    this.copy.begin(spec);
    void this.#ask(spec);
  }

  /** Who is online now, after some coming and going was missed: with it, who is in a subscription that asks for that. */
  presenceState(names: readonly string[], online: readonly string[], isReset: boolean): void {
    this.copy.presenceState(names, online, isReset);
    for (const spec of isReset ? this.copy.specs : []) if (names.includes(spec.sub) && dependsOnPresence(spec)) this.reset(spec.sub);
  }

  settleDoubts(): void {
    for (const { sub } of this.copy.doubtful) this.reset(sub);
  }

  /** Nobody needs to wait any longer: the connection does not come back. */
  disconnected(error: unknown): void {
    for (const name of [...this.#waiters.keys()]) this.#settle(name, error);
  }

  clear(): void {
    this.disconnected(unanswered('the subscriptions were ended'));
    this.#runs.clear();
    this.#known.clear();
    this.copy.clear();
  }

  async #ask(spec: Sub, isFollowing = false): Promise<void> {
    const run = {};
    this.#runs.set(spec.sub, run);
    try {
      const first = await this.#link.request({ op: 'sub', ...spec }, (answer) => {
        if (this.#runs.get(spec.sub) !== run || answer.users !== undefined) return;
        if (!isFollowing) this.copy.follow(spec.sub, Number(answer.seq));
        this.#owner.rewound(Number(answer.seq), spec.sub);
      });
      if (this.#runs.get(spec.sub) !== run || isFollowing) return;
      if (first.users === undefined) this.#completed(spec.sub, [], []);
      else await this.#read(spec.sub, first);
    } catch (error) {
      this.#failed(spec.sub, run, error);
    }
  }

  async #read(name: string, first: Frame): Promise<void> {
    const run = {};
    this.#runs.set(name, run);
    // What the daemon knows to be gone, whether the copy had it or not.
    const told = new Set<string>();
    try {
      for (let page = first; ; page = await this.#link.request({ op: 'page', sub: name, more: String(page.more) })) {
        if (this.#runs.get(name) !== run) return;
        this.copy.page(name, Number(page.seq), page.users as LiveUser[]);
        for (const id of (page.gone ?? []) as string[]) told.add(id);
        if (page.more === undefined) break;
      }
      const { users, gone } = this.copy.end(name);
      this.#completed(name, users, [...new Set([...told, ...gone])]);
      if (gone.length > 0) this.settleDoubts();
    } catch (error) {
      this.#failed(name, run, error);
    }
  }

  /** Without a connection it is asked for again when there is one; what the daemon refused has ended. */
  #failed(name: string, run: object, error: unknown): void {
    if (this.#runs.get(name) !== run) return;
    this.#runs.delete(name);
    if (!(error instanceof RosterClientError) || error.status === 0) return;
    const isKnown = this.#known.delete(name);
    this.copy.remove(name);
    this.#settle(name, error);
    if (isKnown) this.#owner.refused(name, error);
  }

  #completed(name: string, users: readonly LiveUser[], gone: readonly string[]): void {
    const isKnown = this.#known.has(name);
    this.#known.add(name);
    this.#settle(name, undefined, users);
    if (isKnown) this.#owner.resynced(name, users, gone);
  }

  #settle(name: string, error: unknown, users: readonly LiveUser[] = []): void {
    const waiters = this.#waiters.get(name) ?? [];
    this.#waiters.delete(name);
    for (const { resolve, reject } of waiters) {
      if (error === undefined) resolve(users);
      else reject(error);
    }
  }
}

/** Who is in such a subscription changes without the log, so what was missed cannot be read there. */
function dependsOnPresence({ filter }: Sub): boolean {
  return filter !== undefined && JSON.stringify(filter).includes('"online"');
}
