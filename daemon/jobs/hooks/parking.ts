/** Stores events of one hook as letters: parks them for later, or gives them up. A stored event leaves memory. */
import { backoffMs } from '../../../protocol/base/backoff.ts';
import { LeaseLost } from '../../../store/leases.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Health } from './health.ts';
import type { HookLane, Item, Lanes } from './lanes.ts';
import type { Letter, LetterStatus } from './letter.ts';
import type { Letters } from './letters.ts';
import type { DeliveryResult } from './quick-attempts.ts';

const PARK_BASE_MS = 30_000;
const PARK_CAP_MS = 3_600_000;
/** Interval at which space for letters, or a working disk, is looked for. */
const FULL_MS = 30_000;
const LETTERS_FAIL = 'events of a webhook could not be put aside on the disk';

export interface ParkingOptions {
  readonly hookId: string;
  readonly letters: Letters;
  readonly lanes: Lanes;
  readonly health: Health;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly logger: RosterLogger;
  /** Called when the event has left memory. */
  readonly leave: (seq: number) => void;
}

export class Parking {
  readonly #options: ParkingOptions;
  #waitingDueMs = Number.POSITIVE_INFINITY;
  #fullUntilMs = 0;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** Earliest time when a parked event may be due. */
  get waitingDueMs(): number {
    return this.#waitingDueMs;
  }

  /** Until this time nothing more is stored: there was no room, or the disk failed. */
  get fullUntilMs(): number {
    return this.#fullUntilMs;
  }

  /** Resolves with whether the change is on disk. Never rejects; failures are logged. */
  async saved(writing: Promise<boolean>): Promise<boolean> {
    const { clock, logger, hookId, health } = this.#options;
    try {
      return await writing;
    } catch (error) {
      // The next node does what was not stored.
      if (error instanceof LeaseLost) return false;
      logger.error({ err: error, hook: hookId }, LETTERS_FAIL);
      health.note(clock.now(), LETTERS_FAIL);
      return false;
    }
  }

  /** Removes an event that has left memory or the file; the next of its lane has its turn. */
  done(lane: HookLane, item: Item): void {
    lane.remove(item);
    if (item.event !== undefined) this.#options.leave(item.seq);
    this.#options.lanes.next(lane);
  }

  /** Parks all events of the lane that are in memory. */
  async parkLane(lane: HookLane): Promise<void> {
    this.#options.lanes.move(lane, 'moving');
    await this.park(
      lane,
      lane.items.filter((item) => item.event !== undefined && !item.isMoving),
    );
  }

  /** Events without room stay in memory, and so the position of the hook does not advance. */
  async park(lane: HookLane, items: readonly Item[]): Promise<void> {
    const { letters, clock, random, health } = this.#options;
    const { reason } = health;
    const whenMs = clock.now() + backoffMs(0, random, PARK_BASE_MS, PARK_CAP_MS);
    for (const item of items) item.isMoving = true;
    const results = await Promise.all(items.map((item) => this.#put(item, whenMs, reason)));
    if (results.includes(false)) {
      this.#fullUntilMs = clock.now() + FULL_MS;
      if (letters.room === 0) health.note(clock.now(), 'too many events are parked; it goes on when there is room');
    }
    if (lane.state === 'moving') this.#settle(lane, whenMs);
  }

  async #put(item: Item, whenMs: number, reason: string): Promise<boolean> {
    const { letters, leave } = this.#options;
    const status: LetterStatus = { state: 'parked', attempts: item.attempts, retries: 1, whenMs, reason, isReplay: false };
    const isPut = item.event !== undefined && (await this.saved(letters.put(item.id, item.epoch, item.event, status)));
    item.isMoving = false;
    if (!isPut) return false;
    item.event = undefined;
    item.retries = 1;
    leave(item.seq);
    return true;
  }

  /** Follows the attempt to store the first event. An event that was never tried need not wait. */
  #settle(lane: HookLane, whenMs: number): void {
    const { lanes } = this.#options;
    const { first } = lane;
    if (first?.isMoving === true) return;
    if (first === undefined || first.attempts === 0) lanes.next(lane);
    else if (first.event === undefined) this.wait(lane, whenMs);
    else lanes.move(lane, 'held');
  }

