/**
 * The lanes of one hook: the waiting events of one user (or one document), oldest first. At most the first event of a lane is in
 * flight, which keeps them in order. Pure.
 */
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { compareLetters } from './letter.ts';

/** An event that waits for delivery. */
export interface Item {
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
  /** Time of the event, microseconds. Never later than the moment at which it came here: the log may be ahead of the clock. */
  readonly at: number;
  /** Absent: the event is stored as a letter, in the file. */
  event: HookEvent | undefined;
  /** Number of requests so far. */
  attempts: number;
  /** Number of slow retries since it was parked. */
  retries: number;
  /** A dead letter that is tried once more, whatever its age. */
  readonly isReplay: boolean;
  /** It is being stored as a letter. */
  isMoving: boolean;
}

/**
 * - `idle`: between two states. `ready`: its first event may be sent. `sending`: its first event is in flight.
 * - `held`: its first event failed, and it is not known yet whether the event or the receiver is the cause.
 * - `waiting`: its first event was parked and is due at `dueMs`. `moving`: its first event is being stored as a letter.
 */
export type LaneState = 'idle' | 'ready' | 'sending' | 'held' | 'waiting' | 'moving';

export class HookLane {
  readonly key: string;
  readonly items: Item[] = [];
  state: LaneState = 'idle';
  dueMs = 0;

  constructor(key: string) {
    this.key = key;
  }

  get first(): Item | undefined {
    return this.items[0];
  }

  /** Whether some of its events are letters, or are becoming letters: all later events then become letters too. */
  get isParked(): boolean {
    return this.items.some((item) => item.event === undefined || item.isMoving);
  }

  /** Inserts in the order in which events happened; never before one in flight. */
  insert(item: Item): void {
    const start = this.state === 'sending' || this.state === 'moving' ? 1 : 0;
    let at = this.items.length;
    for (
      let before = this.items[at - 1];
      at > start && before !== undefined && compareLetters(before, item) > 0;
      before = this.items[at - 1]
    )
      at--;
    this.items.splice(at, 0, item);
  }

  remove(item: Item): void {
    const at = this.items.indexOf(item);
    if (at !== -1) this.items.splice(at, 1);
  }
}

export class Lanes {
  readonly #lanes = new Map<string, HookLane>();
  /** Lanes that may send, first come first served. */
  readonly ready = new Set<HookLane>();
  /** Lanes that failed; the one tried last is at the end. */
  readonly held = new Set<HookLane>();
  readonly waiting = new Set<HookLane>();

  get(key: string): HookLane {
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = new HookLane(key);
    this.#lanes.set(key, lane);
    return lane;
  }

  all(): Iterable<HookLane> {
    return this.#lanes.values();
  }

  /** Time of the oldest event in them, replayed dead letters aside, microseconds. */
  get oldestAt(): number | undefined {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { items } of this.#lanes.values()) for (const { at, isReplay } of items) if (!isReplay && at < oldest) oldest = at;
    return oldest === Number.POSITIVE_INFINITY ? undefined : oldest;
  }

  move(lane: HookLane, state: LaneState, dueMs = 0): void {
    this.ready.delete(lane);
    this.held.delete(lane);
    this.waiting.delete(lane);
    lane.state = state;
    lane.dueMs = dueMs;
    if (state === 'ready' || state === 'held' || state === 'waiting') this[state].add(lane);
  }

  /** The lane for a probe, a different one each time: one bad event must not hide that the receiver is well. */
  toProbe(isDown: boolean): HookLane | undefined {
    for (const lanes of isDown ? [this.ready, this.held, this.waiting] : [this.held]) {
      for (const lane of lanes) return lane;
    }
    return undefined;
  }

  /** Gives the next event of the lane its turn; removes an empty lane. */
  next(lane: HookLane): void {
    const { first } = lane;
    this.move(lane, first === undefined ? 'idle' : first.isMoving ? 'moving' : 'ready');
    if (first === undefined && this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
  }
}

/**
 * The events of a hook that are in memory, in the order of the log. Bounded in number and bytes (WH9): the reader waits for room.
 */
export class Window {
  readonly #items = new Map<number, number>();
  readonly #countMax: number;
  readonly #bytesMax: number;
  #bytes = 0;
  #wake: () => void = () => {};

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  /** The smallest position that is not done; undefined when all are done. */
  get oldest(): number | undefined {
    for (const seq of this.#items.keys()) return seq;
    return undefined;
  }

  get size(): number {
    return this.#items.size;
  }

  get isFull(): boolean {
    return this.#items.size >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  add(seq: number, bytes: number): void {
    this.#items.set(seq, bytes);
    this.#bytes += bytes;
  }

  delete(seq: number): void {
    const bytes = this.#items.get(seq);
    if (bytes === undefined) return;
    this.#items.delete(seq);
    this.#bytes -= bytes;
    this.#wake();
  }

  /** Resolves when an event was removed, or at once when `signal` aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        signal.removeEventListener('abort', this.#wake);
        this.#wake = () => {};
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
  }
}
