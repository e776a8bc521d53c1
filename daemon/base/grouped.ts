/** What stands before three digits, or a multiple of them, and is not a fraction. */
const GROUP_END = /(?<!\.\d*)\B(?=(\d{3})+(?!\d))/g;

/** A number with grouped digits: 1,035,522. Without Intl: loading it takes some 25 ms. */
export function grouped(value: number): string {
  return String(value).replace(GROUP_END, ',');
}
