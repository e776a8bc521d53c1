/** Repeatable randomness for fuzz tests, and the options that the runner hands on. */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `--name 17` given behind `npm run test:…  --`, else `fallback`. */
export function testOption(name: string, fallback: number): number {
  const words = (process.env.ROSTERD_TEST_ARGS ?? '').split(' ');
  const at = words.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(words[at + 1]);
}
