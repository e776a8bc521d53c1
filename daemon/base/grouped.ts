/** A number with grouped digits: 1,035,522. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
