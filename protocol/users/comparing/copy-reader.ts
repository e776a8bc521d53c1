/** Reads what a copy of users holds, from JSON in many forms: what it is to be compared by (copy-check.ts). It runs in a browser, too. Pure. */
import { isUserId } from '../../base/ids.ts';
import { isObject, parseObject } from '../../base/json.ts';
import type { Position } from '../../base/position.ts';
import type { HeldCopy } from './copy-check.ts';

export const COPY_IDS_MAX = 1_000_000;
/** Whole users are held until they were compared. */
export const COPY_USERS_MAX = 100_000;

/** Keys of a line that says no more than which revision of a user there is. */
const SHORT_KEYS: ReadonlySet<string> = new Set(['id', 'rev', 'deactivated']);

export interface CopyReaderOptions {
  /** Whether fields are to be compared where there are whole users; otherwise only ids and revisions. */
  readonly withFields: boolean;
}

export class CopyReader {
  readonly #withFields: boolean;
  readonly #revs = new Map<string, number | undefined>();
  readonly #users: Record<string, unknown>[] = [];
  #position: Position | undefined;

  constructor({ withFields }: CopyReaderOptions) {
    this.#withFields = withFields;
  }

  /**
   * Takes one value: a user (`id`, and `rev` where it is known), or a first or last line as in `GET /sync/users`. `place`: names it in an
   * error. Throws Error for anything else, for an id that is there twice, and beyond the bounds.
   */
  take(value: unknown, place: string): void {
    if (!isObject(value)) throw new Error(`${place} is no JSON object`);
    const { id, rev, epoch, seq, end, ...rest } = value;
    if (id === undefined && typeof epoch === 'string' && typeof seq === 'number') {
      this.#position = { epoch, seq };
      return;
    }
    if (id === undefined && end === true) return;
    if (typeof id !== 'string' || !isUserId(id)) throw new Error(`${place} has no id of a user`);
    if (rev !== undefined && !(typeof rev === 'number' && Number.isSafeInteger(rev) && rev >= 0))
      throw new Error(`${place}: rev must be a whole number`);
    if (this.#revs.has(id)) throw new Error(`${place}: the user ${id} is there twice`);
    if (this.#revs.size >= COPY_IDS_MAX)
      throw new Error(`the copy holds more than ${COPY_IDS_MAX.toLocaleString('en')} users: compare it in teams`);
    this.#revs.set(id, rev);
    if (!this.#withFields || Object.keys(rest).every((key) => SHORT_KEYS.has(key))) return;
    if (this.#users.length >= COPY_USERS_MAX) {
      throw new Error(`the copy holds more than ${COPY_USERS_MAX.toLocaleString('en')} whole users: compare only its ids and revisions`);
    }
    this.#users.push({ id, ...rest });
  }

  /** What was taken so far. */
  copy(more: Pick<HeldCopy, 'team'> & { readonly position?: Position | undefined }): HeldCopy {
    return { position: more.position ?? this.#position, team: more.team, revs: this.#revs, users: this.#users };
  }
}

/**
 * Gives every user of a text to `reader`: JSON Lines, a JSON list of users, an object of users by id, or an answer that holds `users` in one
 * of these forms. Throws Error that names the place.
 */
export function readCopyText(text: string, reader: CopyReader): void {
  const trimmed = text.trim();
  if (trimmed === '') throw new Error('the copy is empty');
  const whole = /^[[{]/.test(trimmed) ? parsed(trimmed) : undefined;
  if (whole === undefined) {
    readLinesOf(trimmed, reader);
    return;
  }
  const held = isObject(whole) && whole.users !== undefined ? whole.users : whole;
  if (Array.isArray(held)) {
    for (const [at, user] of held.entries()) reader.take(user, `user ${at + 1}`);
  } else if (isObject(held) && typeof held.id !== 'string' && Object.values(held).every(isObject)) {
    for (const [id, user] of Object.entries(held)) reader.take({ id, ...Object(user) }, `the user ${id}`);
  } else reader.take(held, 'the copy');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readLinesOf(text: string, reader: CopyReader): void {
  for (const [at, line] of text.split('\n').entries()) takeLine(line, at + 1, reader);
}

/** Gives one line of JSON Lines to `reader`; an empty one is skipped. Throws Error that names the line. */
export function takeLine(line: string, number: number, reader: CopyReader): void {
  if (line.trim() !== '') reader.take(parseObject(line), `line ${number}`);
}
