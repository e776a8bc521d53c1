/**
 * The frames that each subscriber outside the cohorts gets of some events. Filters are judged for a short time only: a subscriber whose
 * filters take longer reads the same events from the past, in turns, so that no filter holds up the others.
 */
import type { EventForm } from './event-form.ts';
import type { Subscriber } from './subscriber.ts';
import type { Concerned } from './told.ts';

/** The time for which filters are judged at once. */
const FILTERS_MS = 3;

/** An event or a presence change. */
export interface Tellable extends Concerned {
  text(form: EventForm, decoration: string, isPrivy: boolean): string;
  frame(form: EventForm, decoration: string, isPrivy: boolean): Buffer;
}

/** The JSON that a subscriber receives in addition to the event; undefined: it does not receive the event. */
export type Decorate<T> = (subscriber: Subscriber, one: T) => string | undefined;

export interface FramesOf {
  readonly frames: ReadonlyMap<Subscriber, readonly Buffer[]>;
  /** Subscribers for which there was no time: they get none of the events here. */
  readonly late: ReadonlySet<Subscriber>;
}

/** `nowMs`: monotonic milliseconds. */
export function framesOf<T extends Tellable>(
  told: readonly T[],
  candidates: (one: T) => Iterable<Subscriber>,
  decorate: Decorate<T>,
  nowMs: () => number,
): FramesOf {
  const frames = new Map<Subscriber, Buffer[]>();
  const late = new Set<Subscriber>();
  const endsMs = nowMs() + FILTERS_MS;
  for (const one of told) {
    for (const subscriber of candidates(one)) {
      // It reads the past.
      if (subscriber.state.kind === 'behind') continue;
      if (subscriber.hasFilter && nowMs() >= endsMs) {
        late.add(subscriber);
        frames.delete(subscriber);
        continue;
      }
      const added = decorate(subscriber, one);
      if (added === undefined) continue;
      const frame = one.frame(subscriber.form, added, subscriber.isPrivyTo(one.id));
      const own = frames.get(subscriber);
      if (own === undefined) frames.set(subscriber, [frame]);
      else own.push(frame);
    }
  }
  return { frames, late };
}
