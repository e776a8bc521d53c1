/**
 * Builds every package into dist-packages/, and tries each from nothing: `npm run test:packages`, with `-- npm deb` for some of them.
 * A tool that is missing is said in capitals; exit code 1 when something failed.
 */
import { mkdir } from 'node:fs/promises';
import { findProgram } from '../../daemon/cli/cluster/programs.ts';
import { buildDeb, tryLintian, tryMaintainer } from './deb.ts';
import { makeSystem, tryDeb } from './deb-trial.ts';
import { buildExecutable, buildTarball, type Executable, tryTarball } from './executable.ts';
import { tryImage } from './image.ts';
import { inFolder, PACKAGES, Results, say } from './kit.ts';
import { buildNpmPackage, tryNpmPackage } from './npm-package.ts';
import { makeSums } from './sums.ts';

interface Making {
  readonly results: Results;
  readonly folder: string;
  /** Built once for all packages that hold it. */
  executable(): Promise<Executable>;
}

/** Resolves with what `make` made; undefined, with the failure told, when it failed. */
async function built(name: string, { results }: Making, make: () => Promise<string>): Promise<string | undefined> {
  let file: string | undefined;
  await results.check(`${name} built`, async () => {
    file = await make();
    return file;
  });
  return file;
}

/** The tools that are not on this machine. */
async function missing(...tools: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(tools.map((tool) => findProgram(tool)));
  return tools.filter((_, at) => found[at] === undefined);
}

async function makeDeb(making: Making): Promise<void> {
  const { results, folder, executable } = making;
  const lacking = await missing('dpkg-deb');
  if (lacking.length > 0) return results.skip('the Debian package', `${lacking} is not installed`);
  const file = await built('deb', making, async () => await buildDeb(await executable(), folder));
  if (file === undefined) return;
  await tryMaintainer(file, results);
  if ((await missing('lintian')).length > 0) results.skip('lintian', 'it is not installed');
  else await tryLintian(file, results);
  const unable = process.getuid?.() === 0 ? await missing('debootstrap', 'unshare', 'chroot') : ['the right to make a Debian (root)'];
  if (unable.length > 0) return results.skip('the installed Debian package', `${unable.join(', ')} is missing`);
  const system = await built('deb system', making, () => makeSystem(folder));
  if (system !== undefined) await tryDeb(file, system, results);
}

const PARTS: Readonly<Record<string, (making: Making) => Promise<void>>> = {
  npm: async (making) => {
    const file = await built('npm', making, buildNpmPackage);
    if (file !== undefined) await tryNpmPackage(file, making.results);
  },
  executable: async (making) => {
    const file = await built('executable', making, async () => await buildTarball(await making.executable(), making.folder));
    if (file !== undefined) await tryTarball(file, making.results);
  },
  deb: makeDeb,
  image: ({ results, folder }) => tryImage(folder, results),
  sums: ({ results }) => makeSums(results),
};

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const unknown = words.filter((word) => PARTS[word] === undefined);
  if (unknown.length > 0) {
    console.error(`unknown package: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
    return 2;
  }
  await mkdir(PACKAGES, { recursive: true });
  const results = new Results();
  await inFolder(async (folder) => {
    let executable: Promise<Executable> | undefined;
    const making: Making = { results, folder, executable: () => (executable ??= buildExecutable(folder)) };
    for (const [name, make] of Object.entries(PARTS)) if (words.length === 0 || words.includes(name)) await make(making);
  });
  say(`${results.failed} failed, ${results.skipped} skipped; the packages are in ${PACKAGES}`);
  return results.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
