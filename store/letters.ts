/**
 * The letters of webhooks in a storage that several processes share: events that were not delivered yet, or were given up. The process that
 * has the job writes them; every process reads them, and may ask that some are sent again.
 *
 * It keeps LT1–LT5 (store/README.md).
 */

/** A letter without its event. */
export interface LetterRow {
  /** `X-Webhook-Id`. */
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
  /** Time of the event, microseconds. */
  readonly at: number;
  readonly lane: string;
  readonly type: string;
  /** What counts for limits. */
  readonly bytes: number;
  /** `parked`: still to be delivered. `dead`: given up, kept to be inspected and replayed. */
  readonly state: 'parked' | 'dead';
  /** Number of requests so far. */
  readonly attempts: number;
  /** Number of slow retries since it was parked: they lengthen the next pause. */
  readonly retries: number;
  /** Time when a parked letter is due, or a dead one was given up. Milliseconds since 1970. */
  readonly whenMs: number;
  /** The reason why the last attempt failed. */
  readonly reason: string;
  /** A dead letter that is tried once more. */
  readonly isReplay: boolean;
}

export type LetterRowStatus = Pick<LetterRow, 'id' | 'state' | 'attempts' | 'retries' | 'whenMs' | 'reason' | 'isReplay'>;

/** Changes to the letters of one hook. No id is in two of the lists. */
export interface LetterWrite {
  /** Larger than that of every earlier write to this hook. */
  readonly number: number;
  /** When it resolves, the changes survive any crash. */
  readonly isUrgent: boolean;
  /** The number of events that the hook has lost so far. */
  readonly lost: number;
  readonly puts: readonly (LetterRow & { readonly event: string })[];
  readonly moves: readonly LetterRowStatus[];
  readonly drops: readonly string[];
  /** Dropped only if they are still dead. */
  readonly expired: readonly string[];
}

/** The time in which one process has the job. */
export interface LetterTerm {
  readonly job: string;
  readonly token: number;
  /** Aborted: what the storage does not answer is asked no more. */
  readonly signal: AbortSignal;
}

export interface LoadedLetters {
  readonly letters: readonly LetterRow[];
  readonly lost: number;
  /** The number of the last write. */
  readonly number: number;
}

/** What is known of one hook. */
export interface LetterCounts {
  readonly parked: number;
  readonly dead: number;
  readonly lost: number;
  /** What the process that has the job said of the hook last; empty before. */
  readonly report: string;
}

/** The time of an event, microseconds, both inclusive. */
export interface LetterSpan {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** A page of dead letters. */
export interface DeadPage extends LetterSpan {
  /** Only those of this lane; undefined: all. */
  readonly lane: string | undefined;
  readonly after: string | undefined;
  readonly limit: number;
}

export interface LetterReplay extends LetterSpan {
  /** Undefined: all. */
  readonly ids: readonly string[] | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** The largest number of letters that are sent again. */
  readonly countMax: number;
  readonly parkedMax: number;
  readonly parkedBytesMax: number;
}

/** A letter that was asked for again. `mark` is another one each time. */
export interface ReplayedLetter extends LetterRow {
  readonly mark: number;
}

/** What changes something in a term rejects with LeaseLost when another process has the job; then nothing is stored. */
export interface LetterTable {
  /** LT4. */
  load(term: LetterTerm, hook: string): Promise<LoadedLetters>;
  /** LT1–LT3. Rejects when the storage refuses it, or cannot be reached until the term ends. */
  write(term: LetterTerm, hook: string, write: LetterWrite): Promise<void>;
  /** The event of a letter; undefined when there is no such letter. Waits for the storage until the term ends. */
  event(term: LetterTerm, hook: string, id: string): Promise<string | undefined>;
  /** Removes all letters of these hooks, or of all others. */
  remove(term: LetterTerm, which: 'these' | 'others', hooks: readonly string[]): Promise<void>;
  /** Stores what there is to say of each hook. Not durable. */
  report(term: LetterTerm, reports: ReadonlyMap<string, string>): Promise<void>;

  counts(): Promise<ReadonlyMap<string, LetterCounts>>;
  /** Dead letters, the oldest event first, after the letter `after`. Undefined when that is none of those that are asked for. */
  dead(hook: string, page: DeadPage): Promise<readonly LetterRow[] | undefined>;
  /** One dead letter and its event; undefined when there is none of this id. */
  deadLetter(hook: string, id: string): Promise<{ readonly row: LetterRow; readonly event: string } | undefined>;
  /** LT5. `remaining`: the number of letters asked for that are not sent again. */
  replay(hook: string, request: LetterReplay): Promise<{ readonly replaying: number; readonly remaining: number }>;
  /** The hooks with letters that were asked for since. */
  replayedHooks(): Promise<readonly string[]>;
  replayed(hook: string): Promise<readonly ReplayedLetter[]>;
  /** These requests were taken up. */
  takenUp(term: LetterTerm, hook: string, letters: readonly Pick<ReplayedLetter, 'id' | 'mark'>[]): Promise<void>;
}
