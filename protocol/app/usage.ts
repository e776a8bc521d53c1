/** Reads queries about usage: of teams, and of the application. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { clip } from '../base/field-path.ts';
import { LIMITS } from '../base/limits.ts';
import { queryReader } from '../base/query-string.ts';
import { bodyObject, checked, presentFields, type QueryFields } from '../base/reading.ts';

/** Either a month, or a first and a last day; neither: this month. `limit` 0 is the default. */
export const TeamUsageBody = Type.Object({
  month: Type.Optional(Type.String({ description: 'YYYY-MM' })),
  start_date: Type.Optional(Type.String({ description: 'YYYY-MM-DD' })),
  end_date: Type.Optional(Type.String({ description: 'YYYY-MM-DD' })),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.usageTeams })),
  next: Type.Optional(Type.String({ description: 'what the page before named' })),
});

const teamUsageCheck = Compile(TeamUsageBody);

export interface TeamUsageQuestion {
  /** Every day of the period, in order, as `2026-11-21` (UTC). At least one. */
  readonly days: readonly string[];
  /** The period, when it is a whole month: `2026-11`. */
  readonly month?: string;
  /** The last team of the previous page. */
  readonly after?: string;
  /** Teams on the page. */
  readonly limit: number;
}

/** `POST /stats/team_usage`. `today` is `2026-11-21`. */
export function decodeTeamUsage(body: unknown, today: string): TeamUsageQuestion {
  const { month, start_date, end_date, limit = 0, next } = checked(teamUsageCheck, presentFields(bodyObject(body)));
  const problems: FieldError[] = [];
  const period = periodOf({ month, start_date, end_date }, today, problems);
  const after = next === undefined ? undefined : teamAfter(next, problems);
  if (problems.length > 0 || period === undefined) throw fieldErrors('input', problems);
  return { ...period, limit: limit === 0 ? LIMITS.usageTeams : limit, ...(after === undefined ? undefined : { after }) };
}

/** The cursor of the page after this team. */
export function nextOf(team: string): string {
  // JSON escapes the characters that a URI cannot contain: a team may be any text.
  return encodeURIComponent(JSON.stringify(team));
}

function teamAfter(next: string, problems: FieldError[]): string | undefined {
  try {
    const team: unknown = JSON.parse(decodeURIComponent(next));
    if (typeof team === 'string') return team;
  } catch {
    // Falls through to the one error for every text that `nextOf` did not make.
  }
  problems.push({ path: 'next', message: 'is not what a page named' });
  return undefined;
}

interface Asked {
  readonly month: string | undefined;
  readonly start_date: string | undefined;
  readonly end_date: string | undefined;
}

function periodOf(
  { month, start_date, end_date }: Asked,
  today: string,
  problems: FieldError[],
): Pick<TeamUsageQuestion, 'days' | 'month'> | undefined {
  if (month !== undefined && (start_date ?? end_date) !== undefined) {
    problems.push({ path: 'month', message: 'must not be given together with start_date or end_date' });
    return undefined;
  }
  if (start_date === undefined && end_date === undefined) {
    const asked = month ?? today.slice(0, 7);
    if (isMonth(asked)) return { days: daysBetween(`${asked}-01`, lastDayOf(asked)), month: asked };
    problems.push({ path: 'month', message: `must be a month as YYYY-MM, got "${clip(asked)}"` });
    return undefined;
  }
  if (start_date === undefined) problems.push({ path: 'start_date', message: 'is required where end_date is given' });
  const last = end_date ?? today;
  for (const [path, date] of Object.entries({ start_date, end_date })) {
    if (date !== undefined && !isDate(date)) problems.push({ path, message: `must be a day as YYYY-MM-DD, got "${clip(date)}"` });
  }
  if (start_date === undefined || problems.length > 0) return undefined;
  if (last < start_date) problems.push({ path: 'end_date', message: `must not be before start_date, got ${last}` });
  else if ((Date.parse(last) - Date.parse(start_date)) / DAY_MS >= LIMITS.usageRangeDays) {
    problems.push({ path: 'start_date', message: `must not be more than ${LIMITS.usageRangeDays} days before the end` });
  } else return { days: daysBetween(start_date, last) };
  return undefined;
}

export const UsageQuery = Type.Object({ month: Type.Optional(Type.String({ description: 'YYYY-MM; default: this month' })) });
const readUsage = queryReader(UsageQuery);

/** `GET /usage?month=`. The month of `today` by default. */
export function decodeUsage(query: QueryFields, today: string): { readonly month: string; readonly days: readonly string[] } {
  const { month = today.slice(0, 7) } = readUsage(query);
  if (isMonth(month)) return { month, days: daysBetween(`${month}-01`, lastDayOf(month)) };
  throw fieldErrors('input', [{ path: 'month', message: `must be a month as YYYY-MM, got "${clip(month)}"` }]);
}

const DAY_MS = 86_400_000;

function isMonth(text: string): boolean {
  return /^\d{4}-(0[1-9]|1[0-2])$/.test(text);
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  // Some engines read 30 February as 2 March.
  return !Number.isNaN(ms) && dateOf(ms) === text;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function lastDayOf(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const first = new Date(0);
  // Unlike Date.UTC, this accepts years before 100 as they are. Day 0 is the last day of the previous month.
  first.setUTCFullYear(year, number, 0);
  return dateOf(first.getTime());
}

function daysBetween(first: string, last: string): string[] {
  const days: string[] = [];
  for (let ms = Date.parse(`${first}T00:00:00Z`); ms <= Date.parse(`${last}T00:00:00Z`); ms += DAY_MS) days.push(dateOf(ms));
  return days;
}
