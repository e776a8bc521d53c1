/** Takes the events of the daemon: updates the local copy, then emits every event once and in order. */

import type { DocumentEvent } from '../document-types.ts';
import type { Frame } from '../link/requests.ts';
import type { ClientEvents, LiveUser, UserEvent } from '../types.ts';
import type { Progress } from './progress.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface IntakeOwner {
  emit<Name extends keyof ClientEvents>(name: Name, ...args: Parameters<ClientEvents[Name]>): void;
  /** Emits a custom event: the application chooses its name, so the list of typed events cannot contain it. */
  emitNamed(event: { readonly type: string }): void;
}

/** Event names of the client itself, under which it emits no event of the daemon. */
const OWN_NAMES: ReadonlySet<string> = new Set(['event', 'state', 'resync']);

export class Intake {
  readonly #subs: Subscriptions;
  readonly #progress: Progress;
  readonly #owner: IntakeOwner;
  /** Id of the own user; undefined for a server and without a user. */
  ownId: string | undefined;
  /** The own user in its current state. */
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

  /** After a resume an event may come again; this emits it only once. */
  #hand(event: UserEvent | DocumentEvent): void {
    if (!this.#progress.isNews(event.seq)) return;
    this.#progress.advance(event.seq);
    const names = this.#subs.copy.concerned(event);
    // It is about a user group, an export or an import, and `event` is only for events about users.
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

  /** A change of presence has no position of its own, so it counts as new whenever it comes. */
  #heardPresence(event: UserEvent): void {
    this.becomeMe(event.user);
    this.#subs.copy.presence(event);
    this.#settleDoubtsAfter(event);
    this.#tell(event);
  }

  /** After a `leave`, or an event for a subscription that ended here meanwhile: checks whether another subscription holds the user. */
  #settleDoubtsAfter({ match, sub = [] }: UserEvent): void {
    if (match === 'leave' || sub.some((name) => !this.#subs.copy.has(name))) this.#subs.settleDoubts();
  }

  #tell(event: UserEvent): void {
    this.#owner.emit('event', event);
    if (!OWN_NAMES.has(event.type)) this.#owner.emitNamed(event);
  }
}
