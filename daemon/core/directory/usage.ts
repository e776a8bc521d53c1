/**
 * Active users, counted by day and month (UTC) as entries are applied: derived from `last_active`, kept in snapshots.
 * Guests are counted among the users and also separately. Anonymous callers have no record and do not count. Pure and
 * deterministic: the same entries give the same counts, also when a snapshot replaces the first of them.
 *
 * A user counts once in a period, with the role and the teams of its first activity in it.
 */
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const DAY: Micros = 86_400_000_000;
/** Maximum number of teams in one line of a snapshot, so that no line grows with the application. */
const TEAMS_PER_LINE = 1_000;

/**
 * Active users of one period, or a part of them. `period` is `2026-11` or `2026-11-21` (UTC). A period with many teams
 * has several lines, and their counts add up.
 */
export interface UsagePeriod {
  readonly period: string;
  readonly users: number;
  readonly guests: number;
  readonly teams: Readonly<Record<string, number>>;
}

/** The counts by team: a map while counting, or the lines of a snapshot. Most periods are over and never change again. */
type Teams =
  | { readonly kind: 'counting'; readonly counts: Map<string, number> }
  | { readonly kind: 'written'; readonly lines: readonly UsagePeriod[] };

class Period {
  readonly #name: string;
  #users = 0;
  #guests = 0;
  #teams: Teams = { kind: 'counting', counts: new Map() };

  constructor(name: string) {
    this.#name = name;
  }

  get totals(): { readonly users: number; readonly guests: number } {
    return { users: this.#users, guests: this.#guests };
  }

  count({ role, teams }: StoredUser): void {
    this.#users++;
    if (role === 'guest') this.#guests++;
    const counts = this.#counting();
    for (const team of new Set(teams)) counts.set(team, (counts.get(team) ?? 0) + 1);
  }

  ofTeam(team: string): number {
    if (this.#teams.kind === 'counting') return this.#teams.counts.get(team) ?? 0;
    for (const { teams } of this.#teams.lines) if (Object.hasOwn(teams, team)) return teams[team] ?? 0;
    return 0;
  }

  get teams(): Iterable<string> {
    return this.#teams.kind === 'counting' ? this.#teams.counts.keys() : this.#teams.lines.flatMap(({ teams }) => Object.keys(teams));
  }

  /** Adds a line of a snapshot. */
  add(line: UsagePeriod): void {
    this.#users += line.users;
    this.#guests += line.guests;
    if (this.#teams.kind === 'written') this.#teams = { kind: 'written', lines: [...this.#teams.lines, line] };
    else if (this.#teams.counts.size === 0) this.#teams = { kind: 'written', lines: [line] };
    else for (const [team, active] of Object.entries(line.teams)) this.#counting().set(team, active);
  }

  /** The lines of the period for a snapshot. Sorted, so that equal counts give equal lines. */
  get lines(): readonly UsagePeriod[] {
    if (this.#teams.kind === 'written') return this.#teams.lines;
    const teams = [...this.#teams.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    const lines: UsagePeriod[] = [];
    for (let from = 0; from === 0 || from < teams.length; from += TEAMS_PER_LINE) {
      const part = Object.fromEntries(teams.slice(from, from + TEAMS_PER_LINE));
      lines.push({ period: this.#name, ...(from === 0 ? this.totals : { users: 0, guests: 0 }), teams: part });
    }
    this.#teams = { kind: 'written', lines };
    return lines;
  }

  #counting(): Map<string, number> {
    if (this.#teams.kind === 'counting') return this.#teams.counts;
    const counts = new Map(this.#teams.lines.flatMap(({ teams }) => Object.entries(teams)));
    this.#teams = { kind: 'counting', counts };
    return counts;
  }
}

export class Usage {
  readonly #days = new Map<string, Period>();
  readonly #months = new Map<string, Period>();

  /** Active users of a day or a month, and how many of them were guests. */
  get(period: string): { readonly users: number; readonly guests: number } {
    return this.#period(period)?.totals ?? { users: 0, guests: 0 };
  }

  /** Active users of a team in a day or a month. */
  ofTeam(period: string, team: string): number {
    return this.#period(period)?.ofTeam(team) ?? 0;
  }

  /** Teams that had active users in a day or a month. */
  teams(period: string): Iterable<string> {
    return this.#period(period)?.teams ?? [];
  }

  #period(name: string): Period | undefined {
    return (isMonth(name) ? this.#months : this.#days).get(name);
  }

  /**
   * `before` and `after` are the records before and after a fact. `before` includes a deleted user that still has a record:
   * it was counted when it was active, and is not counted again when it is restored.
   */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    const at = after?.last_active;
    if (after === undefined || at === undefined || before?.last_active === at) return;
    const last = before?.last_active;
    // Only the first activity of a day can be the first of a period.
    if (last !== undefined && Math.floor(last / DAY) >= Math.floor(at / DAY)) return;
    const day = dayOf(at);
    this.#open(day).count(after);
    if (last === undefined || monthOf(dayOf(last)) !== monthOf(day)) this.#open(monthOf(day)).count(after);
  }

  load(line: UsagePeriod): void {
    this.#open(line.period).add(line);
  }

  /** All lines for a snapshot. They stay unchanged while counting continues. */
  *lines(): Iterable<UsagePeriod> {
    for (const periods of [this.#months, this.#days]) {
      for (const [, period] of [...periods].sort(([a], [b]) => (a < b ? -1 : 1))) yield* period.lines;
    }
  }

  /** The counts of a period; a new period drops the oldest when there are too many. */
  #open(name: string): Period {
    const [periods, kept] = isMonth(name) ? [this.#months, LIMITS.usageMonthsKept] : [this.#days, LIMITS.usageDaysKept];
    const known = periods.get(name);
    if (known !== undefined) return known;
    const period = new Period(name);
    periods.set(name, period);
    if (periods.size > kept) periods.delete([...periods.keys()].reduce((oldest, other) => (other < oldest ? other : oldest)));
    return period;
  }
}

function isMonth(period: string): boolean {
  return period.length === 'YYYY-MM'.length;
}

/** `2026-11-21`: the day in UTC. */
export function dayOf(at: Micros): string {
  return new Date(Math.floor(at / 1000)).toISOString().slice(0, 10);
}

/** `2026-11`: the month of a day. */
export function monthOf(day: string): string {
  return day.slice(0, 7);
}

/** Whether activity at `now` is to be recorded: on a new day (UTC), long enough after the last one, or when the clock was set back since. */
export function isActivityDue(last: Micros, now: Micros): boolean {
  return Math.abs(now - last) >= LIMITS.activityStepMs * 1_000 || Math.floor(now / DAY) > Math.floor(last / DAY);
}
