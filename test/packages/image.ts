/**
 * PK10: the Dockerfile, without Docker: its stages are carried out in folders, in place of file systems of their own. Its base image, its
 * users and what it does at the root of the image are not tried.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { freePort } from '../../daemon/cli/cluster/free-port.ts';
import { type Instruction, instructionsOf } from '../support/nodes/dockerfile.ts';
import { output, plainEnv, type Results, ROOT, whileServing } from './kit.ts';

interface Stage {
  /** The folder that stands for the root of the image. */
  readonly root: string;
  workdir: string;
  readonly env: Record<string, string>;
  readonly commands: Map<string, readonly string[]>;
}

export async function tryImage(folder: string, results: Results): Promise<void> {
  let last: Stage | undefined;
  const isBuilt = await results.check('PK10 image stages', async () => {
    const instructions = instructionsOf(await readFile(join(ROOT, 'daemon/deploy/Dockerfile'), 'utf8'));
    last = await carryOut(instructions, folder);
    return `${instructions.length} instructions; ${last.workdir} holds ${(await readdir(join(last.root, last.workdir), { recursive: true })).length} entries`;
  });
  if (last === undefined || !isBuilt) return;
  const stage: Stage = last;
  await results.check('PK10 image start', () => tryStage(stage, folder));
}

async function carryOut(instructions: readonly Instruction[], folder: string): Promise<Stage> {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { name, text } of instructions) {
    if (name === 'FROM') {
      const [, alias = 'last'] = / AS (\S+)$/i.exec(text) ?? [];
      stage = { root: join(folder, `image-${alias}`), workdir: '/', env: {}, commands: new Map() };
      await mkdir(stage.root);
      stages.set(alias, stage);
      continue;
    }
    assert.ok(stage !== undefined, 'a Dockerfile begins with FROM');
    if (name === 'WORKDIR') stage.workdir = text;
    else if (name === 'ENV') for (const [, key = '', value = ''] of text.matchAll(/(\w+)=(\S+)/g)) stage.env[key] = value;
    else if (name === 'COPY') await copy(stage, text, stages);
    // What is done to the root itself would be done to that of this machine.
    else if (name === 'RUN' && !/ \//.test(text)) await output('sh', ['-c', text], { cwd: join(stage.root, stage.workdir) });
    else if (name === 'CMD') stage.commands.set('CMD', JSON.parse(text));
    else if (name === 'HEALTHCHECK') stage.commands.set('HEALTHCHECK', JSON.parse(text.slice(text.indexOf('CMD ') + 4)));
  }
  assert.ok(stage !== undefined);
  return stage;
}

async function copy(stage: Stage, text: string, stages: ReadonlyMap<string, Stage>): Promise<void> {
  const [, alias, list = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? [];
  const words = list.split(' ');
  const to = words.pop() ?? '';
  const from = alias === undefined ? ROOT : (stages.get(alias)?.root ?? '');
  for (const source of words) {
    // A folder gives its content; files go into a folder that ends with a slash.
    const target = join(stage.root, stage.workdir, to, to.endsWith('/') ? basename(source) : '');
    await cp(join(from, source), target, { recursive: true, verbatimSymlinks: true });
  }
}

async function tryStage({ root, workdir, env, commands }: Stage, folder: string): Promise<string> {
  const [, ...serve] = commands.get('CMD') ?? [];
  const [, ...check] = commands.get('HEALTHCHECK') ?? [];
  const cwd = join(root, workdir);
  const here = plainEnv({ ...env, ROSTERD_LISTEN: `127.0.0.1:${await freePort()}`, ROSTERD_DATA: join(folder, 'image-data') });
  const before = (await readdir(cwd, { recursive: true })).sort();
  let said = '';
  await whileServing({ file: process.execPath, args: serve, cwd, env: here }, async () => {
    said = (await output(process.execPath, check, { cwd, env: here })).trim();
  });
  const after = await output(process.execPath, check, { cwd, env: here, codes: [1] });
  assert.match(after, /^fail/);
  assert.deepEqual((await readdir(cwd, { recursive: true })).sort(), before, 'nothing is written beside the data');
  return `the health check says "${said}" while it runs, and fails when it does not; only the data directory is written`;
}
