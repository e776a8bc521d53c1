/** The subscriptions of a client across its connections: it names them again, completes them, restarts them, and awaits them. */
import { isSnapshotOver, isUnanswered, RosterClientError, unanswered } from '../client-error.ts';
import type { Link } from '../link/link.ts';
import { type Frame, frameText } from '../link/requests.ts';
import { FRAME_BYTES } from '../link/socket.ts';
import type { LiveUser, Subscription } from '../types.ts';
import { UserCopy } from './user-copy.ts';

export interface SubscriptionsOwner {
  changed(ids: readonly string[]): void;
  resynced(sub: string, users: readonly LiveUser[], gone: readonly string[]): void;
  refused(sub: string, error: RosterClientError): void;
  /** The daemon goes back to `seq` for this subscription. */
  rewound(seq: number, sub: string): void;
}

export interface Connected {
  readonly isResumed: boolean;
  readonly isNewHistory: boolean;
  readonly seq: number;
}

/** The subscription to which queries with `presence` add. When there are too many ids, the newest stay. */
const QUERIED = 'queryUsers';
const QUERIED_IDS = 1_000;
/** Bytes that a frame reserves for everything but the subscription, or but its ids. */
const ENVELOPE_BYTES = 256;

/** Codes of refusals that a subscription may have caused: wrong input, and not allowed. */
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
  /** The latest snapshot read of each subscription: older reads give up. */
  readonly #runs = new Map<string, object>();
  /** Subscriptions that were complete before: a new snapshot of one causes `resync`. */
  readonly #known = new Set<string>();
  /** Subscriptions that are doubted while their snapshot is read: when it is complete, doubts are settled again. */
  readonly #doubted = new Set<string>();
  /** The subscriptions as the last connect frame named them. */
  readonly #greeted = new Map<string, Subscription>();
  /** Whether that frame named a position. If it did not, a connection that resumes is a durable consumer's. */
  #resumes = false;
  #isOpen = false;
  /** The last connect was refused, possibly because of a subscription, so the next one names none. */
  #namesNone = false;

  constructor(link: Link, owner: SubscriptionsOwner) {
    this.#link = link;
    this.#owner = owner;
    this.copy = new UserCopy((ids) => owner.changed(ids));
  }

  /** Rejects when the subscription fails; a caller need not await it. */
  add(asked: Subscription): Promise<readonly LiveUser[]> {
    const added = new Promise<readonly LiveUser[]>((resolve, reject) => {
      // Checks the size first, so that a subscription too large to send does not replace an existing one.
      frameText('sub', asked, ENVELOPE_BYTES);
      // A subscription whose members depend on presence also needs to learn when changes of presence were missed.
      const wanted = dependsOnPresence(asked) ? { ...asked, presence: true } : asked;
      this.#known.delete(wanted.sub);
      this.#waiters.set(wanted.sub, [...(this.#waiters.get(wanted.sub) ?? []), { resolve, reject }]);
      const spec = this.copy.begin(wanted);
      if (this.#isOpen) void this.#ask(spec);
    });
    added.catch(() => {});
    return added;
  }

  /** Adds users to the subscription of queries. */
  watch(ids: readonly string[]): Promise<unknown> {
    const found = new Set(ids);
    const before = this.copy.spec(QUERIED)?.ids ?? [];
    return this.add({ sub: QUERIED, ids: newest([...before.filter((id) => !found.has(id)), ...found]), presence: true });
  }

  async remove(name: string): Promise<void> {
    if (!this.copy.has(name)) return;
    this.#settle(name, unanswered(`the subscription ${name} was ended`));
    this.#forget(name);
    if (this.#isOpen) await this.#end(name);
  }

  /** The subscriptions for the connect frame: all that fit, and on a resume only those whose snapshot is complete. */
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

  /** A connect was refused. True when one without subscriptions may succeed, so that only the wrong subscription is refused. */
  retries({ code }: RosterClientError): boolean {
    this.#namesNone = this.#greeted.size > 0 && MAY_BE_A_SUB.has(code);
    return this.#namesNone;
  }

  /** Runs before the next frame of the new connection is processed. */
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
        // A durable consumer resumes at its position, without a snapshot.
        this.copy.follow(sub, seq);
        this.#completed(sub, [], []);
      }
    }
    for (const name of this.#greeted.keys()) if (!this.copy.has(name)) this.#end(name).catch(() => {});
  }

  /**
   * Names a subscription that the connect frame did not name in its current form. On a resumed connection, the daemon goes back for
   * it, unless it needs a snapshot anyway.
   */
  #nameLate(spec: Subscription, isResumed: boolean): void {
    const isFollowing = isResumed && this.copy.isLoaded(spec.sub);
    const held = isFollowing ? spec : this.copy.begin(spec, this.#greeted.has(spec.sub));
    const isFed = isFollowing || (isResumed && (spec.snapshot === false || !this.#resumes));
    this.copy.wait(spec.sub, isFed);
    void this.#ask(isFed ? { ...held, snapshot: false } : held, isFollowing);
  }

  /** A snapshot without a request: it follows a connect that could not resume. */
  told(name: string, first: Frame): void {
    const spec = this.copy.spec(name);
    // The snapshot belongs to a subscription that was replaced or ended meanwhile.
    if (spec === undefined || spec !== this.#greeted.get(name)) return;
    if (first.users === undefined) {
      this.copy.follow(name, Number(first.seq));
      this.#completed(name, [], []);
    } else void this.#read(name, first);
  }

  /** The daemon ended a subscription because its owner may now see other users: it starts again. */
  reset(name: string): void {
    const spec = this.copy.spec(name);
    if (spec !== undefined) void this.#ask(this.copy.begin(spec));
  }

  /** The users online after missed changes of presence, and so the members of a subscription that depends on presence. */
  presenceState(names: readonly string[], online: readonly string[], isReset: boolean): void {
    this.copy.presenceState(names, online, isReset);
    for (const spec of isReset ? this.copy.specs : []) if (names.includes(spec.sub) && dependsOnPresence(spec)) this.reset(spec.sub);
  }

  /** Asks for the doubtful subscriptions again. One that is being read may settle the doubt itself, or not: its snapshot may be older. */
  settleDoubts(): void {
    for (const { sub } of this.copy.doubtful) {
      if (this.copy.isLoaded(sub)) this.reset(sub);
      else this.#doubted.add(sub);
    }
  }

  /** From now on, subscriptions wait for the next connection. */
  cut(): void {
    this.#isOpen = false;
  }

  /** The connection does not come back, so every waiting call ends. */
  disconnected(error: unknown): void {
    this.#namesNone = false;
    for (const name of [...this.#waiters.keys()]) this.#settle(name, error);
  }

  clear(): void {
    this.disconnected(unanswered('the subscriptions were ended'));
    this.#runs.clear();
    this.#known.clear();
    this.#doubted.clear();
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
    // Ids that the daemon reports as gone, whether or not the copy has them.
    const told = new Set<string>();
    try {
      for (let page = first; ; page = await this.#link.request({ op: 'page', sub: name, more: String(page.more) })) {
        if (this.#runs.get(name) !== run) return;
        this.copy.page(name, Number(page.seq), page.users as LiveUser[]);
        for (const id of (page.gone ?? []) as string[]) told.add(id);
        if (page.more === undefined) break;
      }
      const { users, gone, isUnsure } = this.copy.end(name);
      this.#completed(name, users, [...new Set([...told, ...gone])]);
      if (isUnsure) this.reset(name);
      if (this.#doubted.delete(name) || gone.length > 0) this.settleDoubts();
    } catch (error) {
      this.#failed(name, run, error);
    }
  }

  /** Without a connection, the next one asks for it again; when its snapshot is over, it starts again; one that the daemon refused has ended. */
  #failed(name: string, run: object, error: unknown): void {
    if (this.#runs.get(name) !== run) return;
    this.#runs.delete(name);
    if (isUnanswered(error)) return;
    if (isSnapshotOver(error)) {
      this.reset(name);
      return;
    }
    const refused = error instanceof RosterClientError ? error : unanswered(`the subscription ${name} could not be read`, error);
    const isKnown = this.#known.has(name);
    this.#forget(name);
    this.#settle(name, refused);
    if (isKnown) this.#owner.refused(name, refused);
  }

  /** Of two filters that may hold a user, the other one is asked again when one ends. */
  #forget(name: string): void {
    this.#runs.delete(name);
    this.#known.delete(name);
    this.#doubted.delete(name);
    this.copy.remove(name);
    this.settleDoubts();
  }

  /** Ends a subscription. The end of the connection does so, too. */
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

/** Members of such a subscription change without an entry in the log, so missed changes cannot be read there. */
function dependsOnPresence({ filter }: Subscription): boolean {
  return filter !== undefined && JSON.stringify(filter).includes('"online"');
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
