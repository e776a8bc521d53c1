/**
 * The local copy of the users that subscriptions hold: fed with snapshots, events and presence, in whatever order these overtake
 * one another. No record is replaced by an older one (`rev`), and a user leaves the copy when no subscription holds it any more.
 *
 * An event names the subscriptions it is for and has one `match` over all of them. So: a subscription by filter or team that is
 * not named does not hold the user; `enter` means that every named one does, `leave` that none does, and `stay` over several
 * that at least one does, maybe one that was ended here while the event was on its way. Which one is then not known, and those
 * are asked again when it matters (`doubtful`).
 */
import type { DocumentEvent } from '../document-types.ts';
import type { LiveUser, Subscription, UserEvent } from '../types.ts';

interface Held {
  readonly spec: Subscription;
  /** Events at or before this position are in its snapshot, or were handed on already. */
  since: number;
  /** Who is in it; false: perhaps. */
  readonly members: Map<string, boolean>;
  /** Set while a snapshot is on its way. */
  loading: Loading | undefined;
  isLoaded: boolean;
  /** Named late to a connection that resumed: what it missed is still to come, whatever the others were handed meanwhile. */
  isWaiting: boolean;
}

interface Loading {
  /** Ids in the pages so far. */
  readonly seen: Set<string>;
  /** Ids that an event told of meanwhile, with its position: it knows better than a snapshot from before. */
  readonly touched: Map<string, number>;
  /** Other users were asked for than before: what is told until the snapshot comes may be told for those. */
  readonly isNew: boolean;
}

/** Events after which a user may be in other subscriptions than before. Mutes, reports and custom events change nothing there. */
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
  /** The newest revision known, also of users that are gone while a snapshot that is older may still bring them. */
  readonly #revs = new Map<string, number>();
  /** Who is in some subscription only perhaps. */
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

  /** Whether a subscription lacks what others were handed already. */
  get isWaiting(): boolean {
    return [...this.#subs.values()].some((held) => held.isWaiting);
  }

  /**
   * Begins a subscription, or begins it anew: who is in it stays until the snapshot says otherwise. What it gives is another object
   * each time, so that it names this beginning. `isReplacing`: the daemon was told of another one under this name.
   */
  begin(asked: Subscription, isReplacing = false): Subscription {
    const before = this.#subs.get(asked.sub);
    const isNew = isReplacing || (before !== undefined && JSON.stringify(before.spec) !== JSON.stringify(asked));
    const spec = { ...asked };
    this.#subs.set(spec.sub, {
      spec,
      since: before?.since ?? 0,
      members: before?.members ?? new Map(),
      loading: { seen: new Set(), touched: new Map(), isNew },
      isLoaded: false,
      isWaiting: false,
    });
    return spec;
  }

  /** The first page says at which position the snapshot is. */
  page(sub: string, seq: number, users: readonly LiveUser[]): void {
    const held = this.#subs.get(sub);
    if (held?.loading === undefined) return;
    const { seen, touched } = held.loading;
    held.since = Math.max(held.since, seq);
    // What came before the snapshot's position came for the subscription as it was before.
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

  /** The snapshot is complete. Who was in the subscription and is not any more. */
  end(sub: string): { readonly users: readonly LiveUser[]; readonly gone: readonly string[] } {
    const held = this.#subs.get(sub);
    if (held?.loading === undefined) return { users: [], gone: [] };
    const { seen, touched } = held.loading;
    const gone = [...held.members.keys()].filter((id) => !seen.has(id) && !touched.has(id));
    held.loading = undefined;
    held.isLoaded = true;
    for (const id of gone) held.members.delete(id);
    this.#drop(gone);
    this.#forgetAbsent();
    return { users: [...held.members.keys()].flatMap((id) => this.users.get(id) ?? []), gone };
  }

  /** A subscription without a snapshot: it is fed from `seq` on, and nothing is known of what it holds. */
  follow(sub: string, seq: number): void {
    const held = this.#subs.get(sub);
    if (held === undefined) return;
    held.since = seq;
    held.loading = undefined;
    held.isLoaded = true;
    held.isWaiting = false;
  }

  /** What subscriptions were handed up to `seq` is not handed to them again, when the daemon goes back for the sake of others. */
  holdBack(seq: number, except?: string): void {
    for (const [name, held] of this.#subs) if (name !== except && !held.isWaiting) held.since = Math.max(held.since, seq);
  }

  /** Whether the daemon has yet to go back for this subscription. */
  wait(sub: string, isWaiting: boolean): void {
    const held = this.#subs.get(sub);
    if (held !== undefined) held.isWaiting = isWaiting;
  }

  /** Ends a subscription; its users go unless another one holds them. */
  remove(sub: string): void {
    const held = this.#subs.get(sub);
    if (held === undefined) return;
    this.#subs.delete(sub);
    this.#drop([...held.members.keys()]);
    this.#forgetAbsent();
  }

  /** Another history: revisions and positions of the old one mean nothing. */
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

  /** The subscriptions that an event is news for. */
  concerned({ sub = [], seq }: UserEvent | DocumentEvent): readonly string[] {
    return sub.filter((name) => (this.#subs.get(name)?.since ?? Number.POSITIVE_INFINITY) < seq);
  }

  /** `names`: the subscriptions it is news for. */
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

  /** A user came or went. Who is not named may well be in a subscription that does not ask for presence. */
  presence(event: UserEvent): void {
    const { user, sub = [], match } = event;
    const names = sub.filter((name) => this.#subs.has(name));
    for (const name of names) {
      const held = this.#subs.get(name);
      if (held === undefined || match === undefined) continue;
      // Coming and going has no position: it may be newer than a page that is on its way, whatever the position of the page.
      if (match !== 'stay') held.loading?.touched.set(user.id, held.loading.isNew ? event.seq : Number.POSITIVE_INFINITY);
      this.#move(held, true, event);
    }
    this.#settle(user, user.rev, false);
  }

  /** Who is online of a subscription; `reset` begins the list: whoever is not in it is offline. */
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

  /** Subscriptions that must be asked again: only they may hold a user, and none of them certainly does. */
  get doubtful(): readonly Subscription[] {
    const unsettled = new Set<Held>();
    for (const id of this.#doubts) {
      const holders = [...this.#subs.values()].filter(({ members }) => members.has(id));
      if (!holders.some(({ members }) => members.get(id) === false)) this.#doubts.delete(id);
      else if (!holders.some(({ members }) => members.get(id) === true)) for (const held of holders) unsettled.add(held);
    }
    return [...unsettled].filter(({ isLoaded }) => isLoaded).map(({ spec }) => spec);
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

  /** What was ended meanwhile may have been of any kind. */
  #canLeave(name: string): boolean {
    const spec = this.#subs.get(name)?.spec;
    return spec === undefined || spec.filter !== undefined || spec.teams !== undefined;
  }

  /** After an event: the record is kept if some subscription holds it. */
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

  /** True when the copy is other than before. */
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

  /** What is known of users that are gone is needed only while older snapshots are on their way. */
  #forgetAbsent(): void {
    if (this.#isLoading) return;
    for (const id of this.#revs.keys()) if (!this.users.has(id)) this.#revs.delete(id);
  }

  get #isLoading(): boolean {
    return [...this.#subs.values()].some(({ loading }) => loading !== undefined);
  }
}
