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

/** The walks that wait, by caller. Callers are in the order of their turns. */
const waiting = new Map<unknown, Begun[]>();
/** Callers that pause, with their walks. */
const paused = new Map<unknown, Begun[]>();
/** The end of the time in which walks begin at once in this turn, so that a short one need not wait. */
let promptUntilMs: number | undefined;

/**
 * Runs the walk to its end. The walks of one caller follow one another; a walk without a budget has turns of its own. Rejects with what the
 * walk or its budget throws.
 */
export function inSlices<T>(walk: Walk<T>, budget?: Budget): Promise<T> {
  return new Promise((resolve, reject) => {
    let hasBegun = false;
    const advance = (endsMs: number): boolean => {
      try {
        if (!hasBegun) budget?.spend(0);
        hasBegun = true;
        do {
          const { done, value } = walk.next();
          if (done === true) {
            resolve(value);
            return true;
          }
          if (value === undefined || budget === undefined) continue;
          if (value.units > 0) budget.spend(value.units);
          if (value.unseen > 0) budget.note(value.unseen);
        } while (performance.now() < endsMs);
        return false;
      } catch (error) {
        reject(error);
        return true;
      }
    };
    const begun = { advance, budget };
    if (budget?.isSlowed() === true || !endedAtOnce(begun)) wait(begun, budget?.caller ?? begun);
  });
}

/** Whether the walk came to its end within the time that this turn has for new walks. */
function endedAtOnce(walk: Begun): boolean {
  if (waiting.size > 0) return false;
  const nowMs = performance.now();
  if (promptUntilMs === undefined) {
    promptUntilMs = nowMs + SHARE_MS;
    setImmediate(() => {
      promptUntilMs = undefined;
    });
  }
  return nowMs < promptUntilMs && walk.advance(promptUntilMs);
}

function wait(walk: Begun, caller: unknown): void {
  const others = waiting.get(caller) ?? paused.get(caller);
  if (waiting.size === 0 && others === undefined) setImmediate(runTurn);
  if (others === undefined) waiting.set(caller, [walk]);
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
