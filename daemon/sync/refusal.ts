/** Reads a 4xx answer to a batch: which users it refuses and why, or that the run cannot succeed at all. Pure. */

import { isObject } from '../../protocol/base/json.ts';
import { shortened } from '../../protocol/base/shortened.ts';
import type { TakenOut } from './counts.ts';
import type { Reply } from './transport.ts';

type Batch = readonly { readonly id: string }[];

export interface RefusalReason {
  readonly code: number;
  readonly reason: string;
  /** The only reason is that the user has another revision than the request names. */
  readonly isPrecondition?: true;
}

export type Refusal =
  /** These users of the batch are refused; the others may be sent again. */
  | { readonly kind: 'named'; readonly reasons: ReadonlyMap<string, RefusalReason> }
  /** Something in the batch is refused, and the answer does not say which part. */
  | { readonly kind: 'unnamed'; readonly reason: RefusalReason }
  /** Every batch would fail: wrong key, wrong address, not rosterd. */
  | { readonly kind: 'fatal'; readonly reason: string };

/** Codes that are about users: input, duplicate name, not found (deleted), payload too big. */
const USER_CODES: ReadonlySet<number> = new Set([4, 6, 16, 22]);
const REASON_CHARS_MAX = 1_000;
const BRIEF_CHARS_MAX = 200;

export function readRefusal(reply: Reply, batch: Batch): Refusal {
  const { body, status } = reply;
  const code = typeof body?.code === 'number' ? body.code : undefined;
  const reasons = namedUsers(body, code ?? status, batch);
  if (reasons.size > 0) return { kind: 'named', reasons };
  const text = messageOf(reply);
  const isAboutUsers = code === undefined ? [400, 413, 422].includes(status) : USER_CODES.has(code);
  // Many servers answer 404 for a path that does not exist; only rosterd's code makes it a missing user.
  if (isAboutUsers) return { kind: 'unnamed', reason: { code: code ?? status, reason: text } };
  return { kind: 'fatal', reason: `the daemon answers ${status}: ${text}` };
}

/** The message of the answer, cut to a printable length. */
export function messageOf({ body, text }: Pick<Reply, 'body' | 'text'>): string {
  return clip(typeof body?.message === 'string' ? body.message : text.replaceAll(/\s+/g, ' ').trim() || 'no explanation');
}

/** The beginning of the message, for use within a sentence. */
export function briefOf(answer: Pick<Reply, 'body' | 'text'>): string {
  return messageOf(answer).slice(0, BRIEF_CHARS_MAX);
}

/** rosterd lists every error in `errors`; other servers of the dialect name at least one in `exception_fields`. */
function namedUsers(body: Reply['body'], code: number, batch: Batch): Map<string, RefusalReason> {
  const texts = new Map<string, { code: number; parts: string[]; isPrecondition: boolean }>();
  const add = (path: string, message: string, itsCode: number) => {
    const [, name, field] = /^users\[([^\]]*)\]\.?(.*)$/s.exec(path) ?? [];
    const id = name === undefined ? undefined : findUser(name, batch);
    if (id === undefined) return;
    const known = texts.get(id) ?? { code: itsCode, parts: [], isPrecondition: true };
    known.parts.push(field ? `${field}: ${message}` : message);
    if (field || !isPrecondition(message)) known.isPrecondition = false;
    texts.set(id, known);
  };
  const errors: readonly unknown[] = Array.isArray(body?.errors) ? body.errors : [];
  for (const error of errors) {
    if (!isObject(error) || typeof error.path !== 'string') continue;
    add(error.path, typeof error.message === 'string' ? error.message : 'refused', typeof error.code === 'number' ? error.code : code);
  }
  if (texts.size === 0 && isObject(body?.exception_fields)) {
    for (const [path, message] of Object.entries(body.exception_fields)) add(path, String(message), code);
  }
  return new Map(
    [...texts].map(([id, { code: itsCode, parts, isPrecondition: isNewer }]) => [
      id,
      { code: itsCode, reason: clip(parts.join('; ')), ...(isNewer ? { isPrecondition: true as const } : undefined) },
    ]),
  );
}

/**
 * True for the daemon's error about a user with another revision than the request named. The status does not show it: a
 * batch can be refused for several reasons, and the code is that of any bad input.
 */
export function isPrecondition(message: string): boolean {
  return /^the user \S+ (has revision \d+, not \d+|does not exist|exists already \(revision \d+\))$/.test(message);
}

/** The user that an error names. Long ids are cut in the path; a cut that fits several users names none. */
function findUser(name: string, batch: Batch): string | undefined {
  if (batch.some(({ id }) => id === name)) return name;
  if (!name.endsWith('…')) return undefined;
  const [first, ...others] = batch.filter(({ id }) => id.startsWith(name.slice(0, -1)));
  return others.length === 0 ? first?.id : undefined;
}

function clip(text: string): string {
  return shortened(text, REASON_CHARS_MAX);
}

/** The users that an earlier sync took out, as the answer to an upsert names them. */
export function takenOutIn(body: Readonly<Record<string, unknown>>): TakenOut[] {
  return Object.entries(isObject(body.taken_out) ? body.taken_out : {}).flatMap(([id, how]) =>
    how === 'deactivated' || how === 'deleted' ? [{ id, how }] : [],
  );
}

/** True for the daemon's error about such a user. */
export function saysDeletedBySync(message: string): boolean {
  return /^the user \S+ was deleted by a sync$/.test(message);
}
