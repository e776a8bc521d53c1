/** What callers see of webhooks and their letters. Pure. */
import { RosterError } from '../../../protocol/base/errors.ts';
import type { DeadLetter, HookState, HookStatus, LetterRange } from '../../../protocol/hooks/dead-letters.ts';
import type { Hook } from '../../../protocol/hooks/hooks.ts';
import type { HookLine } from './delivery.ts';
import type { LineMeasure } from './health.ts';
import type { Letter } from './letter.ts';
import type { Letters } from './letters.ts';

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

export function toDeadLetter({ id, seq, epoch, type, lane, at, whenMs, attempts, reason }: Omit<Letter, 'place'>): DeadLetter {
  return { id, seq, epoch, type, subject: lane, at, failedAt: Math.round(whenMs * 1_000), attempts, reason };
}

export function noSuchWebhook(): RosterError {
  return new RosterError('not_found', 'there is no such webhook');
}

export function noSuchLetter(): RosterError {
  return new RosterError('input', 'after: there is no such dead letter', [{ path: 'after', message: 'there is no such dead letter' }]);
}

export function hookDisabled(): RosterError {
  return new RosterError('conflict', 'the hook is disabled; nothing is sent to it');
}
