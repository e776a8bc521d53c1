/**
 * Passes events to the reader of the output: in order, and one at a time when the reader asks to wait.
 *
 * A Socket.IO connection cannot pause delivery, so events that arrive meanwhile wait here, up to a limit. Beyond it
 * an event is not taken, and the caller gets it again by resuming: memory is bounded, and nothing is lost.
 */
import { utf8Bytes } from '../../../protocol/base/json.ts';
import { aborted } from '../../base/aborted.ts';

export type WatchedEvent = Readonly<Record<string, unknown>>;

/** Passes an event on. A returned promise asks for a pause until it resolves. */
export type HandOn = (event: WatchedEvent) => Promise<void> | undefined;

/** Limits for events that wait for the reader. The bytes are those of the events as JSON. */
export interface HeldMax {
  readonly events: number;
  readonly bytes: number;
}

export const HELD_MAX: HeldMax = { events: 10_000, bytes: 8 * 1024 * 1024 };

export class Outflow {
  readonly #handOn: HandOn;
  readonly #stop: AbortSignal;
  readonly #max: HeldMax;
  readonly #stopped: Promise<void>;
  readonly #held: { readonly event: WatchedEvent; readonly bytes: number }[] = [];
  #heldBytes = 0;
  /** Resolves when the reader is ready and nothing waits; undefined while that is so. */
  #busy: Promise<void> | undefined;

  /** After `stop` nothing more is passed on. */
  constructor(handOn: HandOn, stop: AbortSignal, max: HeldMax = HELD_MAX) {
    this.#handOn = handOn;
    this.#stop = stop;
    this.#max = max;
    this.#stopped = aborted(stop);
  }

  /** False when there is no room for the event: it was not taken. */
  take(event: WatchedEvent): boolean {
    if (this.#busy === undefined) {
      const busy = this.#handOn(event);
      if (busy !== undefined) this.#busy = this.#catchUp(busy);
      return true;
    }
    const bytes = utf8Bytes(JSON.stringify(event));
    // A single event always has room, however big it is: otherwise it would never arrive.
    const isFull = this.#held.length >= this.#max.events || this.#heldBytes + bytes > this.#max.bytes;
    if (isFull && this.#held.length > 0) return false;
    this.#held.push({ event, bytes });
    this.#heldBytes += bytes;
    return true;
  }

  /** Resolves when all events were passed on and the reader is ready for more, or at `stop`. */
  async drained(): Promise<void> {
    if (this.#busy === undefined || this.#stop.aborted) return;
    await Promise.race([this.#busy, this.#stopped]);
  }

  async #catchUp(busy: Promise<void>): Promise<void> {
    await busy;
    while (!this.#stop.aborted) {
      const next = this.#held.shift();
      if (next === undefined) break;
      this.#heldBytes -= next.bytes;
      await this.#handOn(next.event);
    }
    this.#busy = undefined;
  }
}
