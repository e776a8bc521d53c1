/** Amounts for people. Pure. */

/** `12,345`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

const SIZES = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12.3 MB`. */
export function size(bytes: number): string {
  let [value, at] = [bytes, 0];
  while (value >= 999.5 && at < SIZES.length - 1) {
    value /= 1_000;
    at++;
  }
  return `${at === 0 || value >= 100 ? whole(value) : value.toFixed(1)} ${SIZES[at] ?? ''}`;
}

/** `0.4 ms`, `12 ms`, `3.5 s`, `4 min`, `5 h 12 min`, `3 d 4 h`. */
export function durationText(seconds: number): string {
  if (seconds === 0) return '0 ms';
  if (seconds < 0.01) return `${(seconds * 1_000).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
