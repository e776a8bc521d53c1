/** Programs that tests start as processes of their own: compiled where the runner compiled the tests, else from the sources. */
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

/** Paths from the root of the repository. The runner compiles each of them beside the tests. */
export const PROGRAMS = [
  'daemon/main.ts',
  'daemon/cli/serve/log-destination.ts',
  'test/support/store/writer.ts',
  'test/support/run/each-test.ts',
] as const;

export type Program = (typeof PROGRAMS)[number];

/** The file that Node loads, with `nodeOptions`. */
export function programFile(program: Program): string {
  const build = process.env.ROSTERD_TEST_BUILD;
  return build === undefined ? join(root, program) : join(build, program.replace(/\.ts$/, '.mjs'));
}

/** What Node needs to load it. */
export function nodeOptions(): string[] {
  return process.env.ROSTERD_TEST_BUILD === undefined ? ['--import', import.meta.resolve('tsx')] : ['--enable-source-maps'];
}
