/** An empty folder, with `rosterd` of this build in the path and the packages that an application would have, where a guide is followed. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { type Typed, Typing } from '../clone.ts';
import { nodeOptions, programFile } from '../run/program.ts';
import { type Block, blocksOf, difference } from './blocks.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const OWN_PACKAGES = ['ws', 'esbuild', '.bin/esbuild'];
/** Guides listen on ports such as 8800, which others of this machine may have. */
const PORT = /\b88\d\d\b/g;
/** A line of its own in the output, before that of each block. */
const MARK = '\u001e';

export interface GuideOptions {
  /** What stands in the guide, and what stands for it here, such as the address of a database. */
  readonly here?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a guide was followed. What it started runs until the end of the test. */
export interface Followed {
  /** An address of the guide, with the port that stands for its own here. */
  at(address: string): string;
  /** Types one more command there. */
  type(command: string): Promise<Typed>;
}

/**
 * Saves the files and types the commands of a guide, in its order and in one shell, which ends at the first command that fails. Fails with
 * the line of the block that failed, or that printed something else than the guide shows.
 */
export async function follow(t: TestContext, guide: string, { here = {}, env = {} }: GuideOptions = {}): Promise<Followed> {
  const folder = await makeSandbox(t);
  const ports = new Map<string, string>();
  for (const [port] of guide.matchAll(PORT)) if (!ports.has(port)) ports.set(port, String(await freePort()));
  const localized = Object.entries(here).reduce((text, [there, local]) => text.replaceAll(there, local), guide);
  const at = (text: string): string => text.replaceAll(PORT, (port) => ports.get(port) ?? port);
  const blocks = blocksOf(at(localized));
  await writeFile(join(folder, '.guide.sh'), scriptOf(blocks));
  const whole = {
    ...withoutSettings(),
    PATH: `${join(folder, '.bin')}:${process.env.PATH}`,
    ROSTERD_LISTEN: `127.0.0.1:${ports.get('8800') ?? (await freePort())}`,
    ROSTERD_METRICS_LISTEN: `127.0.0.1:${ports.get('8801') ?? (await freePort())}`,
    ...env,
  };
  const typing = new Typing('exec sh -eu .guide.sh', folder, whole);
  t.after(async () => {
    typing.killAll('SIGKILL');
    await typing.gone();
  });
  const { code, stdout, stderr } = await typing.finished;
  const printed = new Map(stdout.split(MARK).map((part) => [Number.parseInt(part, 10), part.slice(part.indexOf('\n') + 1)]));
  const last = [...printed.keys()].at(-1);
  assert.equal(code, 0, `the block of line ${last} failed:\n${printed.get(last ?? 0)}${stderr}`);
  compare(blocks, printed);
  return { at, type: (command) => new Typing(command, folder, whole).finished };
}

function compare(blocks: readonly Block[], printed: ReadonlyMap<number, string>): void {
  let before: Block | undefined;
  for (const block of blocks) {
    if (block.kind === 'run') before = block;
    if (block.kind !== 'shown') continue;
    assert.ok(before !== undefined, `line ${block.line} shows what nothing prints`);
    const was = printed.get(before.line) ?? '';
    const wrong = difference(block.text, was);
    assert.ok(wrong === undefined, `line ${block.line}: ${wrong}\nThis was printed:\n${was}`);
  }
}

function scriptOf(blocks: readonly Block[]): string {
  const parts = blocks.map(({ kind, path, text, line }) => {
    if (kind === 'run') return `printf '${MARK}${line}\\n'\n${text}`;
    return kind === 'file' ? `mkdir -p "$(dirname '${path}')"\ncat >'${path}' <<'END OF FILE'\n${text}END OF FILE\n` : '';
  });
  return parts.join('');
}

async function makeSandbox(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-guide-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  await mkdir(join(folder, '.bin'));
  const program = [process.execPath, ...nodeOptions(), programFile('daemon/main.ts')].map((word) => `'${word}'`).join(' ');
  await writeFile(join(folder, '.bin/rosterd'), `#!/bin/sh\nexec ${program} "$@"\n`);
  await chmod(join(folder, '.bin/rosterd'), 0o755);
  await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
  for (const name of OWN_PACKAGES) await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  await layClient(join(folder, 'node_modules/rosterd'));
  return folder;
}

/** The client library of these sources, as the package offers it. */
async function layClient(folder: string): Promise<void> {
  await build({
    entryPoints: [join(ROOT, 'protocol/client/index.ts')],
    outfile: join(folder, 'client.js'),
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    logLevel: 'silent',
  });
  const description = { name: 'rosterd', type: 'module', exports: { './client': './client.js' } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(description));
}

/** What the caller has set for rosterd is not what the reader of a guide has. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(ROSTERD_|NODE_TEST|npm_)/.test(name)));
}
