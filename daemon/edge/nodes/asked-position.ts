/**
 * Requests that name a position in `X-Rosterd-Position`, and connections that resume: they are admitted, and answered, by what this node
 * knows once it has come there.
 *
 * It keeps ND1 and ND2 (daemon/RULES.md).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { positionOf } from '../../../protocol/base/position-text.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { Arrival, Arrivals } from '../../pipeline/write/arrivals.ts';
import type { Reading } from '../http/backend.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { header } from '../http/request-parts.ts';

const PATH = 'x-rosterd-position';
/** Refusals that what this node does not know yet may turn into an admission. */
const MAY_CHANGE: ReadonlySet<string> = new Set(['not_allowed', 'not_found', 'token_expired']);

/** Where there is no token, nothing is waited for. */
export function mayAskPosition({ access }: Pick<Endpoint, 'access'>): boolean {
  return access !== 'open' && access !== 'signed';
}

/** Throws RosterError `input` for a text in another form. */
export function askedPosition(endpoint: Pick<Endpoint, 'access'>, headers: IncomingHttpHeaders): Position | undefined {
  if (!mayAskPosition(endpoint)) return undefined;
  const text = header(headers[PATH]);
  if (text === undefined) return undefined;
  const position = positionOf(text);
  if (position === undefined) throw refused('must be <epoch>:<seq>, as an answer gave it');
  return position;
}

/** The caller, and what is known of the position that it named. */
export interface Admitted {
  readonly caller: Caller;
  readonly arrival: Arrival;
}

/**
 * Admits and counts the caller, once this node has come to the position or knows that there is no such position. Nobody waits without a
 * token that is good by itself. Rejects with RosterError: that of `admit` or `count`, or `unavailable` when it takes too long.
 */
export async function admittedAt(
  position: Position | undefined,
  arrivals: Pick<Arrivals, 'has' | 'until'>,
  admit: () => Caller,
  count: (caller: Caller) => Promise<void>,
): Promise<Admitted> {
  if (position === undefined || arrivals.has(position)) {
    const caller = admit();
    await count(caller);
    return { caller, arrival: 'applied' };
  }
  const before = admittedSoFar(admit);
  if (before !== undefined) await count(before);
  const arrival = await arrivals.until(position);
  const caller = admit();
  if (before === undefined) await count(caller);
  return { caller, arrival };
}

/** As `admittedAt`, for a request. An unknown position is refused, too: RosterError `input`. */
export async function admittedRequest(
  position: Position | undefined,
  backend: Pick<Reading, 'arrivals' | 'position'>,
  admit: () => Caller,
  count: (caller: Caller) => Promise<void>,
): Promise<Caller> {
  const { caller, arrival } = await admittedAt(position, backend.arrivals, admit, count);
  if (position !== undefined && arrival === 'unknown') throw refused(whyUnknown(position, backend.position));
  return caller;
}

function admittedSoFar(admit: () => Caller): Caller | undefined {
  try {
    return admit();
  } catch (error) {
    if (error instanceof RosterError && MAY_CHANGE.has(error.kind)) return undefined;
    throw error;
  }
}

function whyUnknown(asked: Position, { epoch }: Position): string {
  if (asked.epoch === epoch) return 'is beyond the end of the log: no answer gave it';
  return `is of another history than the one that is served now, ${epoch}: read again what was read before`;
}

function refused(message: string): RosterError {
  return fieldErrors('input', [{ path: PATH, message }]);
}
