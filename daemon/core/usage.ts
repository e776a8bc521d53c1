/**
 * Who was active, counted by day and month as users come: derived from
 * `last_active` while entries are applied, kept in snapshots. Anonymous users have no record and are not counted. Pure.
 */
import type { StoredUser } from '../../protocol/user.ts';

/** Active users of one period. `period` is `2026-11` or `2026-11-21` (UTC). */
export interface UsagePeriod {
  readonly period: string;
  readonly users: number;
  readonly guests: number;
  readonly teams: Readonly<Record<string, number>>;
}

export class Usage {
  readonly #periods = new Map<string, UsagePeriod>();

  get(period: string): UsagePeriod | undefined {
    return this.#periods.get(period);
  }

  /** `before` and `after` are the living user, undefined when there is none. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (after?.last_active === undefined || before?.last_active === after.last_active) return;
    const now = dayOf(after.last_active);
    const then = before?.last_active === undefined ? '' : dayOf(before.last_active);
    if (now !== then) this.#count(now, after);
    if (now.slice(0, 7) !== then.slice(0, 7)) this.#count(now.slice(0, 7), after);
  }

  #count(period: string, { role, teams }: StoredUser): void {
    const held = this.#periods.get(period) ?? { period, users: 0, guests: 0, teams: {} };
    const counts = new Map(Object.entries(held.teams));
    for (const team of teams) counts.set(team, (counts.get(team) ?? 0) + 1);
    const guests = held.guests + (role === 'guest' ? 1 : 0);
    this.#periods.set(period, { period, users: held.users + 1, guests, teams: Object.fromEntries(counts) });
  }

  load(period: UsagePeriod): void {
    this.#periods.set(period.period, period);
  }

  *lines(): Iterable<UsagePeriod> {
    yield* this.#periods.values();
  }
}

function dayOf(micros: number): string {
  return new Date(Math.floor(micros / 1000)).toISOString().slice(0, 10);
}
