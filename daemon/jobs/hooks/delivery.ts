/**
 * One webhook: brings every event it wants to its receiver.
 *
 * It keeps WH8, WH9 and WH12–WH14 (daemon/RULES.md).
 */
import { setMaxListeners } from 'node:events';
import { type Hook, wantsEvent } from '../../../protocol/hooks/hooks.ts';
import { type HookEvent, roughEventBytes } from '../../../protocol/hooks/payload.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import { Alarm } from './alarm.ts';
import { Health, type LastError } from './health.ts';
import { type Item, type Lane, Lanes, Window } from './lanes.ts';
import type { Letter } from './letter.ts';
import type { Letters } from './letter-file.ts';
import { Aside } from './parking.ts';
import { type Answer, type Outcome, quickAttempts } from './quick-attempts.ts';
import { type EventSource, HookReader } from './reader.ts';
import { webhookId } from './signature.ts';

const WINDOW_EVENTS = 1_000;
const WINDOW_BYTES = 8 * 1024 * 1024;
const TIMEOUT_MS = 6_000;
/** Whether events have become too old is looked at so often while a hook is down. */
const AGE_MS = 30_000;

/** Makes the request of an event ready; what it returns sends it once, and never rejects. */
export type SendEvent = (
  hook: Hook,
  item: Pick<Item, 'id' | 'epoch'>,
  event: HookEvent,
) => (attempt: number, timeoutMs: number, cut: AbortSignal) => Promise<Answer>;

export interface LineOptions {
  readonly hook: Hook;
  readonly letters: Letters;
  /** Of the log. */
  readonly epoch: string;
  readonly source: EventSource;
  readonly send: SendEvent;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly concurrency: number;
  /** How old an event may become before it is given up. */
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
  readonly #aside: Aside;
  readonly #reader: HookReader;
  readonly #alarm: Alarm;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #hook: Hook;
  #active = 0;

