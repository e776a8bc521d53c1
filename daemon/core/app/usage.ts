/**
 * The usage of teams: the counts by day and month, and for the current period, numbers from a walk over the users of each
 * team. Runs in steps, so that a team of a million users does not hold up others. Pure.
 */

import type { TeamUsageQuestion } from '../../../protocol/app/usage.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Directory } from '../directory/directory.ts';
import { dayOf, monthOf } from '../directory/usage.ts';

const DAY: Micros = 86_400_000_000;
/** Users or names visited between two yields. */
const STEP = 256;

/** Numbers of users. Those about the present are zero when the period is over. */
export interface TeamUsage {
  readonly team: string;
  /** Active users of each day of the period. */
  readonly daily: readonly { readonly date: string; readonly value: number }[];
  /** Users in the team now. */
  readonly total: number;
  readonly last24Hours: number;
  readonly last30Days: number;
  /** Active users of the month in which the period ends. */
  readonly monthToDate: number;
  /** Users that others see online now. */
  readonly online: number;
}

export interface TeamUsagePage {
  readonly teams: readonly TeamUsage[];
  readonly hasMore: boolean;
}

type TeamReader = Pick<Directory, 'usage' | 'lookup' | 'bytes' | 'app'>;

/**
 * Teams in order of their names: those that had active users in the period, and when it includes today also those that have
 * users. A team counts its present users; one that left still counts in past days and months.
 */
export function* teamUsage(
  directory: TeamReader,
  { days, month, after, limit }: TeamUsageQuestion,
  now: Micros,
  online: (id: string) => boolean,
): Generator<undefined, TeamUsagePage> {
  // Without multi-tenancy, teams are only labels and have no usage.
  if (directory.app.multi_tenant_enabled !== true) return { teams: [], hasMore: false };
  const isCurrent = days.includes(dayOf(now));
  const names = new FirstNames(after, limit + 1);
  for (const period of month === undefined ? days : [month, ...days])
    yield* inSteps(directory.usage.teams(period), (team) => names.add(team));
  if (isCurrent) yield* inSteps(directory.lookup.teams.keys(), (team) => names.add(team));

  const teams: TeamUsage[] = [];
  for (const team of names.list.slice(0, limit)) {
    const daily = days.map((date) => ({ date, value: directory.usage.ofTeam(date, team) }));
    const seen = isCurrent ? yield* look(directory, team, now, online) : NOTHING;
    const ending = month ?? monthOf(days.at(-1) ?? dayOf(now));
    const monthToDate = isCurrent ? seen.thisMonth : directory.usage.ofTeam(ending, team);
    const { total, last24Hours, last30Days, online: here } = seen;
    teams.push({ team, daily, total, last24Hours, last30Days, monthToDate, online: here });
  }
  return { teams, hasMore: names.list.length > limit };
}

interface Seen {
  total: number;
  last24Hours: number;
  last30Days: number;
  thisMonth: number;
  online: number;
}

const NOTHING: Readonly<Seen> = { total: 0, last24Hours: 0, last30Days: 0, thisMonth: 0, online: 0 };

function* look(directory: TeamReader, team: string, now: Micros, online: (id: string) => boolean): Generator<undefined, Seen> {
  const seen = { ...NOTHING };
  const month = monthOf(dayOf(now));
  const monthStart = Date.parse(`${month}-01T00:00:00Z`) * 1000;
  yield* inSteps(directory.bytes.viewsOf(directory.lookup.teams.rows(team)), ({ id, last_active: at }) => {
    seen.total++;
    if (online(id)) seen.online++;
    if (at === undefined) return;
    if (at > now - DAY) seen.last24Hours++;
    if (at > now - 30 * DAY) seen.last30Days++;
    if (at >= monthStart) seen.thisMonth++;
  });
  return seen;
}

function* inSteps<T>(items: Iterable<T>, act: (item: T) => void): Generator<undefined, void> {
  let count = 0;
  for (const item of items) {
    act(item);
    if (++count % STEP === 0) yield;
  }
}

/** The first names after a given one, each once, in order. */
class FirstNames {
  readonly list: string[] = [];
  readonly #after: string | undefined;
  readonly #max: number;

  constructor(after: string | undefined, max: number) {
    this.#after = after;
    this.#max = max;
  }

  add(name: string): void {
    if (this.#after !== undefined && name <= this.#after) return;
    const last = this.list.at(-1);
    if (this.list.length === this.#max && last !== undefined && name >= last) return;
    const at = this.list.findIndex((other) => other >= name);
    if (at !== -1 && this.list[at] === name) return;
    this.list.splice(at === -1 ? this.list.length : at, 0, name);
    if (this.list.length > this.#max) this.list.pop();
  }
}
