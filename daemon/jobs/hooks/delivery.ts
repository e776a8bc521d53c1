/**
 * One webhook: delivers every event that it wants to its receiver.
 *
 * It keeps WH8, WH9 and WH12–WH14 (daemon/RULES.md).
 */
import { setMaxListeners } from 'node:events';
import { jsonEquals } from '../../../protocol/base/json.ts';
import { type Hook, wantsEvent } from '../../../protocol/hooks/hooks.ts';
import { type HookEvent, roughEventBytes } from '../../../protocol/hooks/payload.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import { Alarm } from './alarm.ts';
import { type AttemptOptions, attempt, type SendEvent } from './attempt.ts';
import { Health, type LastError, type LineMeasure } from './health.ts';
import { type HookLane, type Item, Lanes, Window } from './lanes.ts';
import type { Letter } from './letter.ts';
import type { Letters } from './letters.ts';
import { Parking, parkedItem } from './parking.ts';
import type { DeliveryResult } from './quick-attempts.ts';
import { type EventSource, HookReader } from './reader.ts';
import { webhookId } from './signature.ts';

const WINDOW_EVENTS = 1_000;
const WINDOW_BYTES = 8 * 1024 * 1024;
/** Interval at which the age of events is checked while a hook is down. */
const AGE_MS = 30_000;

export interface LineOptions {
  readonly hook: Hook;
  readonly letters: Letters;
  /** Epoch of the log. */
  readonly epoch: string;
  readonly source: EventSource;
  readonly send: SendEvent;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly concurrency: number;
  /** Age at which an event that was not delivered is given up. */
  readonly retryMs: number;
  readonly logger: RosterLogger;
  /** Called when the position may have moved. */
  readonly onMoved: () => void;
}

export class HookLine {
  readonly #options: LineOptions;
  readonly #lanes = new Lanes();
  readonly #window = new Window(WINDOW_EVENTS, WINDOW_BYTES);
  readonly #health: Health;
  readonly #parking: Parking;
  readonly #reader: HookReader;
  readonly #alarm: Alarm;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #attempting: AttemptOptions;
  #hook: Hook;
  #active = 0;

