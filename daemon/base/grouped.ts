/** A number as people read it: 1,035,522. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
