/**
 * A stretch of the past for a subscriber that wants the newest state of each user: of the events that follow one another
 * about a user and say nothing but how it is now, only the last one is told, where it stands, as if it had done all that
 * they did. Moderation and custom events are told each, and no state is taken past them. Events about documents are told each.
 */
import { roughDataBytes } from '../../../protocol/users/size.ts';
import { OutgoingDocumentEvent } from './document-event.ts';
import type { EventForm } from './event-form.ts';
import { decoration, type Interest } from './interest.ts';
import { HIDDEN, type ToldOfUser } from './told.ts';
import { type AnyEvent, isAboutUser, type OutgoingUserEvent } from './user-event.ts';

/** Events of one user that become one: the last of them, and what was there before the first. */
interface Kept {
  last: OutgoingUserEvent;
  readonly first: OutgoingUserEvent;
  /** What the events together did, when that was to bring the user into being. */
  arrival: 'created' | 'restored' | undefined;
}

/** Rough cost of a frame beside the user's data. */
const FRAME_OVERHEAD_BYTES = 400;

export class Conflation {
  /** In order of their last event. */
  readonly #kept = new Set<Kept | OutgoingDocumentEvent>();
  /** The one of each user that later states may still replace. */
  readonly #open = new Map<string, Kept>();
  readonly #interests: readonly Interest[];
  /** What began later was not there for some of the events before it: those are told one by one. */
  readonly #since: number;
  #bytes = 0;

  constructor(interests: Iterable<Interest>) {
    this.#interests = [...interests];
    this.#since = this.#interests.reduce((latest, { since }) => Math.max(latest, since), 0);
  }

  /** About how many bytes it will be. */
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
      // Taken out and put at the end again: the order is that of the last events.
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

  /** What each of them is told as. */
  frames(form: EventForm): Buffer[] {
    const frames: Buffer[] = [];
    for (const kept of this.#kept) {
      const frame = kept instanceof OutgoingDocumentEvent ? this.#single(kept, form) : this.#newest(kept, form);
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  #single(event: OutgoingDocumentEvent, form: EventForm): Buffer | undefined {
    const told = decoration(this.#interests, event);
    return told === undefined ? undefined : event.frame(form, told);
  }

  #newest({ first, last, arrival }: Kept, form: EventForm): Buffer | undefined {
    const told = decoration(this.#interests, first === last ? last : merged(first, last));
    if (told === undefined) return undefined;
    const mark = arrival === undefined || arrival === last.arrival || told === HIDDEN ? '' : `,"${arrival}":true`;
    return last.frame(form, told + mark);
  }
}

/** The last event, as it would be had nothing happened in between. */
function merged(first: OutgoingUserEvent, last: OutgoingUserEvent): ToldOfUser {
  const { seq, type, id, audience, after, online } = last;
  return { seq, type, id, audience, after, online, before: first.before, knowsBefore: first.knowsBefore };
}

function roughCost({ after }: OutgoingUserEvent): number {
  return FRAME_OVERHEAD_BYTES + roughDataBytes(after);
}
