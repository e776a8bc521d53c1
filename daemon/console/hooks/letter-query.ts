/** Questions about dead letters, and their replay. Pure. */
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

/** An event that was given up, as a list of them shows it. Times are nanoseconds. */
export interface ListedLetter {
  readonly id: string;
  readonly seq: number;
  readonly type: string;
  readonly subject: string;
  readonly created_at: number;
  readonly failed_at: number;
  readonly attempts: number;
  readonly reason: string;
}

/** Texts of the fields; times are those of `datetime-local`, in UTC. */
export interface LetterFilter {
  readonly subject: string;
  readonly from: string;
  readonly to: string;
}

export const LETTERS_A_PAGE = 25;
/** The most letters that one request replays. */
export const REPLAY_A_REQUEST = 1_000;

/** One letter more than a page has, to see whether more follow. */
export function lettersCall(hookId: string, { subject, from, to }: LetterFilter, after: string | undefined): ApiCall {
  const query = new URLSearchParams({ limit: String(LETTERS_A_PAGE + 1) });
  if (after !== undefined) query.set('after', after);
  if (subject.trim() !== '') query.set('subject', subject.trim());
  for (const [name, value] of Object.entries(spanOf({ from, to }))) query.set(name, String(value));
  return { method: 'GET', path: `${pathOfHook(hookId)}/dead_letters?${query}` };
}

export function letterCall(hookId: string, id: string): ApiCall {
  return { method: 'GET', path: `${pathOfHook(hookId)}/dead_letters/${encodeURIComponent(id)}` };
}

/** `ids`: undefined for every one of the time, parked ones too. */
export function replayCall(hookId: string, ids: readonly string[] | undefined, span: Pick<LetterFilter, 'from' | 'to'>): ApiCall {
  return { method: 'POST', path: `${pathOfHook(hookId)}/replay`, body: ids === undefined ? spanOf(span) : { ids } };
}

/** What a replay will do, in a sentence. */
export function replayQuestion(ids: readonly string[] | undefined, { from, to }: Pick<LetterFilter, 'from' | 'to'>): string {
  if (ids !== undefined) return ids.length === 1 ? 'This event is sent again.' : `These ${ids.length} events are sent again.`;
  const span = [from === '' ? '' : ` from ${from.replace('T', ' ')} UTC`, to === '' ? '' : ` to ${to.replace('T', ' ')} UTC`].join('');
  return `Every event${span === '' ? '' : ` of the time${span}`} that was given up or is parked is sent again, the oldest first.`;
}

/** How a replay began. */
export function replayResult({ replaying, remaining }: JsonRecord): string {
  const rest = Number(remaining) > 0 ? ` ${Number(remaining)} remain: replay again when these are through.` : '';
  return `${Number(replaying)} ${Number(replaying) === 1 ? 'event is' : 'events are'} being sent again.${rest}`;
}

function pathOfHook(hookId: string): string {
  return `/api/v2/hooks/${encodeURIComponent(hookId)}`;
}

/** `to` includes its whole minute. */
function spanOf({ from, to }: Pick<LetterFilter, 'from' | 'to'>): Readonly<Record<string, string>> {
  return {
    ...(from === '' ? undefined : { from: `${from}:00Z` }),
    ...(to === '' ? undefined : { to: `${to}:59.999999Z` }),
  };
}
