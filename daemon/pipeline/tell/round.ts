/**
 * What one flush tells, and whom it still has to tell. Receivers are found and their frames are made one after the other, while the round is
 * handed out: it holds the events and whom each may concern, and never the frames of all.
 *
 * A subscriber knows the first round that it is still to get (`nextRound`). One that joined or changed after the flush has a later number,
 * so the indexes as they are now find exactly the receivers of the flush.
 */
import { joined } from '../../base/joined.ts';
import { textFrames } from './frame.ts';
import type { Decorate, Tellable } from './frames-of.ts';
import type { Cohort, Router } from './router.ts';
import type { Share, Subscriber } from './subscriber.ts';

/** Pairs of an event and a receiver that are gathered in the time of one write. */
const PAIRS_PER_WRITE = 32;
/** Writes of shared bytes in one step. */
const WORK_PER_STEP = 8;

/** How one kind of what is told is handed out: the same for all its rounds. */
export interface RoundKind<T> {
  readonly router: Pick<Router, 'cohorts' | 'cohortOf' | 'candidates' | 'isJudged'>;
  /** The cohorts that it tells. */
  readonly isFor: (cohort: Cohort) => boolean;
  /** Decides for receivers outside the cohorts. */
  readonly decorate: Decorate<T>;
  readonly hand: (receiver: Subscriber, share: Share) => void;
  /** Whether so many rounds wait that receivers must read this one from the past. */
  readonly isPressed: () => boolean;
  /** Sends a receiver to read it from the past. */
  readonly onLate: (receiver: Subscriber, from: number) => void;
}

interface RoundContent<T> {
  readonly told: readonly T[];
  /** Position before everything in it. */
  readonly from: number;
  /** The frames of receivers with a filter, which are judged at the flush. */
  readonly judged: ReadonlyMap<Subscriber, readonly Buffer[]>;
  /** See `Served`. */
  readonly sinceMs: number | undefined;
}

export class Round<T extends Tellable = Tellable> {
  /** Its place in the order of all rounds. */
  readonly number: number;
  readonly #kind: RoundKind<T>;
  readonly #content: RoundContent<T>;
  readonly #steps: Iterator<number, void>;
  /** The bytes of each cohort. */
  #shared: Map<string, Buffer> | undefined;
  /** The last frames that were joined: receivers that ask the same get the same bytes. */
  #last: { readonly frames: readonly Buffer[]; readonly bytes: Buffer } | undefined;

  constructor(number: number, kind: RoundKind<T>, content: RoundContent<T>) {
    this.number = number;
    this.#kind = kind;
    this.#content = content;
    this.#steps = this.#walk();
  }

  get sinceMs(): number | undefined {
    return this.#content.sinceMs;
  }

  /** Serves the next receiver, or looks for some. Returns the work in writes of one event; undefined: everyone is served. */
  step(): number | undefined {
    const { done, value } = this.#steps.next();
    if (done !== true) return value;
    for (const one of this.#content.told) one.release();
    return undefined;
  }

  /** Serves this receiver at once, if it is still to be. */
  serve(receiver: Subscriber): void {
    if (!this.#isDue(receiver)) return;
    const { router } = this.#kind;
    const { judged, told } = this.#content;
    const cohort = router.cohortOf(receiver);
    if (cohort !== undefined) this.#giveShared(receiver, cohort);
    else if (router.isJudged(receiver)) this.#give(receiver, judged.get(receiver) ?? []);
    else this.#tell(receiver, told);
  }

  #isDue({ state, nextRound }: Subscriber): boolean {
    return nextRound <= this.number && state.kind === 'live';
  }

  *#walk(): Generator<number, void> {
    const { router, isFor } = this.#kind;
    const { told, judged } = this.#content;
    const [first] = told;
    if (first === undefined) return;
    for (const cohort of router.cohorts) {
      if (!isFor(cohort)) continue;
      let work = 0;
      for (const member of cohort.members) {
        if (this.#isDue(member)) work += this.#giveShared(member, cohort);
        if (work < WORK_PER_STEP) continue;
        yield work;
        work = 0;
      }
      yield work;
    }
    for (const [receiver, frames] of judged) if (this.#isDue(receiver)) yield this.#give(receiver, frames);
    if (told.length === 1) {
      for (const receiver of router.candidates(first)) if (this.#isUnjudged(receiver)) yield this.#tellOrDefer(receiver, told);
      return;
    }
    const concerned = new Map<Subscriber, T[]>();
    yield* this.#gather(concerned);
    for (const [receiver, events] of concerned) if (this.#isDue(receiver)) yield this.#tellOrDefer(receiver, events);
  }

  /** Finds out which events may concern whom. */
  *#gather(concerned: Map<Subscriber, T[]>): Generator<number, void> {
    const { told } = this.#content;
    const { router } = this.#kind;
    let pairs = 0;
    for (const one of told) {
      for (const receiver of router.candidates(one)) {
        if (++pairs % PAIRS_PER_WRITE === 0) yield 1;
        if (!this.#isUnjudged(receiver)) continue;
        const events = concerned.get(receiver);
        if (events === undefined) concerned.set(receiver, [one]);
        else events.push(one);
      }
    }
  }

  #isUnjudged(receiver: Subscriber): boolean {
    return this.#isDue(receiver) && !this.#kind.router.isJudged(receiver);
  }

  #giveShared(receiver: Subscriber, cohort: Cohort): number {
    const { isFor, hand } = this.#kind;
    const { told, from } = this.#content;
    receiver.nextRound = this.number + 1;
    if (!isFor(cohort)) return 1;
    const { key, form, decoration } = cohort;
    this.#shared ??= new Map();
    const kept = this.#shared.get(key);
    const bytes = kept ?? textFrames(told.map((one) => one.text(form, decoration, true)));
    if (kept === undefined) this.#shared.set(key, bytes);
    hand(receiver, { bytes, count: told.length, from });
    return kept === undefined ? told.length : 1;
  }

  #tellOrDefer(receiver: Subscriber, events: readonly T[]): number {
    const { isPressed, onLate } = this.#kind;
    if (!isPressed()) return this.#tell(receiver, events);
    onLate(receiver, this.#content.from);
    return 1;
  }

  #tell(receiver: Subscriber, events: readonly T[]): number {
    const { decorate } = this.#kind;
    const frames: Buffer[] = [];
    for (const one of events) {
      const added = decorate(receiver, one);
      if (added !== undefined) frames.push(one.frame(receiver.form, added, receiver.isPrivyTo(one.id)));
    }
    this.#give(receiver, frames);
    return events.length;
  }

  #give(receiver: Subscriber, frames: readonly Buffer[]): number {
    receiver.nextRound = this.number + 1;
    if (frames.length > 0) this.#kind.hand(receiver, { bytes: this.#joined(frames), count: frames.length, from: this.#content.from });
    return frames.length;
  }

  #joined(frames: readonly Buffer[]): Buffer {
    const last = this.#last;
    if (last?.frames.length === frames.length && frames.every((frame, index) => frame === last.frames[index])) return last.bytes;
    const bytes = joined(frames);
    this.#last = { frames, bytes };
    return bytes;
  }
}
