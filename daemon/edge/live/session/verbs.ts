/** The verbs of an open live connection: subscribing, paging through a snapshot, and writing. */

import { RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { AckFrame, PageFrame, Sub, SubFrame, UnsubFrame, UpdateFrame, UpsertFrame } from '../../../../protocol/live/client-frames.ts';
import { type DateStyle, renderLive } from '../../../../protocol/users/render.ts';
import { Interest, type Want } from '../../../pipeline/tell/interest.ts';
import type { PresenceTeller, Subscriber } from '../../../pipeline/tell/subscriber.ts';
import { readerOf } from '../../http/acting.ts';
import type { Stranger } from '../../strangers.ts';
import { countWrite, type LiveContext } from './context.ts';
import { OPERATIONS } from './messages.ts';
import type { SessionOutlet } from './outlet.ts';
import { endOutdated, tellWatched } from './own-interests.ts';
import { sightOf } from './sight.ts';
import { type Holding, heldBy } from './subscriptions/holdings.ts';
import { OpenSnapshots } from './subscriptions/open-snapshots.ts';
import { PresenceStates } from './subscriptions/presence-states.ts';
import { type SnapshotPage, SnapshotPager } from './subscriptions/snapshot-pager.ts';
import { mustFit, wantOf } from './subscriptions/wants.ts';
import { updateUser, upsertUsers } from './writes.ts';

export interface LiveOpsOptions {
  readonly context: LiveContext;
  readonly holding: Holding;
  readonly watching: Holding;
  readonly outlet: SessionOutlet;
  readonly subscriber: Subscriber;
  readonly caller: Caller;
  readonly stranger: Stranger | undefined;
  readonly dates: DateStyle;
  /** The durable consumer that the session speaks for. */
  readonly durable: string | undefined;
  /** Position that this connection resumed from. */
  readonly resumedFrom: number | undefined;
}

export class LiveOps implements PresenceTeller {
  readonly #options: LiveOpsOptions;
  /** Made when they are needed: most connections subscribe to nothing. */
  #openSnapshots: OpenSnapshots | undefined;
  #presence: PresenceStates | undefined;
  /** The position of the connection when it was last sent back. */
  #leftSeq = 0;

  constructor(options: LiveOpsOptions) {
    this.#options = options;
  }

  get #snapshots(): OpenSnapshots {
    this.#openSnapshots ??= new OpenSnapshots(() => this.#noteHeld());
    return this.#openSnapshots;
  }

  /** Everything up to this position was handed to this connection: it may resume from here. */
  get deliveredSeq(): number {
    const { subscriber, context } = this.#options;
    context.roster.hub.settle(subscriber);
    return subscriber.state.kind === 'behind' ? subscriber.state.position : context.roster.hub.flushedSeq;
  }

  /** The furthest position that this connection ever reached: it may have been sent back for a subscription that was named late. */
  get #furthestSeq(): number {
    return Math.max(this.#leftSeq, this.deliveredSeq);
  }

  #noteHeld(): void {
    this.#options.holding.set(heldBy(this.#named().values(), this.#snapshots.size));
  }

  #named(): Map<string, Want> {
    const { interests } = this.#options.subscriber;
    return new Map([...interests.values()].filter(({ name }) => name !== '').map(({ name, want }) => [name, want]));
  }

  /** Rejects with RosterError. */
  async sub(frame: SubFrame): Promise<void> {
    await this.#count(frame.op);
    await this.#subscribe(frame);
  }

  async #count(op: 'sub' | 'page' | 'unsub'): Promise<void> {
    const { context, caller, stranger } = this.#options;
    await countWrite(context, OPERATIONS[op], caller, stranger);
  }

  /** `goneSince`: position of the caller's copy when the caller could not resume from it. Rejects with RosterError. */
  async #subscribe(frame: SubFrame, goneSince?: number): Promise<void> {
    const { context, subscriber, caller, stranger } = this.#options;
    const want = this.#wantOf(frame);
    if (frame.snapshot === false) {
      this.#follow(frame, want);
      return;
    }
    const view = context.roster.freeze();
    context.roster.hub.change(subscriber, (interests) => interests.set(frame.sub, this.#interest(frame, want, view.position.seq)));
    const limit = frame.limit ?? LIMITS.snapshotPageUsers;
    const pager = new SnapshotPager({
      view,
      want,
      limit,
      online: (id) => context.roster.toldOnline(id),
      sight: sightOf(context.roster, caller, want.kind).sight,
      goneSince,
      budget: context.rateLimits.budgetOf(caller, stranger),
    });
    this.#snapshots.begin(frame.sub, pager);
    await this.#replyPage(frame.id, frame.sub, pager);
  }

  /**
   * Starts a subscription without a snapshot. On a resumed connection, events that it missed since that position are delivered, even when
   * it is named only now. A subscription that is named again missed nothing: it continues from here.
   */
  #follow(frame: SubFrame, want: Want): void {
    const { context, subscriber, resumedFrom } = this.#options;
    const { hub } = context.roster;
    const delivered = this.deliveredSeq;
    const before = subscriber.interests.get(frame.sub);
    const since = before === undefined ? (resumedFrom ?? delivered) : Math.max(before.since, delivered);
    const interest = this.#interest(frame, want, since);
    hub.change(subscriber, (interests) => {
      for (const other of interests.values()) other.since = Math.max(other.since, delivered);
      interests.set(frame.sub, interest);
    });
    this.#snapshots.drop(frame.sub);
    this.#noteHeld();
    this.#reply(frame.id, { sub: frame.sub, seq: since });
    if (since < delivered) {
      this.#leftSeq = this.#furthestSeq;
      hub.rewind(subscriber, since);
    }
    if (resumedFrom === undefined || !interest.needsPresence) return;
    // Presence changes have no past to deliver: a resumed client receives who is online, once it has the rest.
    subscriber.missedPresence = true;
    hub.rewind(subscriber, this.deliveredSeq);
  }

  /** Throws RosterError for subscriptions that would be refused, whatever strangers hold: that is found out when they begin. */
  check(subs: readonly Sub[]): void {
    const { caller, context, holding } = this.#options;
    const wants = [...new Map(subs.map((sub) => [sub.sub, wantOf(sub, caller, context.roster)])).values()];
    mustFit(wants);
    holding.mustFit(heldBy(wants, 0), true);
  }

  /** Throws RosterError for a subscription that is refused, or with which the connection would ask for too much. */
  #wantOf(sub: Sub): Want {
    const { caller, context, holding } = this.#options;
    const want = wantOf(sub, caller, context.roster);
    const wants = [...this.#named().set(sub.sub, want).values()];
    mustFit(wants);
    holding.mustFit(heldBy(wants, this.#snapshots.sizeWith(sub.sub, sub.snapshot !== false)));
    return want;
  }

  /** Starts a subscription named in a connect. It passed the check; if it is refused by now, it ends like one whose owner may see less. */
  async begin(sub: Sub, goneSince: number | undefined): Promise<void> {
    try {
      await this.#subscribe({ op: 'sub', ...sub }, goneSince);
    } catch (error) {
      this.#endRefused(sub, error);
    }
  }

  /** Starts a subscription named in a connect that resumed: no snapshot, the events follow from the resumed position. */
  resume(sub: Sub): void {
    const { subscriber, resumedFrom } = this.#options;
    try {
      subscriber.interests.set(sub.sub, this.#interest(sub, this.#wantOf({ ...sub, snapshot: false }), resumedFrom ?? 0));
      this.#noteHeld();
    } catch (error) {
      this.#endRefused(sub, error);
    }
  }

  #endRefused({ sub }: Sub, error: unknown): void {
    if (!(error instanceof RosterError)) throw error;
    this.#tellReset(sub);
  }

  #tellReset(name: string): void {
    this.#snapshots.drop(name);
    this.#noteHeld();
    this.#options.outlet.send({ type: 'sub.reset', sub: name });
  }

  async page(frame: PageFrame): Promise<void> {
    await this.#count(frame.op);
    await this.#replyPage(frame.id, frame.sub, this.#snapshots.find(frame.sub, frame.more));
  }

  async #replyPage(id: string | number | undefined, sub: string, pager: SnapshotPager): Promise<void> {
    const { dates, context, subscriber, caller } = this.#options;
    const interest = subscriber.interests.get(sub);
    // When presence changes are sent too, use the state that was sent last, so that the following changes are consistent with it.
    const isTold = interest?.wantsPresence === true;
    const online = (one: string): boolean => (isTold ? context.roster.presence.visible.has(one) : context.roster.online(one));
    const { users, isLast, gone } = await this.#pageOf(sub, pager);
    if (subscriber.interests.get(sub) !== interest) {
      pager.release();
      // The set of users that its owner may see changed meanwhile: the owner was told. One that the connect named expects no answer.
      if (id === undefined) return;
      throw new RosterError('input', 'sub: the subscription was ended with sub.reset; subscribe anew');
    }
    const more = isLast ? undefined : this.#snapshots.nextPage(sub, pager);
    if (isLast) this.#snapshots.drop(sub);
    this.#reply(id, {
      sub,
      seq: pager.seq,
      users: users.map((user) => renderLive(user, { online: online(user.id), reader: readerOf(caller, user.id) }, dates)),
      ...(pager.total === undefined ? undefined : { total: pager.total }),
      ...(more === undefined ? undefined : { more }),
      ...(gone === undefined ? undefined : { gone }),
    });
  }

  /** A page that fails ends its snapshot: part of the walk was done, and would be missing from the next page. */
  async #pageOf(sub: string, pager: SnapshotPager): Promise<SnapshotPage> {
    try {
      return await pager.next();
    } catch (error) {
      this.#snapshots.drop(sub);
      throw error;
    }
  }

  async unsub(frame: UnsubFrame): Promise<void> {
    await this.#count(frame.op);
    const { context, subscriber } = this.#options;
    if (!subscriber.interests.has(frame.sub)) {
      throw new RosterError('input', `sub: there is no subscription "${frame.sub}"`, [{ path: 'sub', message: 'unknown' }]);
    }
    context.roster.hub.change(subscriber, (interests) => interests.delete(frame.sub));
    this.#snapshots.drop(frame.sub);
    this.#noteHeld();
    this.#reply(frame.id, {});
  }

  /** Events that were not delivered cannot be acknowledged. */
  ack({ seq }: AckFrame): void {
    const { context, durable } = this.#options;
    const refuse = (message: string): RosterError => new RosterError('input', `seq: ${message}`, [{ path: 'seq', message }]);
    if (durable === undefined) throw refuse('only a durable consumer acknowledges: name it in the connect');
    if (seq > this.#furthestSeq) throw refuse(`nothing beyond ${this.#furthestSeq} was delivered`);
    context.consumers.acknowledge(durable, seq);
  }

  async update(frame: UpdateFrame): Promise<void> {
    this.#reply(frame.id, await updateUser(this.#options, frame));
  }

  async upsert(frame: UpsertFrame): Promise<void> {
    this.#reply(frame.id, await upsertUsers(this.#options, frame));
  }

  #interest({ sub: name, presence: wantsPresence }: Sub, want: Want, since: number): Interest {
    const { caller, context } = this.#options;
    const reach = caller.kind === 'server' ? 'server' : 'others';
    return new Interest({ name, want, since, reach, wantsPresence, ...sightOf(context.roster, caller, want.kind) });
  }

  /** Events up to this answer go out first, so that a client never sees an answer before the events that led to it. */
  #reply(id: string | number | undefined, body: object): void {
    const { context, subscriber, outlet } = this.#options;
    context.roster.hub.settle(subscriber);
    outlet.send({ re: id, ...body });
  }

  /** Who is online, for each subscription that needs presence; a filter may take time to judge all users that are. */
  async gatherPresence(): Promise<void> {
    const { context, subscriber, outlet } = this.#options;
    this.#presence ??= new PresenceStates(context.roster, subscriber, outlet);
    await this.#presence.gather();
  }

  /** Sends who is online now, for each subscription that needs presence: a client needs it after it missed presence changes. */
  tellPresence(changed: ReadonlySet<string>): void {
    this.#presence?.tell(changed);
    tellWatched(this.#options.context, this.#options.subscriber);
  }

  /**
   * The users that the caller may see may have changed with its teams, its role or the settings. If they did, earlier data may be too much
   * or too little, so the subscription ends with `sub.reset`. The client subscribes anew, and a subscription that it may no longer have is
   * refused.
   */
  sightChanged(): void {
    const { context, subscriber, caller, watching } = this.#options;
    for (const name of endOutdated(context.roster, subscriber, caller, watching)) this.#tellReset(name);
  }

  /** Lets go of everything that the connection holds. */
  release(): void {
    this.#options.holding.close();
    this.#options.watching.close();
    this.#snapshots.close();
  }
}
