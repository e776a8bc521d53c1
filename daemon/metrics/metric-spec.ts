/** What a metric is: a row of the table of metrics, and where its values are. */
import type { Durations } from '../base/durations.ts';

export type MetricLabels = Readonly<Record<string, string>>;

/** One value, or one for each set of labels. Undefined: there is none at the moment. */
export type MetricNumbers = number | undefined | Iterable<readonly [MetricLabels, number]>;
export type MetricTimes = Durations | Iterable<readonly [MetricLabels, Durations]>;

interface MetricName {
  /** Without the prefix. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export interface NumberMetric<S> extends MetricName {
  readonly type: 'gauge' | 'counter';
  /** Read at each scrape. */
  readonly read: (sources: S) => MetricNumbers | Promise<MetricNumbers>;
}

export interface TimeMetric<S> extends MetricName {
  readonly type: 'histogram';
  readonly read: (sources: S) => MetricTimes;
}

export type MetricSpec<S> = NumberMetric<S> | TimeMetric<S>;

export const METRIC_PREFIX = 'rosterd_';

/** Makes a row. `labels`: names, separated by spaces. */
export function gauge<S>(name: string, labels: string, help: string, read: NumberMetric<S>['read']): NumberMetric<S> {
  return { name, type: 'gauge', labels: namesIn(labels), help, read };
}

/** Likewise. The value only grows while the process runs. */
export function counter<S>(name: string, labels: string, help: string, read: NumberMetric<S>['read']): NumberMetric<S> {
  return { name, type: 'counter', labels: namesIn(labels), help, read };
}

/** Likewise. */
export function times<S>(name: string, labels: string, help: string, read: TimeMetric<S>['read']): TimeMetric<S> {
  return { name, type: 'histogram', labels: namesIn(labels), help, read };
}

/** Values by one label. */
export function* by<V>(label: string, values: Iterable<readonly [string, V]>): Iterable<readonly [MetricLabels, V]> {
  for (const [name, value] of values) yield [{ [label]: name }, value];
}

function namesIn(labels: string): readonly string[] {
  return labels.split(' ').filter((name) => name !== '');
}
