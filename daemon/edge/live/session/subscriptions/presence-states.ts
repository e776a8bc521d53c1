/** The frames `presence.state`: who is online, for each subscription of a connection that needs presence. */
import { LIMITS } from '../../../../../protocol/base/limits.ts';
import { inSlices, type Walk } from '../../../../base/slices.ts';
import type { Roster } from '../../../../pipeline/roster.ts';
import type { Interest } from '../../../../pipeline/tell/interest.ts';
import type { Subscriber } from '../../../../pipeline/tell/subscriber.ts';
import type { SessionOutlet } from '../outlet.ts';

/** Shared by all that have gathered nothing, which are nearly all. */
const NONE_FOUND: ReadonlyMap<Interest, ReadonlySet<string>> = new Map();

export class PresenceStates {
  readonly #roster: Roster;
  readonly #subscriber: Subscriber;
  readonly #outlet: SessionOutlet;
  /** The users found online, by subscription. */
  #found = NONE_FOUND;

  constructor(roster: Roster, subscriber: Subscriber, outlet: SessionOutlet) {
    this.#roster = roster;
    this.#subscriber = subscriber;
    this.#outlet = outlet;
  }

  get #interests(): readonly Interest[] {
    return [...this.#subscriber.interests.values()].filter(({ name, needsPresence }) => name !== '' && needsPresence);
  }

  /** Judges everybody who is online, in slices: a filter takes time. */
  async gather(): Promise<void> {
    const found = new Map<Interest, ReadonlySet<string>>();
    for (const interest of this.#interests) found.set(interest, await inSlices(this.#walk(interest)));
    this.#found = found;
  }

  *#walk(interest: Interest): Walk<ReadonlySet<string>> {
    const found = new Set<string>();
    const { visible } = this.#roster.presence;
    for (const id of interest.want.kind === 'ids' ? interest.want.ids : [...visible]) {
      if (this.#isOnline(interest, id)) found.add(id);
      yield undefined;
    }
    return found;
  }

  #isOnline(interest: Interest, id: string): boolean {
    const user = this.#roster.directory.user(id);
    return user !== undefined && this.#roster.presence.visible.has(id) && interest.holds(user, true);
  }

  /**
   * Sends who is online now; `changed` users are judged anew. The first frame of a subscription has `reset: true`; users that none of its frames names are offline.
   */
  tell(changed: ReadonlySet<string>): void {
    for (const interest of this.#interests) {
      const found = new Set(this.#found.get(interest));
      for (const id of changed) {
        if (this.#isOnline(interest, id)) found.add(id);
        else found.delete(id);
      }
      const online = [...found];
      for (let at = 0; at === 0 || at < online.length; at += LIMITS.subIds) {
        const names = online.slice(at, at + LIMITS.subIds);
        this.#outlet.send({ type: 'presence.state', sub: [interest.name], ...(at === 0 ? { reset: true } : undefined), online: names });
      }
    }
    this.#found = NONE_FOUND;
  }
}
