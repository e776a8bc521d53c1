/**
 * The local copy of the users that subscriptions hold. It takes snapshots, events and presence in any order. An older record never
 * replaces a newer one (`rev`), and a user leaves the copy when no subscription holds it any more.
 *
 * An event names its subscriptions and has one `match` for all of them. A subscription by filter or team that it does not name
 * does not hold the user. `enter` means that every named subscription holds the user, `leave` that none does, and `stay` for
 * several that at least one does, possibly one that was ended here while the event was on its way. The copy then does not know
 * which one, and asks for these subscriptions again when it matters (`doubtful`).
 */
import type { DocumentEvent } from '../document-types.ts';
import type { LiveUser, Subscription, UserEvent } from '../types.ts';

interface Held {
  readonly spec: Subscription;
  /** Events up to this position are in its snapshot, or were emitted already. */
  since: number;
  /** The users in it; false: uncertain. */
  readonly members: Map<string, boolean>;
  /** Set while a snapshot is being read. */
  loading: Loading | undefined;
  isLoaded: boolean;
  /** Named late on a resumed connection: its missed events are still to come, whatever the others have received meanwhile. */
  isWaiting: boolean;
}

interface Loading {
  /** Ids in the pages received so far. */
  readonly seen: Set<string>;
  /** Ids in events received meanwhile, with their positions: such an event is newer than a snapshot from before it. */
  readonly touched: Map<string, number>;
  /** The subscription selects other users than before, so events until the snapshot may still be for the previous selection. */
  readonly isNew: boolean;
  /** A change of presence came that may have been for the previous selection, or for this one and newer than its snapshot. */
  isUnsure: boolean;
}

/** Events that can move a user into or out of subscriptions. Mutes, reports and custom events cannot. */
const MOVES: ReadonlySet<string> = new Set([
  'user.updated',
  'user.deactivated',
  'user.reactivated',
  'user.banned',
  'user.unbanned',
  'user.deleted',
]);

export class UserCopy {
  readonly users = new Map<string, LiveUser>();
  readonly #subs = new Map<string, Held>();
  /** The newest known revision, also of absent users that an older, unfinished snapshot may still bring. */
  readonly #revs = new Map<string, number>();
  /** Users whose place in a subscription is uncertain. */
  readonly #doubts = new Set<string>();
  readonly #changed: (ids: readonly string[]) => void;

  constructor(changed: (ids: readonly string[]) => void) {
    this.#changed = changed;
  }

