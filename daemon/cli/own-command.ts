/** How a command of this program starts others of it. */
import { isSea } from 'node:sea';
import type { CommandIo } from './io.ts';

/** The file and first arguments that start this program again, from the sources, the built files or a single executable. */
export function ownCommand(): [file: string, ...args: string[]] {
  if (isSea()) return [process.execPath];
  const [, program = ''] = process.argv;
  return [process.execPath, ...process.execArgv, program];
}

/** The environment without settings of rosterd. */
export function withoutSettings(env: CommandIo['env']): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ROSTERD_')));
}

/** What a person types to start this program: a single executable is installed, the package may be in a folder alone. */
export function ownName(): string {
  return isSea() ? 'rosterd' : 'npx rosterd';
}
