/**
 * Proves a copy of users right or stale: parts of it are compared by digest first, then single ids of the parts that differ. It asks a
 * daemon, and runs in a browser, too. Pure: the way to the daemon comes as functions.
 */
import { digestPart, RevisionDigest } from '../../base/digest.ts';
import { isObject } from '../../base/json.ts';
import type { Position } from '../../base/position.ts';
import { positionText } from '../../base/position-text.ts';

/** Users of a part, on average. */
const PART_USERS = 256;
/** More parts than this are listed as a whole. */
const PARTS_NAMED = 256;
const PARTS_MAX = 4_096;
/** Revisions, and whole users, of one request. */
const REVS_AT_ONCE = 1_000;
const USERS_AT_ONCE = 100;

/**
 * How a copy differs in one user. `missing_there`: the copy lacks it. `missing_here`: the directory does not have it. `older`, `newer`: the
 * revision of the copy is lower, or higher, than any change up to the position explains. `differs`: fields have other values.
 */
export const DIFFERENCES = ['missing_there', 'missing_here', 'older', 'newer', 'differs'] as const;
export type DifferenceKind = (typeof DIFFERENCES)[number];

export interface CopyDifference {
  readonly id: string;
  readonly how: DifferenceKind;
  /** Revision in the directory; absent where it does not have the user. */
  readonly rev?: number;
  /** Revision in the copy, where that is known. */
  readonly copy_rev?: number;
  /** What the directory knows of a user that it does not have, or why fields cannot be compared. */
  readonly note?: string;
  /** Values by field: in the directory, and in the copy. */
  readonly fields?: Readonly<Record<string, readonly [here: unknown, there: unknown]>>;
}

/** How the revision in a copy at the position `at` compares; `changed`: the user changed after that, so nothing is known. */
export function compareRevs(here: number, there: number, at: number): 'equal' | 'changed' | 'older' | 'newer' {
  if (here === there) return 'equal';
  if (here > at || there > at) return 'changed';
  return here > there ? 'older' : 'newer';
}

/** An object of an answer, or a user as it was found. */
type AnswerObject = Readonly<Record<string, unknown>>;

/** What a copy holds. */
export interface HeldCopy {
  /** Where the copy is, if it says so. */
  readonly position: Position | undefined;
  /** Only users of this team. */
  readonly team?: string | undefined;
  /** Revisions by id; undefined where the copy does not know it. */
  readonly revs: ReadonlyMap<string, number | undefined>;
  /** Whole users whose fields are to be compared, in the form of `/api/v2` or of events. */
  readonly users: readonly AnswerObject[];
}

export interface CopyQuestions {
  /** The JSON answer of an endpoint. Rejects for a refusal. */
  get(path: string): Promise<AnswerObject>;
  post(path: string, body: object): Promise<AnswerObject>;
  /** The lines of `GET /sync/users`. */
  lines(path: string): AsyncIterable<string>;
}

export interface CopyVerdict {
  readonly isEqual: boolean;
  /** The position at which the copy was compared. */
  readonly position: Position;
  readonly hereCount: number;
  readonly hereDigest: string;
  readonly copyCount: number;
  /** Undefined where the copy knows no revisions. */
  readonly copyDigest: string | undefined;
  readonly counts: Readonly<Record<DifferenceKind, number>>;
  /** Users that changed after the position: nothing is said about them. */
  readonly changed: number;
  /** Parts, and those of them whose digest differed. */
  readonly parts: number;
  readonly partsDiffering: number;
}

/** One copy that is being compared. */
export class CopyCheck {
  readonly #copy: HeldCopy;
  readonly #ask: CopyQuestions;
  readonly #note: (difference: CopyDifference) => void;
  readonly #counts: Record<DifferenceKind, number> = { missing_there: 0, missing_here: 0, older: 0, newer: 0, differs: 0 };
  #changed = 0;

  /** `note` gets each difference, as it is found. */
  constructor(copy: HeldCopy, ask: CopyQuestions, note: (difference: CopyDifference) => void) {
    this.#copy = copy;
    this.#ask = ask;
    this.#note = note;
  }

  /** Rejects with Error when the position of the copy cannot be compared, and with what the questions reject with. */
  async run(): Promise<CopyVerdict> {
    const { revs, position: named } = this.#copy;
    const parts = Math.min(PARTS_MAX, Math.max(1, Math.ceil(revs.size / PART_USERS)));
    const here = await this.#ask.get(this.#path('/api/v2/sync/digests', { parts: String(parts) }));
    const position = positionIn(here);
    const at = named ?? position;
    mustCompare(at, position);
    const own = this.#digests(parts);
    const differing = own === undefined ? undefined : differingParts(own.parts, here.parts);
    if (differing === undefined || differing.length > 0) await this.#compareIds(parts, differing, at, position);
    if (this.#copy.users.length > 0) await this.#compareFields(at);
    const counts = { ...this.#counts };
    return {
      isEqual: Object.values(counts).every((count) => count === 0),
      position: at,
      hereCount: Number(here.users),
      hereDigest: String(here.digest),
      copyCount: revs.size,
      copyDigest: own?.all,
      counts,
      changed: this.#changed,
      parts,
      partsDiffering: differing?.length ?? parts,
    };
  }

  #path(path: string, query: Readonly<Record<string, string>>): string {
    const { team } = this.#copy;
    return `${path}?${new URLSearchParams({ ...query, ...(team === undefined ? undefined : { team }) })}`;
  }

  /** Undefined where a revision is not known. */
  #digests(count: number): { readonly all: string; readonly parts: readonly string[] } | undefined {
    const all = new RevisionDigest();
    const parts = Array.from({ length: count }, () => new RevisionDigest());
    for (const [id, rev] of this.#copy.revs) {
      if (rev === undefined) return undefined;
      all.add(id, rev);
      parts[digestPart(id, count)]?.add(id, rev);
    }
    return { all: all.toString(), parts: parts.map(String) };
  }

