/** Quantiles of what a histogram observed lately. Pure. */
import { DURATION_BOUNDS_S, type Durations } from './durations.ts';

/** A histogram as it was at some time. */
export type DurationsThen = Pick<Durations, 'upTo' | 'count'>;

/**
 * The time in seconds below which the share `q` of the observations between two looks lies, interpolated within a bucket. Undefined when there were
 * none. Beyond the last bound of the histogram it is that bound.
 */
export function quantileBetween(before: DurationsThen, now: DurationsThen, q: number): number | undefined {
  const count = now.count - before.count;
  if (count <= 0) return undefined;
  const wanted = q * count;
  let [below, from] = [0, 0];
  for (const [at, to] of DURATION_BOUNDS_S.entries()) {
    const upTo = (now.upTo[at] ?? 0) - (before.upTo[at] ?? 0);
    if (upTo >= wanted) return upTo === below ? to : from + ((to - from) * (wanted - below)) / (upTo - below);
    [below, from] = [upTo, to];
  }
  return DURATION_BOUNDS_S.at(-1);
}