  constructor(options: LineOptions, position: number) {
    const { hook, source, send, clock, random, logger, letters, onMoved } = options;
    this.#options = options;
    this.#hook = hook;
    // Every request in flight listens to these signals.
    setMaxListeners(0, this.#cut.signal, this.#stopping.signal);
    this.#attempting = { letters, send, clock, random, logger, cut: this.#cut.signal, stopping: this.#stopping.signal };
    this.#health = new Health(random);
    this.#alarm = new Alarm(clock, () => this.#ring());
    const leave = (seq: number): void => {
      this.#window.delete(seq);
      onMoved();
    };
    const common = { hookId: hook.id, clock, logger };
    this.#parking = new Parking({ ...common, letters, lanes: this.#lanes, health: this.#health, random, leave });
    const reader = {
      ...common,
      source,
      stopping: this.#stopping.signal,
      wants: (event: HookEvent) => wantsEvent(this.#hook, event.type, event.fact.t === 'custom'),
      room: () => this.#room(),
      admit: (event: HookEvent) => this.#admit(event),
      lost: async (positions: number) => void (await this.#parking.saved(letters.noteLost(positions))),
      onMoved,
    };
    this.#reader = new HookReader(reader, position);
  }

  /** Takes up parked letters, and continues to read the log. `isNow`: parked letters are tried at once. */
  start(isNow = false): void {
    for (const letter of this.#options.letters.all('parked')) {
      const lane = this.#lanes.get(letter.lane);
      lane.insert(parkedItem(letter, this.#options.clock.now()));
      if (lane.first?.id === letter.id) this.#parking.wait(lane, isNow ? 0 : letter.whenMs);
    }
    this.#run(this.#reader.run());
    this.#pump();
  }

  /** WH22: applies new settings of the hook. With them, earlier failures mean nothing, and everything that waits is tried at once. */
  update(hook: Hook): void {
    const isSame = jsonEquals(hook, this.#hook);
    this.#hook = hook;
    if (isSame) return;
    this.#lookAgain([...this.#lanes.waiting, ...this.#lanes.held]);
  }

  /** Everything up to here was delivered, or is stored as a letter. */
  get position(): number {
    const { oldest } = this.#window;
    return oldest === undefined ? this.#reader.at : Math.min(oldest - 1, this.#reader.at);
  }

  /** The last position worth writing down. */
  get worth(): number {
    return Math.min(this.#reader.worth, this.position);
  }

  get isDown(): boolean {
    return this.#health.isDown;
  }

  get measure(): LineMeasure {
    return { results: this.#health.results, oldestAt: this.#lanes.oldestAt };
  }

  get lastError(): LastError | undefined {
    return this.#health.lastError;
  }

  /** Milliseconds since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#health.lastSuccessMs;
  }

  /** WH14. Dead letters were moved back to `parked` before. Letters that were parked all along are tried now, and not at their time. */
  replay(letters: readonly Letter[]): void {
    const lanes = letters.map((letter) => {
      const lane = this.#lanes.get(letter.lane);
      if (!lane.items.some(({ id }) => id === letter.id)) lane.insert(parkedItem(letter, this.#options.clock.now()));
      return lane;
    });
    this.#lookAgain(lanes.filter(({ state }) => state !== 'sending' && state !== 'moving'));
  }

  #lookAgain(lanes: readonly HookLane[]): void {
    for (const lane of lanes) this.#lanes.move(lane, 'ready');
    this.#health.lookAgain(this.#options.clock.now());
    this.#pump();
  }

  /** Begins nothing new. Requests in flight have `lastMs` to end; those that do not end are repeated after the next start. */
  async stop(lastMs: number): Promise<void> {
    this.#stopping.abort();
    this.#alarm.stop();
    const over = new AbortController();
    const ended = Promise.all(this.#running).then(() => over.abort());
    await this.#options.clock.sleep(lastMs, over.signal);
    this.#cut.abort();
    await ended;
  }

  #run(work: Promise<void>): void {
    const { logger } = this.#options;
    const done = work
      .catch((error: unknown) => logger.error({ err: error, hook: this.#hook.id }, 'unexpected error in the delivery of a webhook'))
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  #runThenPump(work: Promise<void>): void {
    this.#run(work.then(() => this.#pump()));
  }

  async #room(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#window.isFull && !signal.aborted) await this.#window.changed(signal);
  }

  #admit(event: HookEvent): void {
    const { epoch, letters, clock } = this.#options;
    const { seq } = event;
    const at = Math.min(event.at, clock.now() * 1_000);
    const id = webhookId(epoch, seq, this.#hook.id);
    // After a crash, the log is read again from a position before events that are letters already.
    if (letters.has(id)) return;
    const item: Item = { id, epoch, seq, at, event, attempts: 0, retries: 0, isReplay: false, isMoving: false };
    const lane = this.#lanes.get(event.lane);
    this.#window.add(seq, roughEventBytes(event));
    const { isParked } = lane;
    lane.insert(item);
    if (isParked) this.#runThenPump(this.#parking.park(lane, [item]));
    else if (lane.state === 'idle') this.#lanes.move(lane, 'ready');
    if (this.isDown) this.#alarm.set(clock.now() + (this.#isOld(item) ? 0 : AGE_MS));
    this.#pump();
  }

  #pump(): void {
    if (this.#stopping.signal.aborted) return;
    if (!this.isDown) {
      for (const lane of this.#lanes.ready) {
        if (this.#active >= this.#options.concurrency) break;
        this.#run(this.#deliver(lane, false));
      }
      this.#judge();
    }
    this.#arm();
  }

  async #deliver(lane: HookLane, isProbe: boolean): Promise<void> {
    const { first: item } = lane;
    if (item === undefined) return;
    this.#lanes.move(lane, 'sending');
    this.#active++;
    if (isProbe) this.#health.isProbing = true;
    try {
      const outcome = await attempt(this.#hook, item, isProbe, this.#attempting);
      if (outcome.kind === 'delivered') await this.#delivered(lane, item);
      else if (outcome.kind === 'failed') await this.#failed(lane, item, outcome, isProbe);
      else this.#lanes.move(lane, 'idle');
    } finally {
      this.#active--;
      if (isProbe) this.#health.isProbing = false;
      this.#pump();
    }
  }

  async #delivered(lane: HookLane, item: Item): Promise<void> {
    const { clock, letters, logger } = this.#options;
    const wasDown = this.isDown;
    this.#health.succeeded(clock.now());
    // If this does not get to the disk, the event is sent once more after a restart.
    if (item.event === undefined) await this.#parking.saved(letters.drop([item.id]));
    this.#parking.done(lane, item);
    if (wasDown) logger.info({ hook: this.#hook.id }, 'a webhook takes events again');
    for (const held of [...this.#lanes.held]) {
      // An event that failed while the hook was down is tried again; one that failed while others got through is parked.
      if (wasDown) this.#lanes.move(held, 'ready');
      else if (clock.now() >= this.#parking.fullUntilMs) this.#runThenPump(this.#parking.parkLane(held));
    }
  }

  async #failed(lane: HookLane, item: Item, outcome: DeliveryResult & { readonly kind: 'failed' }, isProbe: boolean): Promise<void> {
    const { clock, logger } = this.#options;
    const nowMs = clock.now();
    const wasDown = this.isDown;
    item.attempts = outcome.attempts;
    this.#health.failed(nowMs, outcome.reason, isProbe);
    if (this.isDown && !wasDown) {
      logger.error({ hook: this.#hook.id, reason: outcome.reason }, 'a webhook is down: nothing gets through; its events are kept');
      this.#alarm.set(nowMs + AGE_MS);
    }
    if (item.isReplay || this.#isOld(item)) await this.#parking.bury(lane, item, outcome.reason);
    else if (item.event === undefined) this.#parking.waitAgain(lane, item, outcome, this.#endsMs(item));
    else this.#lanes.move(lane, 'held');
  }

  #endsMs({ at }: Item): number {
    return at / 1_000 + this.#options.retryMs;
  }

  #isOld(item: Item): boolean {
    return this.#options.clock.now() >= this.#endsMs(item);
  }

  /** Parks the held events when no request in flight can tell more: the receiver was alive just now, so it refuses only these. */
  #judge(): void {
    const nowMs = this.#options.clock.now();
    const { held, ready } = this.#lanes;
    if (held.size === 0 || this.#active > 0 || ready.size > 0 || nowMs < this.#parking.fullUntilMs || !this.#health.wasAlive(nowMs)) return;
    for (const lane of [...held]) this.#runThenPump(this.#parking.parkLane(lane));
  }

  #arm(): void {
    const { held, waiting, ready } = this.#lanes;
    const { fullUntilMs, waitingDueMs } = this.#parking;
    const toProbe = held.size + (this.isDown ? ready.size + waiting.size : 0);
    if (toProbe > 0) this.#alarm.set(this.#health.probeAtMs);
    if (held.size > 0 && fullUntilMs > this.#options.clock.now()) this.#alarm.set(fullUntilMs);
    if (!this.isDown && waiting.size > 0) this.#alarm.set(waitingDueMs);
  }

  #ring(): void {
    if (this.#stopping.signal.aborted) return;
    const nowMs = this.#options.clock.now();
    this.#health.bound(nowMs);
    this.#parking.bound(nowMs);
    if (this.isDown) {
      // WH13
      const { reason } = this.#health;
      const isGoingOn = (): boolean => this.isDown && !this.#stopping.signal.aborted;
      this.#run(this.#parking.buryOld((item) => this.#isOld(item), reason, isGoingOn));
      this.#alarm.set(nowMs + AGE_MS);
    } else this.#parking.wakeDue(nowMs);
    const probed = nowMs >= this.#health.probeAtMs ? this.#lanes.toProbe(this.isDown) : undefined;
    if (probed !== undefined) this.#run(this.#deliver(probed, true));
    this.#pump();
  }
}