  constructor(options: LineOptions, position: number) {
    const { hook, source, clock, random, logger, letters, onMoved } = options;
    this.#options = options;
    this.#hook = hook;
    // Every request that is under way listens to it.
    setMaxListeners(0, this.#cut.signal, this.#stopping.signal);
    this.#health = new Health(random);
    this.#alarm = new Alarm(clock, () => this.#ring());
    const leave = (seq: number): void => {
      this.#window.delete(seq);
      onMoved();
    };
    const common = { hookId: hook.id, clock, logger };
    this.#aside = new Aside({ ...common, letters, lanes: this.#lanes, health: this.#health, random, leave });
    const reader = {
      ...common,
      source,
      stopping: this.#stopping.signal,
      wants: (event: HookEvent) => wantsEvent(this.#hook, event.type, event.fact.t === 'custom'),
      room: () => this.#room(),
      admit: (event: HookEvent) => this.#admit(event),
      lost: async (positions: number) => void (await this.#aside.saved(letters.noteLost(positions))),
      onMoved,
    };
    this.#reader = new HookReader(reader, position);
  }

  /** Takes up what was parked before, and reads on. */
  start(): void {
    for (const letter of this.#options.letters.all('parked')) {
      const lane = this.#lanes.get(letter.lane);
      lane.insert(itemOf(letter));
      if (lane.first?.id === letter.id) this.#aside.wait(lane, letter.whenMs);
    }
    this.#run(this.#reader.run());
    this.#pump();
  }

  /** The hook as it is set from now on. At another address it has a new chance. */
  update(hook: Hook): void {
    const isMoved = hook.url !== this.#hook.url;
    this.#hook = hook;
    if (isMoved) this.#health.lookAgain(this.#options.clock.now());
    this.#pump();
  }

  /** Everything up to here was delivered, or lies in the letters. */
  get position(): number {
    const { oldest } = this.#window;
    return oldest === undefined ? this.#reader.at : Math.min(oldest - 1, this.#reader.at);
  }

  /** The last position that is worth writing down. */
  get worth(): number {
    return Math.min(this.#reader.worth, this.position);
  }

  get isDown(): boolean {
    return this.#health.isDown;
  }

  get lastError(): LastError | undefined {
    return this.#health.lastError;
  }

  /** Milliseconds since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#health.lastSuccessMs;
  }

  /** WH14. The letters are parked again already. */
  replay(letters: readonly Letter[]): void {
    for (const letter of letters) {
      const lane = this.#lanes.get(letter.lane);
      lane.insert(itemOf(letter));
      const isNext = lane.first?.id === letter.id;
      if (isNext && lane.state !== 'sending' && lane.state !== 'moving') this.#lanes.move(lane, 'ready');
    }
    this.#pump();
  }

  /** Begins nothing new. Requests under way have `lastMs` to end; what did not end is sent again after the next start. */
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

  async #room(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#window.isFull && !signal.aborted) await this.#window.changed(signal);
  }

  #admit(event: HookEvent): void {
    const { epoch, letters, clock } = this.#options;
    const { seq, at } = event;
    const id = webhookId(epoch, seq, this.#hook.id);
    // After a crash the log is read again from before what was put aside already.
    if (letters.has(id)) return;
    const item: Item = { id, epoch, seq, at, event, attempts: 0, retries: 0, isReplay: false, isMoving: false };
    const lane = this.#lanes.get(event.lane);
    this.#window.add(seq, roughEventBytes(event));
    const { isParked } = lane;
    lane.insert(item);
    if (isParked) this.#run(this.#park(lane, [item]));
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

  async #deliver(lane: Lane, isProbe: boolean): Promise<void> {
    const { first: item } = lane;
    if (item === undefined) return;
    this.#lanes.move(lane, 'sending');
    this.#active++;
    if (isProbe) this.#health.isProbing = true;
    try {
      const outcome = await this.#attempt(item, isProbe);
      if (outcome.kind === 'delivered') await this.#delivered(lane, item);
      else if (outcome.kind === 'failed') await this.#failed(lane, item, outcome, isProbe);
      else this.#lanes.move(lane, 'idle');
    } finally {
      this.#active--;
      if (isProbe) this.#health.isProbing = false;
      this.#pump();
    }
  }

  async #attempt(item: Item, isProbe: boolean): Promise<Outcome> {
    const { letters, send, clock, random, logger } = this.#options;
    const hook = this.#hook;
    try {
      const event = item.event ?? (await letters.read(item.id));
      const post = send(hook, item, event);
      return await quickAttempts({
        send: (attempt, timeoutMs) => post(attempt, timeoutMs, this.#cut.signal),
        before: item.attempts,
        timeoutMs: hook.timeoutMs ?? TIMEOUT_MS,
        attemptsMax: isProbe || item.event === undefined ? 1 : Number.POSITIVE_INFINITY,
        clock,
        random,
        stopping: this.#stopping.signal,
      });
    } catch (error) {
      logger.error({ err: error, hook: hook.id, seq: item.seq }, 'an event could not be made ready for a webhook');
      const reason = 'the daemon could not make it ready; its log says more';
      return { kind: 'failed', attempts: item.attempts + 1, reason, retryAfterMs: 0 };
    }
  }

  async #delivered(lane: Lane, item: Item): Promise<void> {
    const { clock, letters, logger } = this.#options;
    const wasDown = this.isDown;
    this.#health.succeeded(clock.now());
    // Should this not get to the disk, it is sent once more after a restart.
    if (item.event === undefined) await this.#aside.saved(letters.drop([item.id]));
    this.#aside.done(lane, item);
    if (wasDown) logger.info({ hook: this.#hook.id }, 'a webhook takes events again');
    for (const held of [...this.#lanes.held]) {
      // What failed while nothing got through has a new chance; what failed while others got through is at fault itself.
      if (wasDown) this.#lanes.move(held, 'ready');
      else if (clock.now() >= this.#aside.fullUntilMs) this.#run(this.#parkLane(held));
    }
  }

  async #failed(lane: Lane, item: Item, outcome: Outcome & { readonly kind: 'failed' }, isProbe: boolean): Promise<void> {
    const { clock, logger } = this.#options;
    const nowMs = clock.now();
    const wasDown = this.isDown;
    item.attempts = outcome.attempts;
    this.#health.failed(nowMs, outcome.reason, isProbe);
    if (this.isDown && !wasDown) {
      logger.error({ hook: this.#hook.id, reason: outcome.reason }, 'a webhook is down: nothing gets through; its events are kept');
      this.#alarm.set(nowMs + AGE_MS);
    }
    if (item.isReplay || this.#isOld(item)) await this.#aside.bury(lane, item, outcome.reason);
    else if (item.event === undefined) this.#aside.waitAgain(lane, item, outcome, this.#endsMs(item));
    else this.#lanes.move(lane, 'held');
  }

  #endsMs({ at }: Item): number {
    return at / 1_000 + this.#options.retryMs;
  }

  #isOld(item: Item): boolean {
    return this.#options.clock.now() >= this.#endsMs(item);
  }

  async #parkLane(lane: Lane): Promise<void> {
    await this.#aside.parkLane(lane);
    this.#pump();
  }

  async #park(lane: Lane, items: readonly Item[]): Promise<void> {
    await this.#aside.park(lane, items);
    this.#pump();
  }

  /** Nothing more can be learnt from others at the moment: a receiver that lived just now refuses these events only. */
  #judge(): void {
    const nowMs = this.#options.clock.now();
    const { held, ready } = this.#lanes;
    if (held.size === 0 || this.#active > 0 || ready.size > 0 || nowMs < this.#aside.fullUntilMs || !this.#health.wasAlive(nowMs)) return;
    for (const lane of [...held]) this.#run(this.#parkLane(lane));
  }

  /** WH13: of a hook that is down, everything that is too old. */
  async #buryOld(): Promise<void> {
    const reason = this.lastError?.reason ?? 'nothing got through';
    while (this.isDown && !this.#stopping.signal.aborted) {
      const old: [Lane, Item][] = [];
      for (const lane of this.#lanes.all()) {
        const { first, state } = lane;
        const isFree = state === 'ready' || state === 'held' || state === 'waiting';
        if (isFree && first !== undefined && !first.isReplay && !first.isMoving && this.#isOld(first)) old.push([lane, first]);
      }
      const before = this.#options.letters.dead;
      await Promise.all(old.map(([lane, item]) => this.#aside.bury(lane, item, reason)));
      // None was too old any more, or none could be written down.
      if (this.#options.letters.dead === before) return;
    }
  }

  #arm(): void {
    const { held, waiting, ready } = this.#lanes;
    const { fullUntilMs, waitingDueMs } = this.#aside;
    const toProbe = held.size + (this.isDown ? ready.size + waiting.size : 0);
    if (toProbe > 0) this.#alarm.set(this.#health.probeAtMs);
    if (held.size > 0 && fullUntilMs > this.#options.clock.now()) this.#alarm.set(fullUntilMs);
    if (!this.isDown && waiting.size > 0) this.#alarm.set(waitingDueMs);
  }

  #ring(): void {
    if (this.#stopping.signal.aborted) return;
    const nowMs = this.#options.clock.now();
    if (this.isDown) {
      this.#run(this.#buryOld());
      this.#alarm.set(nowMs + AGE_MS);
    } else this.#aside.wakeDue(nowMs);
    if (nowMs >= this.#health.probeAtMs) this.#probe();
    this.#pump();
  }

  /** One request, of another lane each time: one event that is at fault must not hide that the receiver is well. */
  #probe(): void {
    const { ready, held, waiting } = this.#lanes;
    for (const lanes of this.isDown ? [ready, held, waiting] : [held]) {
      for (const lane of lanes) {
        this.#run(this.#deliver(lane, true));
        return;
      }
    }
  }
}

function itemOf({ id, epoch, seq, at, attempts, retries, isReplay }: Letter): Item {
  return { id, epoch, seq, at, event: undefined, attempts, retries, isReplay, isMoving: false };
}
