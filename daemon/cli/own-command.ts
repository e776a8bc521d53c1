/** How a command of this program starts others of it. */
import type { CommandIo } from './io.ts';

/** The file and first arguments that start this program again, from the sources or the built files. */
export function ownCommand(): [file: string, ...args: string[]] {
  const [, program = ''] = process.argv;
  return [process.execPath, ...process.execArgv, program];
}

/** The environment without settings of rosterd. */
export function withoutSettings(env: CommandIo['env']): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ROSTERD_')));
}
