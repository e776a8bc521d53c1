/** The events that the live tail keeps: the newest ones, and while it is paused those that wait. Pure. */
import type { JsonRecord } from '../talk/api-call.ts';

/** An event, with what it is shown and searched by. */
export interface TailEvent {
  /** Counts up. */
  readonly key: number;
  readonly type: string;
  readonly userId: string;
  readonly seq: number | undefined;
  readonly at: string;
  readonly body: JsonRecord;
  readonly text: string;
}

/** The events of a tail that are kept. */
export const KEPT_MAX = 500;

export class TailBuffer {
  #kept: readonly TailEvent[] = [];
  #waiting: TailEvent[] = [];
  #count = 0;
  #isPaused = false;
  /** Events that came while it was paused and no longer fit. */
  lost = 0;

  /** Newest first. */
  get events(): readonly TailEvent[] {
    return this.#kept;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Takes events as they came, oldest first. */
  take(frames: readonly JsonRecord[]): void {
    const events = frames.map((frame) => eventOf(frame, ++this.#count));
    if (this.#isPaused) {
      this.#waiting = [...this.#waiting, ...events];
      this.lost += Math.max(0, this.#waiting.length - KEPT_MAX);
      this.#waiting = this.#waiting.slice(-KEPT_MAX);
    } else this.#kept = [...events.reverse(), ...this.#kept].slice(0, KEPT_MAX);
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Shows what came meanwhile. */
  goOn(): void {
    this.#isPaused = false;
    this.#kept = [...this.#waiting.reverse(), ...this.#kept].slice(0, KEPT_MAX);
    this.#waiting = [];
    this.lost = 0;
  }

  clear(): void {
    this.#kept = [];
  }
}

function eventOf(body: JsonRecord, key: number): TailEvent {
  const { type, user, seq, created_at } = body;
  const id = typeof user === 'object' && user !== null && 'id' in user ? String(user.id) : '';
  return {
    key,
    type: String(type),
    userId: id,
    seq: typeof seq === 'number' ? seq : undefined,
    at: String(created_at ?? ''),
    body,
    text: JSON.stringify(body).toLowerCase(),
  };
}

/** The events that hold every word of `text`, and are of the type, if one is given. */
export function filtered(events: readonly TailEvent[], text: string, type: string): readonly TailEvent[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0 && type === '') return events;
  return events.filter((event) => (type === '' || event.type === type) && words.every((word) => event.text.includes(word)));
}
