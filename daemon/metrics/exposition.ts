/**
 * The metrics as Prometheus reads them. Nothing is counted here: each scrape reads the numbers of the parts into prom-client.
 *
 * It keeps MX3 and MX5 (daemon/RULES.md).
 */
import { Counter, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import { DURATION_BOUNDS_S, type Durations } from '../base/durations.ts';
import type { EdgeLogger } from '../base/logger.ts';
import { ALL_METRICS, type MetricSources } from './all-metrics.ts';
import {
  METRIC_PREFIX,
  type MetricLabels,
  type MetricNumbers,
  type MetricSpec,
  type NumberMetric,
  type TimeMetric,
} from './metric-spec.ts';
import { processMetrics } from './process-metrics.ts';

export interface ExpositionOptions {
  readonly sources: MetricSources;
  readonly logger: Pick<EdgeLogger, 'error'>;
  /** Default: the table. */
  readonly specs?: readonly MetricSpec<MetricSources>[];
}

export class Exposition {
  readonly #registry = new Registry();
  readonly #options: ExpositionOptions;
  #scrape: Promise<string> | undefined;

  constructor(options: ExpositionOptions) {
    this.#options = options;
    for (const spec of options.specs ?? ALL_METRICS) {
      if (spec.type === 'histogram') this.#addTimes(spec);
      else this.#addNumbers(spec);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of a scrape. Those that ask while one is in progress share it. */
  text(): Promise<string> {
    this.#scrape ??= this.#read().finally(() => {
      this.#scrape = undefined;
    });
    return this.#scrape;
  }

  async #read(): Promise<string> {
    const [own, ofProcess] = await Promise.all([this.#registry.metrics(), processMetrics().metrics()]);
    return `${own}\n${ofProcess}`;
  }

  #addNumbers(spec: NumberMetric<MetricSources>): void {
    const read = () => this.#numbersOf(spec);
    const { help, labels } = spec;
    const common = { name: METRIC_PREFIX + spec.name, help, labelNames: labels, registers: [this.#registry] };
    if (spec.type === 'gauge') {
      new Gauge({
        ...common,
        async collect() {
          await fill(this, read, (at, value) => this.set(at, value));
        },
      });
    } else {
      new Counter({
        ...common,
        async collect() {
          await fill(this, read, (at, value) => this.inc(at, value));
        },
      });
    }
  }

  #addTimes(spec: TimeMetric<MetricSources>): void {
    const { help, labels } = spec;
    const { sources } = this.#options;
    const config = { name: METRIC_PREFIX + spec.name, help, labelNames: labels, registers: [this.#registry] };
    new ReadHistogram(config, () => {
      const read = spec.read(sources);
      return Symbol.iterator in read ? read : [[{}, read]];
    });
  }

  /** A part that cannot be asked, as while the daemon stops, costs its own metric and no other. */
  async #numbersOf({ name, read }: NumberMetric<MetricSources>): Promise<MetricNumbers> {
    const { sources, logger } = this.#options;
    try {
      return await read(sources);
    } catch (error) {
      logger.error({ err: error, metric: name }, 'a metric could not be read');
      return undefined;
    }
  }
}

/** Replaces the values of a metric by those that are read. */
async function fill(
  metric: Pick<Metric, 'reset' | 'remove'>,
  read: () => Promise<MetricNumbers>,
  put: (labels: MetricLabels, value: number) => void,
): Promise<void> {
  const numbers = await read();
  metric.reset();
  // Of a metric without labels, prom-client would show 0.
  if (numbers === undefined) metric.remove({});
  else if (typeof numbers === 'number') put({}, numbers);
  else for (const [labels, value] of numbers) put(labels, value);
}

/** A histogram that is kept elsewhere: prom-client could only be told of each observation. */
class ReadHistogram extends Histogram {
  readonly #config: { readonly name: string; readonly help: string };
  readonly #read: () => Iterable<readonly [MetricLabels, Durations]>;

  constructor(config: ConstructorParameters<typeof Histogram>[0], read: () => Iterable<readonly [MetricLabels, Durations]>) {
    super({ ...config, buckets: [...DURATION_BOUNDS_S] });
    this.#config = config;
    this.#read = read;
  }

  /** What the registry asks for, and `get`: the form that prom-client's own histogram has. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#config;
    const values = [...this.#read()].flatMap(([sharedLabels, durations]) => {
      const row = (suffix: string, value: number, labels: MetricLabels = {}) => ({
        metricName: `${name}_${suffix}`,
        ...{ labels, sharedLabels, value },
      });
      const { upTo, sumS, count } = durations;
      return [
        ...upTo.map((value, at) => row('bucket', value, { le: String(DURATION_BOUNDS_S[at]) })),
        row('bucket', count, { le: '+Inf' }),
        row('sum', sumS),
        row('count', count),
      ];
    });
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }
}
