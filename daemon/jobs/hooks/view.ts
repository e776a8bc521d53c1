/** What callers see of webhooks and their letters. Pure. */
import { RosterError } from '../../../protocol/base/errors.ts';
import type { DeadLetter, HookState, HookStatus, LetterPage, LetterRange, ReplayRequest } from '../../../protocol/hooks/dead-letters.ts';
import type { Hook } from '../../../protocol/hooks/hooks.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import type { HookLine } from './delivery.ts';
import type { LineMeasure } from './health.ts';
import { compareLetters, type Letter } from './letter.ts';
import type { Letters } from './letters.ts';

/** A dead letter with its event. */
export interface OpenLetter {
  readonly letter: DeadLetter;
  readonly event: HookEvent;
}

/** The delivery to one webhook. */
export type LineState = Pick<HookLine, 'position' | 'isDown' | 'lastError' | 'lastSuccessMs'>;

interface PortState {
  readonly letters: Pick<Letters, 'parked' | 'dead' | 'lost'>;
  /** Undefined when no events are collected for it. */
  readonly line: LineState | undefined;
}

/** `head`: position of the directory. `port`: absent for a hook that is no webhook. */
export function statusOf(hook: Hook, port: PortState | undefined, head: number): HookStatus {
  const { letters, line } = port ?? {};
  const lastError = line?.lastError;
  return {
    id: hook.id,
    kind: hook.kind,
    isEnabled: hook.isEnabled,
    state: stateOf(hook, line),
    position: line?.position,
    lag: line === undefined ? undefined : Math.max(0, head - line.position),
    parked: letters?.parked ?? 0,
    dead: letters?.dead ?? 0,
    lost: letters?.lost ?? 0,
    lastError: lastError === undefined ? undefined : { reason: lastError.reason, at: Math.round(lastError.atMs * 1_000) },
    lastSuccessAt: line?.lastSuccessMs === undefined ? undefined : Math.round(line.lastSuccessMs * 1_000),
  };
}

/** One webhook, as it is delivered to here, in numbers. */
export interface HookMeasure extends LineMeasure {
  readonly hook: string;
  readonly dead: number;
}

export function measureOf(
  hook: string,
  { letters, line }: { readonly letters: Pick<Letters, 'dead'>; readonly line: Pick<HookLine, 'measure'> | undefined },
): HookMeasure {
  return { hook, dead: letters.dead, ...(line?.measure ?? { results: { delivered: 0, failed: 0 }, oldestAt: undefined }) };
}

function stateOf(hook: Hook, line: LineState | undefined): HookState {
  if (hook.kind !== 'webhook') return 'not delivered';
  if (line === undefined) return 'disabled';
  return line.isDown ? 'down' : 'ok';
}

export function isWithin({ at }: Letter, { from = 0, to = Number.POSITIVE_INFINITY }: LetterRange): boolean {
  return at >= from && at <= to;
}

/** The letters that a replay asks for, the oldest event first. */
export function askedFor(letters: readonly Letter[], { ids, ...range }: ReplayRequest): readonly Letter[] {
  const wanted = ids === undefined ? undefined : new Set(ids);
  const asked = letters.filter((letter) => isWithin(letter, range) && (wanted === undefined || wanted.has(letter.id)));
  return asked.sort(compareLetters);
}

/** `dead`: in the order in which the events happened. Throws RosterError `input` for an `after` that is none of them. */
export function pageOfDead(dead: readonly Letter[], { limit, after, subject, ...range }: LetterPage): readonly DeadLetter[] {
  const asked = dead.filter((letter) => isWithin(letter, range) && (subject === undefined || letter.lane === subject));
  const start = asked.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw noSuchLetter();
  return asked.slice(start, start + limit).map(toDeadLetter);
}

/** Throws RosterError `not_found` for a letter that is not dead, or not there. */
export function deadOnly(letter: Letter | undefined): DeadLetter {
  if (letter?.state !== 'dead') throw letterGone();
  return toDeadLetter(letter);
}

export function toDeadLetter({ id, seq, epoch, type, lane, at, whenMs, attempts, reason }: Omit<Letter, 'place'>): DeadLetter {
  return { id, seq, epoch, type, subject: lane, at, failedAt: Math.round(whenMs * 1_000), attempts, reason };
}

export function noSuchWebhook(): RosterError {
  return new RosterError('not_found', 'there is no such webhook');
}

export function noSuchLetter(): RosterError {
  return new RosterError('input', 'after: there is no such dead letter', [{ path: 'after', message: 'there is no such dead letter' }]);
}

export function letterGone(): RosterError {
  return new RosterError('not_found', 'there is no such dead letter: it was delivered, or is no longer kept');
}

export function hookDisabled(): RosterError {
  return new RosterError('conflict', 'the hook is disabled; nothing is sent to it');
}
