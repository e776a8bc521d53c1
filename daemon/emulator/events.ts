/**
 * All events of an application with their positions, as a subscriber to everything receives them.
 *
 * It keeps EM13 and EM14 (README.md).
 */
import { fieldErrors, RosterError } from '../../protocol/base/errors.ts';
import { positionOf, positionText } from '../../protocol/base/position-text.ts';
import type { Roster } from '../pipeline/roster.ts';
import { until } from './until.ts';

export const EVENTS_PAGE_MAX = 1_000;

export interface EventsQuestion {
  /** A seq, or a position `epoch:seq`. Undefined: the oldest that is kept. */
  readonly after: string | undefined;
  readonly limit: number;
  /** How long to wait for the first event. */
  readonly waitMs: number;
}

export interface EventsPage {
  readonly events: readonly unknown[];
  /** Everything up to here was looked at: the next `after`. */
  readonly position: string;
  /** The newest position. */
  readonly head: number;
  /** Events after this position are still there. */
  readonly kept_after: number;
}

/** Rejects with RosterError. `over`: nobody waits for the answer any more, or nothing will come. */
export async function eventsPage(roster: Roster, { after, limit, waitMs }: EventsQuestion, over: AbortSignal): Promise<EventsPage> {
  const from = startOf(roster, after);
  await until(
    () => roster.position.seq > from,
    (listener, signal) => roster.onApplied(listener, signal),
    waitMs,
    over,
  );
  const { epoch, seq: head } = roster.position;
  const events: unknown[] = [];
  let at = from;
  while (at < head && events.length < limit) {
    at++;
    const event = await roster.past.eventAt(at);
    if (event !== undefined) events.push(JSON.parse(event.text('live', '', true)));
  }
  return { events, position: positionText({ epoch, seq: at }), head, kept_after: keptAfter(roster) };
}

function keptAfter(roster: Roster): number {
  return Math.min(roster.keptAfter, roster.remembersAfter);
}

function startOf(roster: Roster, after: string | undefined): number {
  const kept = keptAfter(roster);
  if (after === undefined) return kept;
  const { epoch, seq: head } = roster.position;
  const position = /^\d{1,16}$/.test(after) ? { epoch, seq: Number(after) } : positionOf(after);
  if (position === undefined)
    throw fieldErrors('input', [{ path: 'after', message: 'must be a seq such as 12, or the "position" of an earlier answer' }]);
  if (position.epoch !== epoch)
    throw new RosterError(
      'conflict',
      `after: the history of "${position.epoch}" is lost, as after a reset; begin without "after", or with ${epoch}:${kept}`,
    );
  if (position.seq > head) throw fieldErrors('input', [{ path: 'after', message: `must not be beyond the newest position, ${head}` }]);
  if (position.seq < kept)
    throw new RosterError('conflict', `after: events up to ${kept} are no longer kept; begin without "after", or with ${epoch}:${kept}`);
  return position.seq;
}