  #found(difference: CopyDifference): void {
    this.#counts[difference.how]++;
    this.#note(difference);
  }

  /** The ids of the parts that differ; undefined: of all. */
  async #compareIds(parts: number, differing: readonly number[] | undefined, at: Position, seen: Position): Promise<void> {
    const isSome = differing !== undefined && differing.length <= PARTS_NAMED && differing.length < parts;
    const query = isSome ? { parts: differing.join(','), of: String(parts) } : undefined;
    const asked = isSome ? new Set(differing) : undefined;
    const { revs } = this.#copy;
    const there = new Set<string>();
    let isEnded = false;
    for await (const line of this.#ask.lines(this.#path('/api/v2/sync/users', query ?? {}))) {
      const { id, rev, end, epoch, seq } = JSON.parse(line);
      if (end === true) isEnded = true;
      if (typeof seq === 'number' && (epoch !== seen.epoch || seq < seen.seq))
        throw new Error('another node answered, which is further behind: compare again');
      if (typeof id !== 'string') continue;
      there.add(id);
      if (!revs.has(id)) this.#lacking(id, rev, at);
      else this.#compareRev(id, rev, revs.get(id), at);
    }
    if (!isEnded) throw new Error('the list of users broke off: compare again');
    const only = [...revs.keys()].filter((id) => !there.has(id) && asked?.has(digestPart(id, parts)) !== false);
    for (let from = 0; from < only.length; from += REVS_AT_ONCE) await this.#compareOnly(only.slice(from, from + REVS_AT_ONCE), at);
  }

  #lacking(id: string, rev: number, at: Position): void {
    if (rev > at.seq) this.#changed++;
    else this.#found({ id, how: 'missing_there', rev });
  }

  #compareRev(id: string, rev: number, copyRev: number | undefined, at: Position): void {
    if (copyRev === undefined) return;
    const result = compareRevs(rev, copyRev, at.seq);
    if (result === 'changed') this.#changed++;
    else if (result !== 'equal') this.#found({ id, how: result, rev, copy_rev: copyRev });
  }

  /** Users that only the copy has, as far as the list said: the daemon knows what became of them. */
  async #compareOnly(ids: readonly string[], position: Position): Promise<void> {
    const { team, revs } = this.#copy;
    const answer = await this.#ask.post('/api/v2/sync/compare', {
      position,
      ...(team === undefined ? undefined : { team }),
      revs: Object.fromEntries(ids.map((id) => [id, revs.get(id) ?? 0])),
    });
    this.#take(answer);
  }

  /** Fields of users whose revisions are equal, or not known. Of others it was said that they differ. */
  async #compareFields(position: Position): Promise<void> {
    const { users } = this.#copy;
    for (let from = 0; from < users.length; from += USERS_AT_ONCE) {
      this.#take(await this.#ask.post('/api/v2/sync/compare', { position, users: users.slice(from, from + USERS_AT_ONCE) }));
    }
  }

  #take({ differences, changed }: AnswerObject): void {
    this.#changed += Number(changed);
    for (const one of Array.isArray(differences) ? differences : []) if (isDifference(one)) this.#found(one);
  }
}

function isDifference(value: unknown): value is CopyDifference {
  return isObject(value) && typeof value.id === 'string' && DIFFERENCES.some((how) => how === value.how);
}

function positionIn({ epoch, seq }: AnswerObject): Position {
  if (typeof epoch !== 'string' || typeof seq !== 'number') throw new Error('the answer names no position: is this rosterd?');
  return { epoch, seq };
}

function mustCompare(copy: Position, here: Position): void {
  if (copy.epoch !== here.epoch) {
    throw new Error(
      `the copy is of another history (epoch ${copy.epoch}, the directory has ${here.epoch}): its revisions mean nothing here, so it must be made anew`,
    );
  }
  if (copy.seq > here.seq)
    throw new Error(
      `the directory is at ${positionText(here)} and has not come to ${positionText(copy)}: is that the position of the copy?`,
    );
}

function differingParts(own: readonly string[], here: unknown): readonly number[] {
  const there: readonly unknown[] = Array.isArray(here) ? here : [];
  return own.flatMap((digest, part) => (digest === there[part] ? [] : [part]));
}