  get specs(): readonly Subscription[] {
    return [...this.#subs.values()].map(({ spec }) => spec);
  }

  get loaded(): readonly Subscription[] {
    return [...this.#subs.values()].filter(({ isLoaded }) => isLoaded).map(({ spec }) => spec);
  }

  has(sub: string): boolean {
    return this.#subs.has(sub);
  }

  spec(sub: string): Subscription | undefined {
    return this.#subs.get(sub)?.spec;
  }

  isLoaded(sub: string): boolean {
    return this.#subs.get(sub)?.isLoaded === true;
  }

  /** Whether a subscription lacks events that others have received. */
  get isWaiting(): boolean {
    return [...this.#subs.values()].some((held) => held.isWaiting);
  }

  /**
   * Begins a subscription, or begins it again: its users stay until the snapshot replaces them. Returns a new object each time,
   * which identifies this beginning. `isReplacing`: the daemon knows another subscription under this name.
   */
  begin(asked: Subscription, isReplacing = false): Subscription {
    const before = this.#subs.get(asked.sub);
    const isNew = isReplacing || (before !== undefined && JSON.stringify(before.spec) !== JSON.stringify(asked));
    const spec = { ...asked };
    this.#subs.set(spec.sub, {
      spec,
      since: before?.since ?? 0,
      members: before?.members ?? new Map(),
      loading: { seen: new Set(), touched: new Map(), isNew, isUnsure: false },
      isLoaded: false,
      isWaiting: false,
    });
    return spec;
  }

  /** The first page gives the position of the snapshot. */
  page(sub: string, seq: number, users: readonly LiveUser[]): void {
    const held = this.#subs.get(sub);
    if (held?.loading === undefined) return;
    const { seen, touched } = held.loading;
    held.since = Math.max(held.since, seq);
    // Events before the snapshot's position were for the previous form of the subscription.
    for (const [id, at] of touched) if (at <= seq) touched.delete(id);
    const changed: string[] = [];
    for (const user of users) {
      if (touched.has(user.id)) continue;
      seen.add(user.id);
      held.members.set(user.id, true);
      if (this.#put(user)) changed.push(user.id);
    }
    if (changed.length > 0) this.#changed(changed);
  }

  /** The snapshot is complete. `gone`: the users that have left the subscription. `isUnsure`: only another snapshot tells what it holds. */
  end(sub: string): { readonly users: readonly LiveUser[]; readonly gone: readonly string[]; readonly isUnsure: boolean } {
    const held = this.#subs.get(sub);
    if (held?.loading === undefined) return { users: [], gone: [], isUnsure: false };
    const { seen, touched, isUnsure } = held.loading;
    const gone = [...held.members.keys()].filter((id) => !seen.has(id) && !touched.has(id));
    held.loading = undefined;
    held.isLoaded = true;
    for (const id of gone) held.members.delete(id);
    this.#drop(gone);
    this.#forgetAbsent();
    return { users: [...held.members.keys()].flatMap((id) => this.users.get(id) ?? []), gone, isUnsure };
  }

  /** A subscription without a snapshot: it gets events after `seq`, and its users are unknown. */
  follow(sub: string, seq: number): void {
    const held = this.#subs.get(sub);
    if (held === undefined) return;
    held.since = seq;
    held.loading = undefined;
    held.isLoaded = true;
    held.isWaiting = false;
  }

  /** Marks events up to `seq` as received, so that they are not emitted again when the daemon goes back for another subscription. */
  holdBack(seq: number, except?: string): void {
    for (const [name, held] of this.#subs) if (name !== except && !held.isWaiting) held.since = Math.max(held.since, seq);
  }

  /** Sets whether the daemon still has to go back for this subscription. */
  wait(sub: string, isWaiting: boolean): void {
    const held = this.#subs.get(sub);
    if (held !== undefined) held.isWaiting = isWaiting;
  }

  /** Ends a subscription; its users leave the copy unless another subscription holds them. */
  remove(sub: string): void {
    const held = this.#subs.get(sub);
    if (held === undefined) return;
    this.#subs.delete(sub);
    this.#drop([...held.members.keys()]);
    this.#forgetAbsent();
  }

  /** The history is a new one: revisions and positions of the old one are meaningless. */
  forgetHistory(): void {
    for (const id of this.#revs.keys()) this.#revs.set(id, -1);
    for (const held of this.#subs.values()) held.since = 0;
  }

  clear(): void {
    const ids = [...this.users.keys()];
    this.#subs.clear();
    this.users.clear();
    this.#revs.clear();
    this.#doubts.clear();
    if (ids.length > 0) this.#changed(ids);
  }

  /** The subscriptions for which an event is new. */
  concerned({ sub = [], seq }: UserEvent | DocumentEvent): readonly string[] {
    return sub.filter((name) => (this.#subs.get(name)?.since ?? Number.POSITIVE_INFINITY) < seq);
  }

  /** `names`: the subscriptions for which it is new. */
  apply(event: UserEvent, names: readonly string[]): void {
    const { type, user, seq } = event;
    const isGone = type === 'user.deleted' || type === 'user.hidden';
    for (const [name, held] of this.#subs) {
      if (held.since >= seq) continue;
      const isNamed = names.includes(name);
      if (isNamed || isGone) held.loading?.touched.set(user.id, seq);
      if (isGone) held.members.delete(user.id);
      else if (MOVES.has(type)) this.#move(held, isNamed, event);
    }
    this.#settle(user, seq, isGone);
  }

  /** A change of presence. A subscription that does not ask for presence is not named, and may still hold the user. */
  presence(event: UserEvent): void {
    const { user, sub = [], match } = event;
    const names = sub.filter((name) => this.#subs.has(name));
    for (const name of names) {
      const held = this.#subs.get(name);
      if (held === undefined || match === undefined) continue;
      this.#move(held, true, event);
      // A change of presence has no position: it may be newer than a page on its way, whatever the position of that page.
      if (held.loading?.isNew === true) held.loading.isUnsure = true;
      else if (match !== 'stay' || held.members.get(user.id) === false) held.loading?.touched.set(user.id, Number.POSITIVE_INFINITY);
    }
    this.#settle(user, user.rev, false);
  }

  /** The online users of a subscription; `reset` begins the list, and users that are not in it are offline. */
  presenceState(sub: readonly string[], online: readonly string[], isReset: boolean): void {
    const there = new Set(online);
    const changed: string[] = [];
    for (const name of sub) {
      const ids = isReset ? (this.#subs.get(name)?.members.keys() ?? []) : online;
      for (const id of ids) {
        const user = this.users.get(id);
        if (user === undefined || user.online === there.has(id)) continue;
        this.users.set(id, { ...user, online: there.has(id) });
        changed.push(id);
      }
    }
    if (changed.length > 0) this.#changed(changed);
  }

  /** Subscriptions of which only they may hold some user, and none certainly does: their snapshots tell. */
  get doubtful(): readonly Subscription[] {
    const unsettled = new Set<Held>();
    for (const id of this.#doubts) {
      const holders = [...this.#subs.values()].filter(({ members }) => members.has(id));
      if (!holders.some(({ members }) => members.get(id) === false)) this.#doubts.delete(id);
      else if (!holders.some(({ members }) => members.get(id) === true)) for (const held of holders) unsettled.add(held);
    }
    return [...unsettled].map(({ spec }) => spec);
  }

  #move({ spec, members }: Held, isNamed: boolean, { user, match, sub = [] }: UserEvent): void {
    const canLeave = spec.filter !== undefined || spec.teams !== undefined;
    if (!canLeave) {
      if (isNamed) members.set(user.id, true);
    } else if (isNamed && match !== 'leave') {
      const isShared = match === 'stay' && sub.some((name) => name !== spec.sub && this.#canLeave(name));
      members.set(user.id, !isShared);
      if (isShared) this.#doubts.add(user.id);
    } else members.delete(user.id);
  }

  /** A subscription that was ended meanwhile may have been of any kind. */
  #canLeave(name: string): boolean {
    const spec = this.#subs.get(name)?.spec;
    return spec === undefined || spec.filter !== undefined || spec.teams !== undefined;
  }

  /** After an event: keeps the record if some subscription holds the user. */
  #settle(user: LiveUser, rev: number, isGone: boolean): void {
    const known = this.#revs.get(user.id) ?? -1;
    const isHeld = [...this.#subs.values()].some(({ members }) => members.has(user.id));
    let isChanged = false;
    if (isHeld && !isGone) isChanged = this.#put(user);
    else if (!isHeld) {
      isChanged = this.users.delete(user.id);
      if (this.#isLoading) this.#revs.set(user.id, Math.max(known, rev));
      else this.#revs.delete(user.id);
    }
    if (isChanged) this.#changed([user.id]);
  }

  /** Returns true when the copy changed. */
  #put(user: LiveUser): boolean {
    const before = this.users.get(user.id);
    if ((this.#revs.get(user.id) ?? -1) > user.rev) return false;
    this.#revs.set(user.id, user.rev);
    this.users.set(user.id, user);
    return before === undefined || before.rev !== user.rev || before.online !== user.online;
  }

  #drop(ids: readonly string[]): void {
    const changed: string[] = [];
    for (const id of ids) {
      if ([...this.#subs.values()].some(({ members }) => members.has(id))) continue;
      if (this.users.delete(id)) changed.push(id);
    }
    if (changed.length > 0) this.#changed(changed);
  }

  /** Revisions of absent users are needed only while older snapshots are being read. */
  #forgetAbsent(): void {
    if (this.#isLoading) return;
    for (const id of this.#revs.keys()) if (!this.users.has(id)) this.#revs.delete(id);
  }

  get #isLoading(): boolean {
    return [...this.#subs.values()].some(({ loading }) => loading !== undefined);
  }
}
