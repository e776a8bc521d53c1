/** What the daemon tells by itself: every event is handed on once and in order, after the local copy was brought up to it. */

import type { DocumentEvent } from '../document-types.ts';
import type { Frame } from '../link/requests.ts';
import type { ClientEvents, LiveUser, UserEvent } from '../types.ts';
import type { Progress } from './progress.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface IntakeOwner {
  emit<Name extends keyof ClientEvents>(name: Name, ...args: Parameters<ClientEvents[Name]>): void;
  /** Names of custom events are the application's: the list of typed ones cannot hold them. */
  emitNamed(event: { readonly type: string }): void;
}

/** Names of the client's own that no event of the daemon is emitted under. */
const OWN_NAMES: ReadonlySet<string> = new Set(['event', 'state', 'resync']);

export class Intake {
  readonly #subs: Subscriptions;
  readonly #progress: Progress;
  readonly #owner: IntakeOwner;
  /** Id of the own user; undefined for a server, and for nobody in particular. */
  ownId: string | undefined;
  /** The own user as it is now. */
  me: LiveUser | undefined;

  constructor(subs: Subscriptions, progress: Progress, owner: IntakeOwner) {
    this.#subs = subs;
    this.#progress = progress;
    this.#owner = owner;
  }

  opened(ok: Frame): void {
    const isResumed = ok.resumed === true;
    const seq = Number(ok.seq);
    const isNewHistory = this.#progress.start({ epoch: String(ok.epoch), seq }, isResumed);
    if (isNewHistory) this.me = undefined;
    if (ok.me !== undefined) this.becomeMe(ok.me as LiveUser);
    this.#subs.connected({ isResumed, isNewHistory, seq });
  }

  took(frame: Frame): void {
    switch (frame.type) {
      case 'health.check':
        this.#progress.advance(frame.seq);
        return;
      case 'token.expiring':
        this.#owner.emit('token.expiring', Number(frame.exp));
        return;
      case 'presence.state':
        this.#subs.presenceState(frame.sub as string[], frame.online as string[], frame.reset === true);
        return;
      case 'sub.reset':
        this.#subs.reset(String(frame.sub));
        return;
      case 'user.presence.changed':
        this.#heardPresence(frame as unknown as UserEvent);
        return;
      case undefined:
        if (typeof frame.sub === 'string') this.#subs.told(frame.sub, frame);
        return;
      default:
        if (typeof frame.seq === 'number') this.#hand(frame as unknown as UserEvent | DocumentEvent);
    }
  }

  becomeMe(user: LiveUser): void {
    if (user.id === this.ownId && (this.me === undefined || user.rev >= this.me.rev)) this.me = user;
  }

  /** At least once after a resume becomes exactly once here. */
  #hand(event: UserEvent | DocumentEvent): void {
    if (!this.#progress.isNews(event.seq)) return;
    this.#progress.advance(event.seq);
    const names = this.#subs.copy.concerned(event);
    // About a user group, an export or an import: no user changes, and `event` is for those that are about one.
    if (event.user === undefined) {
      if (names.length > 0) this.#owner.emitNamed(event);
      return;
    }
    const isOwn = (event.sub === undefined || event.user.id === this.ownId) && this.#progress.isNewsOfOwn(event.seq);
    if (names.length === 0 && !isOwn) return;
    if (event.type !== 'user.hidden') this.becomeMe(event.user);
    this.#subs.copy.apply(event, names);
    this.#settleDoubtsAfter(event);
    this.#tell(event);
  }

  /** Coming and going has no position of its own: it is news whenever it comes. */
  #heardPresence(event: UserEvent): void {
    this.becomeMe(event.user);
    this.#subs.copy.presence(event);
    this.#settleDoubtsAfter(event);
    this.#tell(event);
  }

  /** Someone left a subscription, or was told of under one that was ended here meanwhile: is there another that holds it? */
  #settleDoubtsAfter({ match, sub = [] }: UserEvent): void {
    if (match === 'leave' || sub.some((name) => !this.#subs.copy.has(name))) this.#subs.settleDoubts();
  }

  #tell(event: UserEvent): void {
    this.#owner.emit('event', event);
    if (!OWN_NAMES.has(event.type)) this.#owner.emitNamed(event);
  }
}
