/**
 * A stretch of the past for a subscriber that wants only the newest state of each user. Of consecutive events about a user that say only
 * what its state is now, the last one is sent, at its own position, as if it had made all of their changes. Moderation and custom events
 * are sent one by one, and no state is moved past them. Events about documents are sent one by one.
 */
import { roughDataBytes } from '../../../protocol/users/size.ts';
import { OutgoingDocumentEvent } from './document-event.ts';
import type { EventForm } from './event-form.ts';
import { decoration, type Interest } from './interest.ts';
import type { Subscriber } from './subscriber.ts';
import { HIDDEN, type ToldOfUser } from './told.ts';
import { type AnyEvent, isAboutUser, type OutgoingUserEvent } from './user-event.ts';

/** Events of one user that become one: the last of them, and the first, which holds the state before. */
interface Kept {
  last: OutgoingUserEvent;
  readonly first: OutgoingUserEvent;
  /** Set when the events together created or restored the user. */
  arrival: 'created' | 'restored' | undefined;
}

/** Rough cost of a frame beside the user's data. */
const FRAME_OVERHEAD_BYTES = 400;

export class Conflation {
  /** In order of their last event. */
  readonly #kept = new Set<Kept | OutgoingDocumentEvent>();
  /** For each user, the kept event that later states may still replace. */
  readonly #open = new Map<string, Kept>();
  readonly #interests: readonly Interest[];
  /** An interest that began later does not apply to some of the earlier events: those are sent one by one. */
  readonly #since: number;
  #bytes = 0;

  constructor(interests: Iterable<Interest>) {
    this.#interests = [...interests];
    this.#since = this.#interests.reduce((latest, { since }) => Math.max(latest, since), 0);
  }

  /** Approximate size of the frames, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  take(event: AnyEvent): void {
    if (!isAboutUser(event)) {
      this.#kept.add(event);
      this.#bytes += event.bytes;
      return;
    }
    const before = this.#open.get(event.id);
    const mayMerge = event.isState && event.seq > this.#since;
    if (before !== undefined && mayMerge) {
      // Delete and append again: the order is that of the last events.
      this.#kept.delete(before);
      this.#bytes -= roughCost(before.last);
      before.last = event;
      before.arrival = event.type === 'user.deleted' ? undefined : (event.arrival ?? before.arrival);
      this.#keep(before);
      return;
    }
    const kept: Kept = { last: event, first: event, arrival: event.arrival };
    if (mayMerge) this.#open.set(event.id, kept);
    else this.#open.delete(event.id);
    this.#keep(kept);
  }

  #keep(kept: Kept): void {
    this.#kept.add(kept);
    this.#bytes += roughCost(kept.last);
  }

  /** Judges the kept events: the frame of each, undefined where the receiver does not get it. `onTold` gets the events of the frames. */
  *frames(receiver: Pick<Subscriber, 'form' | 'isPrivyTo'>, onTold?: (event: AnyEvent) => void): Generator<Buffer | undefined, void> {
    for (const kept of this.#kept) {
      const frame = kept instanceof OutgoingDocumentEvent ? this.#single(kept, receiver.form) : this.#newest(kept, receiver);
      if (frame !== undefined) onTold?.(kept instanceof OutgoingDocumentEvent ? kept : kept.last);
      yield frame;
    }
  }

  #single(event: OutgoingDocumentEvent, form: EventForm): Buffer | undefined {
    const told = decoration(this.#interests, event);
    return told === undefined ? undefined : event.frame(form, told);
  }

  #newest({ first, last, arrival }: Kept, receiver: Pick<Subscriber, 'form' | 'isPrivyTo'>): Buffer | undefined {
    const told = decoration(this.#interests, first === last ? last : merged(first, last));
    if (told === undefined) return undefined;
    const mark = arrival === undefined || arrival === last.arrival || told === HIDDEN ? '' : `,"${arrival}":true`;
    return last.frame(receiver.form, told + mark, receiver.isPrivyTo(last.id));
  }
}

/** The last event, as it would be if the events before it had not happened separately. */
function merged(first: OutgoingUserEvent, last: OutgoingUserEvent): ToldOfUser {
  const { seq, type, id, audience, after, online } = last;
  return { seq, type, id, audience, after, online, before: first.before, knowsBefore: first.knowsBefore };
}

function roughCost({ after }: OutgoingUserEvent): number {
  return FRAME_OVERHEAD_BYTES + roughDataBytes(after);
}
