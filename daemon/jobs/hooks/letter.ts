/** A letter: an event that was stored for a webhook, and its form in the file of the hook. Pure. */
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import type { LetterRow, LetterRowStatus } from '../../../store/letters.ts';

export type LetterState = LetterRow['state'];

/** The part of a letter that is in memory. The event itself is in the file. */
export interface Letter extends Omit<LetterRow, 'bytes'> {
  /** Place of the event in the file. */
  readonly place: { readonly offset: number; readonly bytes: number };
}

/** The status of a letter, written with every change. */
export type LetterStatus = Omit<LetterRowStatus, 'id'>;

/** One line of the file. */
export type LetterLine =
  | { readonly op: 'put'; readonly id: string; readonly epoch: string; readonly status: LetterStatus; readonly event: HookEvent }
  | { readonly op: 'move'; readonly id: string; readonly status: LetterStatus }
  | { readonly op: 'drop'; readonly ids: readonly string[] }
  /** Events lost without a letter: positions that the log no longer had, letters that could not be kept. */
  | { readonly op: 'lost'; readonly count: number };

/** With the line end. */
export function encodeLetterLine(line: LetterLine): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

/** Undefined for text that is no line of such a file. */
export function parseLetterLine(text: string): LetterLine | undefined {
  const line = parseObject(text);
  if (line === undefined) return undefined;
  const { op, id, epoch, status, event, ids, count } = line;
  const isNamed = typeof id === 'string';
  if (op === 'put' && isNamed && typeof epoch === 'string' && isStatus(status) && isEvent(event)) return { op, id, epoch, status, event };
  if (op === 'move' && isNamed && isStatus(status)) return { op, id, status };
  if (op === 'drop' && Array.isArray(ids) && ids.every((one) => typeof one === 'string')) return { op, ids };
  return op === 'lost' && typeof count === 'number' ? { op, count } : undefined;
}

function isStatus(value: unknown): value is LetterStatus {
  if (!isObject(value)) return false;
  const { state, attempts, retries, whenMs, reason, isReplay } = value;
  const isCounted = typeof attempts === 'number' && typeof retries === 'number' && typeof whenMs === 'number';
  return (state === 'parked' || state === 'dead') && isCounted && typeof reason === 'string' && typeof isReplay === 'boolean';
}

/** The fact was checked when it was decided. */
function isEvent(value: unknown): value is HookEvent {
  if (!isObject(value) || !isObject(value.fact)) return false;
  return typeof value.seq === 'number' && typeof value.at === 'number' && typeof value.type === 'string' && typeof value.lane === 'string';
}

/** The order in which events happened. Across epochs, only the time decides. */
export function compareLetters(a: Pick<Letter, 'epoch' | 'seq' | 'at'>, b: Pick<Letter, 'epoch' | 'seq' | 'at'>): number {
  return a.epoch === b.epoch ? a.seq - b.seq : a.at - b.at;
}
