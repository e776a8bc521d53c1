/**
 * The frames that each subscriber with a filter gets of some events. Filters are judged for a short time only: a subscriber whose filters
 * take longer reads the same events from the past, in turns, so that no filter holds up the others. They are judged event by event, not
 * receiver by receiver: a filter that many share remembers its last judgements.
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
  /** Called when every live subscriber has it. */
  release(): void;
}

/** The JSON that a subscriber receives in addition to the event; undefined: it does not receive the event. */
export type Decorate<T> = (subscriber: Subscriber, one: T) => string | undefined;

export interface FramesOf {
  readonly frames: ReadonlyMap<Subscriber, readonly Buffer[]>;
  /** Subscribers for which there was no time: they get none of the events here. */
  readonly late: ReadonlySet<Subscriber>;
}

const NOBODY: FramesOf = { frames: new Map(), late: new Set() };

/** `nowMs`: monotonic milliseconds. */
export function framesOf<T extends Tellable>(
  told: readonly T[],
  judged: ReadonlySet<Subscriber>,
  decorate: Decorate<T>,
  nowMs: () => number,
): FramesOf {
  if (judged.size === 0) return NOBODY;
  const frames = new Map<Subscriber, Buffer[]>();
  const late = new Set<Subscriber>();
  const endsMs = nowMs() + FILTERS_MS;
  for (const one of told) {
    for (const subscriber of judged) {
      // It reads the past.
      if (subscriber.state.kind === 'behind') continue;
      if (nowMs() >= endsMs) {
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
