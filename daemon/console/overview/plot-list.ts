/** What the overview plots, and how its numbers are written. Pure. */
import { durationText, size, whole } from '../parts/amounts.ts';
import type { SampleColumns } from './sample-history.ts';

/** One line of a plot. */
export interface PlotLine {
  /** The column of the samples. */
  readonly column: string;
  readonly label: string;
}

export interface PlotSpec {
  readonly title: string;
  readonly hint: string;
  /** The first one is the big number. */
  readonly lines: readonly PlotLine[];
  /** Its values are whole numbers. */
  readonly isWhole?: true;
  write(value: number): string;
}

const perSecond = (value: number): string => `${value < 10 && value > 0 ? value.toFixed(1) : whole(value)}/s`;
const ms = (value: number): string => durationText(value / 1_000);

export const PLOTS: readonly PlotSpec[] = [
  { title: 'Connections', hint: 'open now', lines: [{ column: 'connections', label: 'open' }], isWhole: true, write: whole },
  { title: 'Events', hint: 'published', lines: [{ column: 'events_per_s', label: 'per second' }], write: perSecond },
  {
    title: 'Delivery delay',
    hint: 'from stored to written to the last socket',
    lines: [
      { column: 'delivery_p99_ms', label: 'p99' },
      { column: 'delivery_p50_ms', label: 'p50' },
    ],
    write: ms,
  },
  { title: 'Storing', hint: 'until a group of changes is safe', lines: [{ column: 'append_p99_ms', label: 'p99' }], write: ms },
  {
    title: 'Webhook lag',
    hint: 'age of the oldest event that waits',
    lines: [{ column: 'webhook_lag_s', label: 'longest' }],
    write: durationText,
  },
  {
    title: 'Memory',
    hint: 'of the process',
    lines: [
      { column: 'rss_bytes', label: 'RSS' },
      { column: 'heap_bytes', label: 'heap' },
    ],
    write: size,
  },
  { title: 'Event loop', hint: 'how late its turns come', lines: [{ column: 'loop_p99_ms', label: 'p99' }], write: ms },
  { title: 'Users', hint: 'in the directory', lines: [{ column: 'users', label: 'alive' }], isWhole: true, write: whole },
];

/** The last value of a column that there is, within the last minute; undefined when there was nothing to measure. */
export function currentOf(samples: SampleColumns, column: string): number | undefined {
  const end = samples.at.at(-1) ?? 0;
  const values = samples[column] ?? [];
  for (let row = samples.at.length - 1; row >= 0 && end - (samples.at[row] ?? 0) <= 60; row--) {
    const value = values[row];
    if (value !== null && value !== undefined) return value;
  }
  return undefined;
}

/** What a plot shows, in a sentence. */
export function plotText({ title, lines, write }: PlotSpec, samples: SampleColumns): string {
  const parts = lines.map(({ column, label }) => {
    const values = (samples[column] ?? []).filter((value) => value !== null);
    if (values.length === 0) return `${label}: nothing to measure`;
    return `${label}: from ${write(Math.min(...values))} to ${write(Math.max(...values))}`;
  });
  return `${title}, the last 15 minutes. ${parts.join('. ')}.`;
}
