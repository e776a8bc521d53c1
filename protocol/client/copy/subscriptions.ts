/** The subscriptions of a client over the life of its connections: named again, completed, begun anew, and waited for. */

import { RosterClientError, unanswered } from '../client-error.ts';
import type { Link } from '../link/link.ts';
import { type Frame, frameText } from '../link/requests.ts';
import { FRAME_BYTES } from '../link/socket.ts';
import type { LiveUser, Subscription } from '../types.ts';
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
/** Room that a frame keeps for everything but the subscription, or but its ids. */
const ENVELOPE_BYTES = 256;

/** Codes of refusals that may be for a subscription: wrong input, and not allowed. */
const MAY_BE_A_SUB: ReadonlySet<number> = new Set([4, 17]);

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
  /** As they were named in the last connect frame. */
  readonly #greeted = new Map<string, Subscription>();
  /** Whether that frame named a position. Where it did not, one that resumes is a durable consumer's. */
  #resumes = false;
  #isOpen = false;
  /** The last connect was refused, maybe for a subscription: the next one names none. */
  #namesNone = false;

  constructor(link: Link, owner: SubscriptionsOwner) {
    this.#link = link;
    this.#owner = owner;
    this.copy = new UserCopy((ids) => owner.changed(ids));
  }

  /** Whoever awaits it is told of its failure; nobody has to. */
  add(asked: Subscription): Promise<readonly LiveUser[]> {
    const added = new Promise<readonly LiveUser[]>((resolve, reject) => {
      // Nothing is begun that could not be asked for, so what it would have replaced stays.
      frameText('sub', asked, ENVELOPE_BYTES);
      // Who is told of coming and going is also told when some of it was missed.
      const wanted = dependsOnPresence(asked) ? { ...asked, presence: true } : asked;
      this.#known.delete(wanted.sub);
      this.#waiters.set(wanted.sub, [...(this.#waiters.get(wanted.sub) ?? []), { resolve, reject }]);
      const spec = this.copy.begin(wanted);
      if (this.#isOpen) void this.#ask(spec);
    });
    added.catch(() => {});
    return added;
  }

  /** Adds users to those that queries asked to hear of. */
  watch(ids: readonly string[]): Promise<unknown> {
    const found = new Set(ids);
    const before = this.copy.spec(QUERIED)?.ids ?? [];
    return this.add({ sub: QUERIED, ids: newest([...before.filter((id) => !found.has(id)), ...found]), presence: true });
  }

  async remove(name: string): Promise<void> {
    if (!this.copy.has(name)) return;
    this.#settle(name, unanswered(`the subscription ${name} was ended`));
    this.#runs.delete(name);
    this.#known.delete(name);
    this.copy.remove(name);
    this.settleDoubts();
    if (this.#isOpen) await this.#end(name);
  }

  /** What the connect frame names: all that fit, and of a connection that resumes only those whose snapshot is complete. */
  hello(resumes: boolean, bytesMax: number): Subscription[] {
    let bytes = 0;
    const candidates = this.#namesNone ? [] : resumes ? this.copy.loaded : this.copy.specs;
    const specs = candidates.filter((spec) => {
      // Ids are ASCII; names and filters may not be, and are small.
      const size = 3 * JSON.stringify({ ...spec, ids: undefined }).length + JSON.stringify(spec.ids ?? []).length;
      if (bytes + size > bytesMax) return false;
      bytes += size;
      return true;
    });
    this.#resumes = resumes;
    this.#greeted.clear();
    for (const spec of specs) this.#greeted.set(spec.sub, spec);
    return specs;
  }

  /** A connect was refused. True when it is worth trying without subscriptions, so that the one at fault is refused alone. */
  retries({ code }: RosterClientError): boolean {
    this.#namesNone = this.#greeted.size > 0 && MAY_BE_A_SUB.has(code);
    return this.#namesNone;
  }

  /** Runs before any frame of the new connection is looked at. */
  connected({ isResumed, isNewHistory, seq }: Connected): void {
    this.#runs.clear();
    this.#isOpen = true;
    this.#namesNone = false;
    if (isNewHistory) this.copy.forgetHistory();
    for (const spec of this.copy.specs) {
      const { sub } = spec;
      if (this.#greeted.get(sub) !== spec) this.#nameLate(spec, isResumed);
      else if (!isResumed) this.#greeted.set(sub, this.copy.begin(spec));
      else if (this.copy.isLoaded(sub)) this.copy.wait(sub, false);
      else {
        // A durable consumer goes on where it was, without a snapshot.
        this.copy.follow(sub, seq);
        this.#completed(sub, [], []);
      }
    }
    for (const name of this.#greeted.keys()) if (!this.copy.has(name)) this.#end(name).catch(() => {});
  }

  /**
   * One that the connect frame did not name as it is now. On a connection that resumed the daemon goes back for it, unless it needs
   * a snapshot anyway.
   */
  #nameLate(spec: Subscription, isResumed: boolean): void {
    const isFollowing = isResumed && this.copy.isLoaded(spec.sub);
    const held = isFollowing ? spec : this.copy.begin(spec, this.#greeted.has(spec.sub));
    const isFed = isFollowing || (isResumed && (spec.snapshot === false || !this.#resumes));
    this.copy.wait(spec.sub, isFed);
    void this.#ask(isFed ? { ...held, snapshot: false } : held, isFollowing);
  }

  /** A snapshot that nobody asked for: it follows a connect that could not resume. */
  told(name: string, first: Frame): void {
    const spec = this.copy.spec(name);
    // It is of one that was replaced or ended meanwhile.
    if (spec === undefined || spec !== this.#greeted.get(name)) return;
    if (first.users === undefined) {
      this.copy.follow(name, Number(first.seq));
      this.#completed(name, [], []);
    } else void this.#read(name, first);
  }

  /** The daemon ended a subscription, because what its owner may see has changed: it begins anew. */
  reset(name: string): void {
    const spec = this.copy.spec(name);
    if (spec !== undefined) void this.#ask(this.copy.begin(spec));
  }

  /** Who is online now, after some coming and going was missed: with it, who is in a subscription that asks for that. */
  presenceState(names: readonly string[], online: readonly string[], isReset: boolean): void {
    this.copy.presenceState(names, online, isReset);
    for (const spec of isReset ? this.copy.specs : []) if (names.includes(spec.sub) && dependsOnPresence(spec)) this.reset(spec.sub);
  }

  settleDoubts(): void {
    for (const { sub } of this.copy.doubtful) this.reset(sub);
  }

  /** What is asked for from now on waits for the next connection. */
  cut(): void {
    this.#isOpen = false;
  }

  /** Nobody needs to wait any longer: the connection does not come back. */
  disconnected(error: unknown): void {
    this.#namesNone = false;
    for (const name of [...this.#waiters.keys()]) this.#settle(name, error);
  }

  clear(): void {
    this.disconnected(unanswered('the subscriptions were ended'));
    this.#runs.clear();
    this.#known.clear();
    this.copy.clear();
  }

  async #ask(spec: Subscription, isFollowing = false): Promise<void> {
    const run = {};
    this.#runs.set(spec.sub, run);
    try {
      const first = await this.#link.request({ op: 'sub', ...spec }, (answer) => {
        if (this.#runs.get(spec.sub) !== run || answer.users !== undefined) return;
        if (isFollowing) this.copy.wait(spec.sub, false);
        else this.copy.follow(spec.sub, Number(answer.seq));
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
    if (isUnanswered(error)) return;
    const refused = error instanceof RosterClientError ? error : unanswered(`the subscription ${name} could not be read`, error);
    const isKnown = this.#known.delete(name);
    this.copy.remove(name);
    this.#settle(name, refused);
    if (isKnown) this.#owner.refused(name, refused);
  }

  /** A cut ends it as well. */
  async #end(name: string): Promise<void> {
    await this.#link.request({ op: 'unsub', sub: name }).catch((error: unknown) => {
      if (!isUnanswered(error)) throw error;
    });
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
function dependsOnPresence({ filter }: Subscription): boolean {
  return filter !== undefined && JSON.stringify(filter).includes('"online"');
}

function isUnanswered(error: unknown): boolean {
  return error instanceof RosterClientError && error.status === 0;
}

/** The last ids of a list, as many as one subscription may have. Ids are ASCII. */
function newest(ids: readonly string[]): string[] {
  let bytes = 2 * ENVELOPE_BYTES;
  let from = ids.length;
  for (const id of ids.slice(-QUERIED_IDS).reverse()) {
    bytes += JSON.stringify(id).length + 1;
    if (bytes > FRAME_BYTES) break;
    from--;
  }
  return ids.slice(from);
}
