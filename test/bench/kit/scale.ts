/** How much a run does. `--quick` is for a look; the default is what the figures in the README are from. */

export const isQuick = process.argv.includes('--quick');
/** `--large`: also what takes long, such as 5,000 sockets. */
export const isLarge = process.argv.includes('--large');

export const ROUNDS = isQuick ? 1 : 3;

export function scale<T>(whenDefault: T, whenQuick: T): T {
  return isQuick ? whenQuick : whenDefault;
}
