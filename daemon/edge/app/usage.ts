/** Endpoints that report how much the application is used. */
import Type, { type TSchema } from 'typebox';
import { decodeTeamUsage, decodeUsage, nextOf, TeamUsageBody, UsageQuery } from '../../../protocol/app/usage.ts';
import type { TeamUsage } from '../../core/app/usage.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import type { Services } from '../http/services.ts';

const Metric = Type.Object({
  total: Type.Integer(),
  daily: Type.Optional(Type.Array(Type.Object({ date: Type.String(), value: Type.Integer() }))),
});

/** Every metric of a team in the published API, in its order. */
const METRICS = [
  'users_daily',
  'messages_daily',
  'translations_daily',
  'image_moderations_daily',
  'concurrent_users',
  'concurrent_connections',
  'users_total',
  'users_last_24_hours',
  'users_last_30_days',
  'users_month_to_date',
  'users_engaged_last_30_days',
  'users_engaged_month_to_date',
  'messages_total',
  'messages_last_24_hours',
  'messages_last_30_days',
  'messages_month_to_date',
] as const;
type MetricName = (typeof METRICS)[number];

const Team: TSchema = Type.Object({ team: Type.String(), ...Object.fromEntries(METRICS.map((name) => [name, Metric])) });

export const USAGE_ROUTES: readonly Endpoint[] = [
  ...inBothDialects({ v1: '/stats/team_usage', v2: '/chat/stats/team_usage' }, () => ({
    operation: 'QueryTeamUsageStats',
    method: 'POST',
    access: 'server',
    summary: 'Usage of each team in a month or between two days',
    body: TeamUsageBody,
    answer: Type.Object({ teams: Type.Array(Team), next: Type.Optional(Type.String()) }),
    handle: async ({ backend, body, services }) => {
      const question = decodeTeamUsage(await body(), todayOf(services));
      const { teams, hasMore } = await backend.teamUsage(question);
      const last = teams.at(-1);
      return {
        body: {
          teams: teams.map((usage) => renderTeam(usage, question.month === undefined)),
          ...(hasMore && last !== undefined ? { next: nextOf(last.team) } : undefined),
        },
      };
    },
  })),
  ...inBothDialects('/usage', () => ({
    operation: 'GetUsage',
    method: 'GET',
    access: 'server',
    summary: 'Active users of a month and of its days; guests are counted, anonymous users are not',
    query: UsageQuery,
    answer: Type.Object({
      month: Type.String(),
      monthly_active_users: Type.Integer(),
      guests: Type.Integer(),
      daily: Type.Array(Type.Object({ date: Type.String(), users: Type.Integer(), guests: Type.Integer() })),
    }),
    handle: ({ backend, query, services }) => {
      const { month, days } = decodeUsage(query, todayOf(services));
      const { usage } = backend.directory;
      const { users, guests } = usage.get(month);
      const daily = days.map((date) => ({ date, ...usage.get(date) })).filter((day) => day.users > 0);
      return { body: { month, monthly_active_users: users, guests, daily } };
    },
  })),
];

function todayOf(services: Services): string {
  return new Date(services.nowMs()).toISOString().slice(0, 10);
}

/** Lists single days when days were requested. Metrics of things that rosterd does not manage (messages, translations, images) are zero. */
function renderTeam({ team, daily, ...seen }: TeamUsage, isByDay: boolean): Record<string, unknown> {
  const known = new Map<MetricName, number>([
    ['concurrent_users', seen.online],
    ['concurrent_connections', seen.online],
    ['users_total', seen.total],
    ['users_last_24_hours', seen.last24Hours],
    ['users_last_30_days', seen.last30Days],
    ['users_month_to_date', seen.monthToDate],
  ]);
  const metric = (name: MetricName): object => {
    if (!name.endsWith('_daily')) return { total: known.get(name) ?? 0 };
    const values = daily.map(({ date, value }) => ({ date, value: name === 'users_daily' ? value : 0 }));
    return { total: values.reduce((sum, { value }) => sum + value, 0), ...(isByDay ? { daily: values } : undefined) };
  };
  return { team, ...Object.fromEntries(METRICS.map((name) => [name, metric(name)])) };
}
