/**
 * The last minutes of this node in plain numbers, for the plots of the console: one sample every few seconds from the same numbers that the metrics
 * are read from. A page that is opened sees the past, and nothing has to be scraped for it.
 *
 * It keeps CO30 (daemon/RULES.md).
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { EdgeLogger } from '../base/logger.ts';
import { type DurationsThen, quantileBetween } from '../base/quantile.ts';
import type { NodeSamples } from '../edge/nodes/node-state.ts';
import type { DirectorySources } from './directory-metrics.ts';
import type { HookSources } from './hook-metrics.ts';
import type { LiveSources } from './live-metrics.ts';
import type { StorageSources } from './storage-metrics.ts';

export const SAMPLE_MS = 5_000;
/** Fifteen minutes. */
export const SAMPLES_MAX = 180;
/** How often the delay of the event loop is looked at. */
const LOOP_LOOK_MS = 20;
const NANOS_IN_MS = 1e6;

export interface SampleSources extends Pick<LiveSources, 'admission'>, Pick<StorageSources, 'appends'>, HookSources {
  readonly roster: Pick<LiveSources['roster'], 'hub'> & Pick<DirectorySources['roster'], 'directory'>;
  readonly logger: Pick<EdgeLogger, 'error'>;
}

type SampleName = Exclude<keyof NodeSamples, 'at'>;
type Sample = Readonly<Record<SampleName, number | null>> & { readonly at: number };

/** What only differences say anything of. */
interface Looked {
  readonly atMs: number;
  readonly events: number;
  readonly delays: DurationsThen;
  readonly appends: DurationsThen;
}

export class Samples {
  readonly #sources: SampleSources;
  readonly #kept: Sample[] = [];
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: LOOP_LOOK_MS });
  #before: Looked;
  #timer: NodeJS.Timeout | undefined;

  constructor(sources: SampleSources) {
    this.#sources = sources;
    this.#before = this.#look();
  }

  /** Takes the first sample at once. */
  start(): void {
    this.#loop.enable();
    this.take();
    this.#timer ??= setInterval(() => this.take(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#loop.disable();
  }

  /** Takes a sample of now. Never throws: a part that cannot be asked, as while the daemon stops, costs this sample. */
  take(): void {
    try {
      this.#kept.push(this.#sample());
      if (this.#kept.length > SAMPLES_MAX) this.#kept.shift();
    } catch (error) {
      this.#sources.logger.error({ err: error }, 'a sample for the console could not be taken');
    }
  }

  /** Those after a time in seconds since 1970. */
  after(seconds: number): NodeSamples {
    const kept = this.#kept.filter(({ at }) => at > seconds);
    const column = (name: SampleName): (number | null)[] => kept.map((sample) => sample[name]);
    return {
      at: kept.map(({ at }) => at),
      connections: column('connections'),
      events_per_s: column('events_per_s'),
      delivery_p50_ms: column('delivery_p50_ms'),
      delivery_p99_ms: column('delivery_p99_ms'),
      append_p99_ms: column('append_p99_ms'),
      webhook_lag_s: column('webhook_lag_s'),
      rss_bytes: column('rss_bytes'),
      heap_bytes: column('heap_bytes'),
      loop_p99_ms: column('loop_p99_ms'),
      users: column('users'),
    };
  }

  #look(): Looked {
    const { roster, appends } = this.#sources;
    const { events, delays } = roster.hub.counts;
    let published = 0;
    for (const count of events.values()) published += count;
    return { atMs: performance.now(), events: published, delays: copyOf(delays), appends: copyOf(appends) };
  }

  #sample(): Sample {
    const { roster, admission } = this.#sources;
    const [before, now] = [this.#before, this.#look()];
    this.#before = now;
    const { rss, heapUsed } = process.memoryUsage();
    const loopNs = this.#loop.percentile(99);
    this.#loop.reset();
    return {
      at: Date.now() / 1_000,
      connections: admission.connections,
      events_per_s: ((now.events - before.events) * 1_000) / Math.max(1, now.atMs - before.atMs),
      delivery_p50_ms: inMs(quantileBetween(before.delays, now.delays, 0.5)),
      delivery_p99_ms: inMs(quantileBetween(before.delays, now.delays, 0.99)),
      append_p99_ms: inMs(quantileBetween(before.appends, now.appends, 0.99)),
      webhook_lag_s: this.#webhookLag(),
      rss_bytes: rss,
      heap_bytes: heapUsed,
      // The time between two looks is part of what is measured.
      loop_p99_ms: Math.max(0, loopNs / NANOS_IN_MS - LOOP_LOOK_MS),
      users: roster.directory.states.alive,
    };
  }

  /** Of the hook that is furthest behind; null without a hook. */
  #webhookLag(): number | null {
    const { hooks, nowMs } = this.#sources;
    const measures = hooks.measures();
    if (measures.length === 0) return null;
    const lags = measures.map(({ oldestAt }) => (oldestAt === undefined ? 0 : Math.max(0, nowMs() / 1_000 - oldestAt / 1e6)));
    return Math.max(...lags);
  }
}

function copyOf({ upTo, count }: DurationsThen): DurationsThen {
  return { upTo, count };
}

function inMs(seconds: number | undefined): number | null {
  return seconds === undefined ? null : seconds * 1_000;
}
