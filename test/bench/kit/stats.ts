/** Numbers out of samples. Medians and ranges over rounds, percentiles over latencies. */

export interface Stat {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and range of the rounds. */
export function overRounds(samples: readonly number[]): Stat {
  if (samples.length === 0) throw new Error('nothing was measured');
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: at(sorted, 0.5), min: at(sorted, 0), max: at(sorted, 1) };
}

/** The value below which `share` of the samples lie; 0 without samples. */
export function percentile(samples: readonly number[] | Float64Array, share: number): number {
  return at(Float64Array.from(samples).sort(), share);
}

function at(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Milliseconds of the machine's monotonic clock: the same in all processes, unlike `performance.now()`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `done`; fails after `patienceMs`, naming what did not happen. */
export async function until(done: () => boolean, what: string, patienceMs = 120_000): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`${what} did not happen within ${patienceMs} ms`);
    await sleep(1);
  }
}
