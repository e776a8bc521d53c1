/** What can be said of the parts of a guide that are for another place: that their commands exist, and that programs accept their files. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { buildProgram } from '../../../daemon/cli/commands.ts';
import { fakeIo } from '../sync/fake-server.ts';
import type { Block } from './blocks.ts';

const run = promisify(execFile);
const DEPLOY = resolve(import.meta.dirname, '../../../daemon/deploy');

/** The commands `rosterd …` of a text that do not exist, or do not have one of the options they are given. */
export function unknownCommands(text: string): readonly string[] {
  const program = buildProgram(fakeIo({ cwd: '/' }), { serve: async () => 0 }, { code: 0 });
  const joined = text.replaceAll('\\\n', ' ').replaceAll(/'[^']*'|"[^"]*"/g, 'quoted');
  const called = [...joined.matchAll(/(?:^|[\s(=/`]|npx )rosterd ((?:[a-z]|--[a-z])[^\n`|;&>)]*)/gm)].map(([, words = '']) =>
    words.trim().split(/\s+/),
  );
  return called.filter((words) => !isKnown(program, words)).map((words) => `rosterd ${words.join(' ')}`);
}

function isKnown(program: Command, words: readonly string[]): boolean {
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const below = command.commands.find((each) => each.name() === words[at]);
    if (below === undefined) break;
    command = below;
  }
  const flags = words.slice(at).filter((word) => /^--?[a-z]/.test(word));
  return at > 0 && flags.every((flag) => flag === '--help' || command.options.some(({ long, short }) => long === flag || short === flag));
}

/** A program that judges files, and what it takes for one of them to be whole. */
interface Judge {
  readonly program: string;
  /** Puts the file, and what it refers to, into the folder. Resolves with the arguments for the program. */
  prepare(block: Block, folder: string): Promise<readonly string[]>;
}

/** By the language of a block. */
export const JUDGES: Readonly<Record<string, Judge>> = {
  nginx: {
    program: 'nginx',
    async prepare({ text }, folder) {
      const certificate = await certificateIn(folder);
      const own = text.replaceAll(/\/etc\/\S+\.pem/g, certificate);
      await writeFile(join(folder, 'nginx.conf'), `events {}\nhttp {\n${own}}\n`);
      return ['-t', '-p', folder, '-e', 'stderr', '-g', `pid ${join(folder, 'pid')};`, '-c', join(folder, 'nginx.conf')];
    },
  },
  haproxy: {
    program: 'haproxy',
    async prepare({ text }, folder) {
      const offered = await readFile(join(DEPLOY, 'haproxy.cfg'), 'utf8');
      const own = text.replaceAll(/\/etc\/\S+\.pem/g, await certificateIn(folder));
      await writeFile(join(folder, 'haproxy.cfg'), `${offered.slice(0, offered.indexOf('\nfrontend '))}\n${own}`);
      return ['-c', '-f', join(folder, 'haproxy.cfg')];
    },
  },
  ini: {
    program: 'systemd-analyze',
    async prepare({ text, path }, folder) {
      // It looks whether the program is there, which only the package brings.
      await writeFile(join(folder, basename(path)), text.replaceAll('/usr/bin/rosterd', '/bin/sh'));
      return ['verify', '--man=no', join(folder, basename(path))];
    },
  },
  yaml: {
    program: 'promtool',
    async prepare({ text, path }, folder) {
      await writeFile(join(folder, path), text);
      await copyFile(join(DEPLOY, 'alerts.yaml'), join(folder, 'alerts.yaml'));
      return ['check', 'config', join(folder, path)];
    },
  },
};

/** The programs among these judges that are not on this machine. */
export async function missingJudges(): Promise<readonly string[]> {
  const found = await Promise.all(
    Object.values(JUDGES).map(async ({ program }) => ((await findProgram(program)) === undefined ? [program] : [])),
  );
  return found.flat();
}

/** Rejects with what the program says when it does not accept a file. Files of other languages have no judge. */
export async function judge(block: Block, folder: string): Promise<void> {
  const { program, prepare } = JUDGES[block.language] ?? {};
  if (program === undefined || prepare === undefined) return;
  await mkdir(folder, { recursive: true });
  const args = await prepare(block, folder);
  const { stdout, stderr } = await run((await findProgram(program)) ?? program, [...args]);
  // It starts a unit without what it does not understand, and says so.
  if (program === 'systemd-analyze' && /ignoring|unknown/i.test(stdout + stderr)) throw new Error(stdout + stderr);
}

/** A certificate and its key in one file, for whom nobody vouches. */
async function certificateIn(folder: string): Promise<string> {
  const file = join(folder, 'certificate.pem');
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=users.example.com',
  ];
  await run('openssl', [...made, '-keyout', file, '-out', `${file}.crt`]);
  await writeFile(file, (await readFile(file, 'utf8')) + (await readFile(`${file}.crt`, 'utf8')));
  return file;
}

/** The errors that the compiler finds in TypeScript that uses the client library, as a strict project of a page has it. Each names its file. */
export async function compilerErrors(blocks: readonly Block[], folder: string): Promise<readonly string[]> {
  for (const { path, text } of blocks) await writeFile(join(folder, path), text);
  const root = resolve(DEPLOY, '../..');
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    moduleDetection: 'force',
    allowImportingTsExtensions: true,
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    paths: { 'rosterd/client': [join(root, 'protocol/client/index.ts')] },
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: blocks.map(({ path }) => path) }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], { cwd: folder }).catch(
    (failed: { stdout: string }) => failed,
  );
  return stdout.split('\n').filter((line) => /error TS\d+/.test(line));
}
