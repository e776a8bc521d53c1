/**
 * The lanes of one hook: the events of one user (or one document) that wait, oldest first. Only the first of a lane is ever under way,
 * which is what keeps them in order. Pure.
 */
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { compareLetters } from './letter.ts';

/** An event that waits for its delivery. */
export interface Item {
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
  /** Of the event, microseconds. */
  readonly at: number;
  /** Absent: it was put aside, and its event lies in the file. */
  event: HookEvent | undefined;
  /** Requests so far. */
  attempts: number;
  /** Slow retries since it was parked. */
  retries: number;
  /** It was dead and is to be tried once more, whatever its age. */
  readonly isReplay: boolean;
  /** It is being put aside at the moment. */
  isMoving: boolean;
}

/**
 * - `idle`: in nobody's hands for a moment. `ready`: its first may be sent. `sending`: it is under way.
 * - `held`: its first failed, and whether that is the event's fault or the receiver's is not known yet.
 * - `waiting`: its first was parked and is due at `dueMs`. `moving`: it is being put aside.
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

  /** Whether something of it was put aside, or is about to be: then everything later goes there too. */
  get isParked(): boolean {
    return this.items.some((item) => item.event === undefined || item.isMoving);
  }

  /** In the order in which they happened; never before one that is under way. */
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
  /** Those that may be sent, first come first served. */
  readonly ready = new Set<HookLane>();
  /** Those that failed, the one that was tried last at the end. */
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

  move(lane: HookLane, state: LaneState, dueMs = 0): void {
    this.ready.delete(lane);
    this.held.delete(lane);
    this.waiting.delete(lane);
    lane.state = state;
    lane.dueMs = dueMs;
    if (state === 'ready' || state === 'held' || state === 'waiting') this[state].add(lane);
  }

  /** The lane for a probe, another one each time: one event that is at fault must not hide that the receiver is well. */
  toProbe(isDown: boolean): HookLane | undefined {
    for (const lanes of isDown ? [this.ready, this.held, this.waiting] : [this.held]) {
      for (const lane of lanes) return lane;
    }
    return undefined;
  }

  /** The next of the lane has its turn; an empty lane is gone. */
  next(lane: HookLane): void {
    const { first } = lane;
    this.move(lane, first === undefined ? 'idle' : first.isMoving ? 'moving' : 'ready');
    if (first === undefined && this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
  }
}

/**
 * The events of a hook that lie in memory, in the order of the log. Bounded in number and bytes (WH9): whoever fills it waits for room.
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

  /** The smallest position that is not done; undefined when all are. */
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

  /** Resolves when something was taken out, or at once when `signal` aborts. */
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
