/**
 * Runs walks, which are generators that yield often, without holding the event loop: all of them together get a few milliseconds of each of
 * its turns. Callers alternate, so that one who starts a hundred walks slows down none but its own.
 *
 * It keeps BU1 and BU2 (daemon/RULES.md).
 */

/** Milliseconds for all walks together in one turn of the event loop. */
const TURN_MS = 5;
/** The share of a turn that one caller gets before the next one. */
const SHARE_MS = 1;
/** Milliseconds of a turn in which walks of trusted callers begin at once: a batch of usual size takes less, and need not wait. */
const TRUSTED_MS = 5;

/** Milliseconds until the next share of a caller that took too much of what it does not pay for. */
const PAUSE_MS = 10;

/**
 * Work in units of about ten nanoseconds: one for a comparison, or for a few bytes of text. `unseen`: work on what the caller may not see.
 * It is not refused, since a refusal would tell of it; beyond a bound, it takes longer.
 */
interface WalkWork {
  readonly units: number;
  readonly unseen: number;
}

/** A walk, step by step. It yields the work that it did since the step before. A walk whose work is bounded by other means yields nothing. */
export type Walk<T> = Generator<WalkWork | undefined, T>;

/** Makes something of each item, one in a step; of an item that gives undefined, nothing. */
export function* mapInSteps<T, R>(items: Iterable<T>, make: (item: T) => R | undefined): Walk<readonly R[]> {
  const made: R[] = [];
  for (const item of items) {
    const one = make(item);
    if (one !== undefined) made.push(one);
    yield;
  }
  return made;
}

/** What a caller may spend on its walks. */
export interface Budget {
  readonly caller: string;
  /** Counts work that was done; none at the beginning of a walk. Throws RosterError when it was too much. */
  spend(units: number): void;
  /** Counts work on what the caller may not see. */
  note(unseen: number): void;
  /** Whether that was so much that its walks wait between their shares. */
  isSlowed(): boolean;
}

/** A walk that has begun. `advance` runs it until it ends or the time has come, and returns whether it ended. */
interface Begun {
  advance(endsMs: number): boolean;
  readonly budget: Budget | undefined;
}

/** A class, because each short query makes one. */
class PromisedWalk<T> implements Begun {
  readonly #walk: Walk<T>;
  readonly budget: Budget | undefined;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #hasBegun = false;

  constructor(walk: Walk<T>, budget: Budget | undefined, resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.#walk = walk;
    this.budget = budget;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  advance(endsMs: number): boolean {
    const { budget } = this;
    try {
      if (!this.#hasBegun) budget?.spend(0);
      this.#hasBegun = true;
      do {
        const { done, value } = this.#walk.next();
        if (done === true) {
          this.#resolve(value);
          return true;
        }
        if (value === undefined || budget === undefined) continue;
        if (value.units > 0) budget.spend(value.units);
        if (value.unseen > 0) budget.note(value.unseen);
      } while (performance.now() < endsMs);
      return false;
    } catch (error) {
      this.#reject(error);
      return true;
    }
  }
}

/** The walks that wait, by caller. Callers are in the order of their turns. */
const waiting = new Map<unknown, Begun[]>();
/** Callers that pause, with their walks. */
const paused = new Map<unknown, Begun[]>();
/** When the first walk of this turn began at once, as walks do for a while so that a short one need not wait. */
let promptSinceMs: number | undefined;

/**
 * Runs the walk to its end. The walks of one caller follow one another; a walk without a budget has turns of its own. Rejects with what the
 * walk or its budget throws. `isNext`: before the other walks of that caller, for what ends work that another walk began.
 */
export function inSlices<T>(walk: Walk<T>, budget?: Budget, isNext = false): Promise<T> {
  return new Promise((resolve, reject) => {
    const begun = new PromisedWalk(walk, budget, resolve, reject);
    if (budget?.isSlowed() === true || waiting.size > 0 || !endedWithin(SHARE_MS, begun)) wait(begun, budget?.caller ?? begun, isNext);
  });
}

/** The same for a caller that is trusted. Its walk begins at once also where others wait, and ends at once unless it is long. */
export function inTrustedSlices<T>(walk: Walk<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const begun = new PromisedWalk(walk, undefined, resolve, reject);
    if (!endedWithin(TRUSTED_MS, begun)) wait(begun, begun);
  });
}

/** Whether the walk came to its end within the time that this turn has for new walks. */
function endedWithin(forMs: number, walk: Begun): boolean {
  const nowMs = performance.now();
  if (promptSinceMs === undefined) {
    promptSinceMs = nowMs;
    setImmediate(endPromptTime);
  }
  const endsMs = promptSinceMs + forMs;
  return nowMs < endsMs && walk.advance(endsMs);
}

function endPromptTime(): void {
  promptSinceMs = undefined;
}

function wait(walk: Begun, caller: unknown, isNext = false): void {
  const others = waiting.get(caller) ?? paused.get(caller);
  if (waiting.size === 0 && others === undefined) setImmediate(runTurn);
  if (others === undefined) waiting.set(caller, [walk]);
  else if (isNext) others.unshift(walk);
  else others.push(walk);
}

/** Gives each caller its share, again and again, until the time of the turn is over. */
function runTurn(): void {
  const turnEndsMs = performance.now() + TURN_MS;
  // A caller whose share is over goes to the end of the line, where the loop comes to it again.
  for (const [caller, walks] of waiting) {
    const nowMs = performance.now();
    if (nowMs >= turnEndsMs) break;
    const [walk] = walks;
    if (walk?.advance(Math.min(nowMs + SHARE_MS, turnEndsMs)) === true) walks.shift();
    waiting.delete(caller);
    if (walks.length === 0) continue;
    if (walk?.budget?.isSlowed() === true) pause(caller, walks);
    else waiting.set(caller, walks);
  }
  if (waiting.size > 0) setImmediate(runTurn);
}

function pause(caller: unknown, walks: Begun[]): void {
  paused.set(caller, walks);
  setTimeout(() => {
    paused.delete(caller);
    if (waiting.size === 0) setImmediate(runTurn);
    waiting.set(caller, walks);
  }, PAUSE_MS);
}
