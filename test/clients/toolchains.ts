/**
 * Makes a program ready to run, with the toolchain that its folder asks for: `go.mod`, `pom.xml` or `requirements.txt`. What is
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
  if (existsSync(join(folder, 'pom.xml'))) return await javaProgram(folder);
  return await preparePython(folder, (bin) => ({ file: join(bin, 'python'), args: [join(folder, 'run.py')] }));
}

/** An environment with the `requirements.txt` of the folder. `command` gets the folder of its programs. */
export async function preparePython(folder: string, command: (bin: string) => Command): Promise<Prepared> {
  return await withTool('python3', ['--version'], async (version) => command(join(await environment(folder, version), 'bin')));
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
  const file = join(cache, `go-${keyOf(folder)}`);
  await run('go', ['build', '-mod=readonly', '-o', file, '.'], { cwd: folder, timeout: PREPARE_MS_MAX });
  return { file, args: [] };
}

/** Two tools: Maven fetches the client, Java runs the program from its source. */
async function javaProgram(folder: string): Promise<Prepared> {
  const java = await withTool('java', ['--version'], async () => ({ file: 'java', args: [] }));
  return java.kind === 'ready' ? await withTool('mvn', ['--version'], () => javaCommand(folder)) : java;
}

async function javaCommand(folder: string): Promise<Command> {
  const pom = join(folder, 'pom.xml');
  const ready = join(cache, `jars-${keyOf(await readFile(pom))}`);
  if (!existsSync(ready)) {
    await makeOnce(ready, async (own) => {
      const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
      await run('mvn', ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${own}`], { timeout: PREPARE_MS_MAX });
    });
  }
  return { file: 'java', args: ['-cp', join(ready, '*'), join(folder, 'Program.java')] };
}

async function environment(folder: string, version: string): Promise<string> {
  const requirements = join(folder, 'requirements.txt');
  const ready = join(cache, `venv-${keyOf(version, await readFile(requirements))}`);
  if (!existsSync(join(ready, 'bin', 'python'))) await makeOnce(ready, (own) => makeVenv(own, requirements));
  return ready;
}

async function makeVenv(own: string, requirements: string): Promise<void> {
  await run('python3', ['-m', 'venv', own], { timeout: PREPARE_MS_MAX });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
  await run(join(own, 'bin', 'python'), pip, { timeout: PREPARE_MS_MAX });
}

/** Made under a name of its own and then linked to, so that two runs at once, or one cut short, leave nothing half-made. */
async function makeOnce(ready: string, make: (own: string) => Promise<void>): Promise<void> {
  const own = `${ready}-${randomUUID()}`;
  await mkdir(cache, { recursive: true });
  try {
    await make(own);
    await symlink(own, `${own}.link`);
    await rename(`${own}.link`, ready);
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    throw error;
  }
}

/** What names something made from these. */
function keyOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}
