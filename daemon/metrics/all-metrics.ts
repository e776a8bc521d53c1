/** The table of metrics: what a scrape shows, the documentation and the tests all come from it. */
import { DIRECTORY_METRICS, type DirectorySources } from './directory-metrics.ts';
import { HOOK_METRICS, type HookSources } from './hook-metrics.ts';
import { LIVE_METRICS, type LiveSources } from './live-metrics.ts';
import { METRIC_PREFIX, type MetricSpec } from './metric-spec.ts';
import { REQUEST_METRICS, type RequestSources } from './request-metrics.ts';
import { STORAGE_METRICS, type StorageSources } from './storage-metrics.ts';

/** Where the values are: plain numbers that the parts of the daemon keep. */
export interface MetricSources extends LiveSources, RequestSources, DirectorySources, StorageSources, HookSources {
  readonly roster: LiveSources['roster'] & DirectorySources['roster'] & StorageSources['roster'];
}

export const ALL_METRICS: readonly MetricSpec<MetricSources>[] = [
  ...LIVE_METRICS,
  ...REQUEST_METRICS,
  ...DIRECTORY_METRICS,
  ...STORAGE_METRICS,
  ...HOOK_METRICS,
];

/** The table in daemon/metrics/README.md. */
export function renderMetricsMarkdown(): string {
  const rows = ALL_METRICS.map(({ name, type, labels, help }) => {
    const shown = labels.length === 0 ? '' : `{${labels.join(',')}}`;
    return `| \`${METRIC_PREFIX}${name}${shown}\` | ${type} | ${help} |`;
  });
  return ['| Metric | Type | What it says |', '|---|---|---|', ...rows].join('\n');
}
