/** A number of bytes for people. Pure. */
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12 bytes`, `1.5 MB`: units of 1,000. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
