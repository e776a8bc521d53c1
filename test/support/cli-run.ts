/** The command line, run in process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CommandHooks, runCli } from '../../daemon/cli/commands.ts';
import type { Credentials } from '../../daemon/cli/config/credentials.ts';
import type { Config } from '../../daemon/cli/config/settings.ts';
import { fakeIo } from './sync/fake-server.ts';

export const NOW_MS = 1_800_000_000_000;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly served: { config: Config; credentials: Credentials }[];
}

/** `args`: one text where no argument has a space. */
export async function run(
  cwd: string,
  args: string | readonly string[],
  env: Record<string, string> = {},
  serve?: CommandHooks['serve'],
  nowMs = NOW_MS,
): Promise<Ran> {
  const io = fakeIo({ cwd, env, nowMs });
  const served: Ran['served'] = [];
  const hooks: CommandHooks = {
    serve: async (settings, credentials) => {
      served.push({ config: settings.config, credentials });
      return (await serve?.(settings, credentials)) ?? 0;
    },
  };
  const words = typeof args === 'string' ? args.split(' ').filter((word) => word !== '') : args;
  const code = await runCli(words, io, hooks);
  return { code, out: io.stdout.text, err: io.stderr.text, served };
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-cli-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
