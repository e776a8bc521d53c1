/** Webhooks, by the id that the operator gave them. Where nodes share a database, the node that delivers has these. */
import type { RunningWebhooks } from '../jobs/hooks/start.ts';
import { by, counter, gauge, type MetricLabels, type MetricSpec, times } from './metric-spec.ts';

export interface HookSources {
  readonly hooks: Pick<RunningWebhooks, 'measures' | 'durations'>;
  /** The clock of events, milliseconds. */
  readonly nowMs: () => number;
}

export const HOOK_METRICS: readonly MetricSpec<HookSources>[] = [
  counter(
    'webhook_deliveries_total',
    'hook result',
    'Attempts to deliver an event: delivered, or failed and tried again later.',
    ({ hooks }) => resultsOf(hooks),
  ),
  times(
    'webhook_delivery_duration_seconds',
    '',
    'Time of a request to a webhook, until its answer or until it was given up.',
    ({ hooks }) => hooks.durations,
  ),
  gauge('webhook_lag_seconds', 'hook', 'Age of the oldest event that waits for its delivery, parked ones included.', ({ hooks, nowMs }) =>
    by(
      'hook',
      hooks.measures().map(({ hook, oldestAt }) => [hook, oldestAt === undefined ? 0 : Math.max(0, nowMs() / 1_000 - oldestAt / 1e6)]),
    ),
  ),
  gauge('webhook_dead_letters', 'hook', 'Events that were given up and can be replayed.', ({ hooks }) =>
    by(
      'hook',
      hooks.measures().map(({ hook, dead }) => [hook, dead]),
    ),
  ),
];

function* resultsOf(hooks: HookSources['hooks']): Iterable<readonly [MetricLabels, number]> {
  for (const { hook, results } of hooks.measures()) for (const [result, count] of Object.entries(results)) yield [{ hook, result }, count];
}
