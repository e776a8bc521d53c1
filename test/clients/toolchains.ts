/**
 * Makes a program ready to run, with the toolchain that its folder asks for: `go.mod` or `requirements.txt`. What is
 * fetched or built lies in the user's cache under a name made from its contents, so a second run starts at once and
 * nothing is written into the tree.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from './program.ts';

const PREPARE_MS_MAX = 600_000;
const REASON_CHARS_MAX = 600;
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rosterd-test-clients');
const run = promisify(execFile);

export type Prepared =
  | { readonly kind: 'ready'; readonly command: Command }
  | { readonly kind: 'absent'; readonly toolchain: string }
  | { readonly kind: 'failed'; readonly reason: string };

export async function prepare(folder: string): Promise<Prepared> {
  if (existsSync(join(folder, 'go.mod'))) return await withTool('go', ['version'], () => goCommand(folder));
  return await withTool('python3', ['--version'], (version) => pythonCommand(folder, version));
}

/** `make` gets what the tool says about its version; without the tool it is not called. */
async function withTool(toolchain: string, args: readonly string[], make: (version: string) => Promise<Command>): Promise<Prepared> {
  let version: string;
  try {
    version = (await run(toolchain, args)).stdout;
  } catch {
    return { kind: 'absent', toolchain };
  }
  try {
    return { kind: 'ready', command: await make(version) };
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) };
  }
}

/** The end of what the tool said: that is where tools put their reason. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  return (said.trim() || String(error)).slice(-REASON_CHARS_MAX).replaceAll('\n', ' | ');
}

async function goCommand(folder: string): Promise<Command> {
  await mkdir(cache, { recursive: true });
  const file = join(cache, `go-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`);
  await run('go', ['build', '-mod=readonly', '-o', file, '.'], { cwd: folder, timeout: PREPARE_MS_MAX });
  return { file, args: [] };
}

async function pythonCommand(folder: string, version: string): Promise<Command> {
  const requirements = join(folder, 'requirements.txt');
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16);
  const ready = join(cache, `venv-${key}`);
  if (!existsSync(join(ready, 'bin', 'python'))) await makeVenv(ready, requirements);
  return { file: join(ready, 'bin', 'python'), args: [join(folder, 'run.py')] };
}

/** Built under a name of its own and then linked to, so that two runs at once, or one cut short, leave no half-made environment. */
async function makeVenv(ready: string, requirements: string): Promise<void> {
  const own = `${ready}-${randomUUID()}`;
  await mkdir(cache, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', own], { timeout: PREPARE_MS_MAX });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
    await run(join(own, 'bin', 'python'), pip, { timeout: PREPARE_MS_MAX });
    await symlink(own, `${own}.link`);
    await rename(`${own}.link`, ready);
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    throw error;
  }
}