  /** Stores the event as a dead letter. */
  async bury(lane: HookLane, item: Item, reason: string): Promise<void> {
    const { letters, clock, lanes } = this.#options;
    lanes.move(lane, 'moving');
    item.isMoving = true;
    const { event, attempts, retries } = item;
    const status: LetterStatus = { state: 'dead', attempts, retries, whenMs: clock.now(), reason, isReplay: false };
    const isDone = await this.saved(event === undefined ? letters.move(item.id, status) : letters.put(item.id, item.epoch, event, status));
    item.isMoving = false;
    if (isDone) this.done(lane, item);
    else if (event === undefined) this.wait(lane, clock.now() + FULL_MS);
    else lanes.move(lane, 'held');
  }

  /** Buries every first event of a lane that is too old, while `isGoingOn`. */
  async buryOld(isOld: (item: Item) => boolean, reason: string, isGoingOn: () => boolean): Promise<void> {
    const { letters, lanes } = this.#options;
    while (isGoingOn()) {
      const old: [HookLane, Item][] = [];
      for (const lane of lanes.all()) {
        const { first, state } = lane;
        const isFree = state === 'ready' || state === 'held' || state === 'waiting';
        if (isFree && first !== undefined && !first.isReplay && !first.isMoving && isOld(first)) old.push([lane, first]);
      }
      const before = letters.dead;
      await Promise.all(old.map(([lane, item]) => this.bury(lane, item, reason)));
      // No more event was too old, or none could be written.
      if (letters.dead === before) return;
    }
  }

  /** A parked event failed again. Its last try comes when the time is over (`endsMs`), not after it. */
  waitAgain(lane: HookLane, item: Item, { reason, retryAfterMs }: DeliveryResult & { readonly kind: 'failed' }, endsMs: number): void {
    const { clock, random, letters } = this.#options;
    const pauseMs = Math.max(Math.min(retryAfterMs, PARK_CAP_MS), backoffMs(item.retries, random, PARK_BASE_MS, PARK_CAP_MS));
    item.retries++;
    const whenMs = Math.max(clock.now() + 1, Math.min(clock.now() + pauseMs, endsMs));
    const { attempts, retries } = item;
    void this.saved(letters.move(item.id, { state: 'parked', attempts, retries, whenMs, reason, isReplay: false }, false));
    this.wait(lane, whenMs);
  }

  wait(lane: HookLane, whenMs: number): void {
    const { clock, lanes } = this.#options;
    lanes.move(lane, 'waiting', Math.min(whenMs, clock.now() + PARK_CAP_MS));
    this.#waitingDueMs = Math.min(this.#waitingDueMs, lane.dueMs);
  }

  /** After the clock was set back, nothing waits for longer than the longest pause. */
  bound(nowMs: number): void {
    this.#fullUntilMs = Math.min(this.#fullUntilMs, nowMs + FULL_MS);
    this.#waitingDueMs = Math.min(this.#waitingDueMs, nowMs + PARK_CAP_MS);
    for (const lane of this.#options.lanes.waiting) lane.dueMs = Math.min(lane.dueMs, nowMs + PARK_CAP_MS);
  }

  /** Makes parked events ready that are due. */
  wakeDue(nowMs: number): void {
    const { lanes } = this.#options;
    this.#waitingDueMs = Number.POSITIVE_INFINITY;
    for (const lane of [...lanes.waiting]) {
      if (lane.dueMs <= nowMs) lanes.move(lane, 'ready');
      else this.#waitingDueMs = Math.min(this.#waitingDueMs, lane.dueMs);
    }
  }
}

/** The item of a letter, as it waits in its lane. */
export function parkedItem({ id, epoch, seq, at, attempts, retries, isReplay }: Letter, nowMs: number): Item {
  return { id, epoch, seq, at: Math.min(at, nowMs * 1_000), event: undefined, attempts, retries, isReplay, isMoving: false };
}
