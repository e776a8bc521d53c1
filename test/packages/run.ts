/**
 * Builds every package into dist-packages/, and tries each from nothing: `npm run test:packages`, with `-- npm binary` for some of them.
 * A tool that is missing is said in capitals; exit code 1 when something failed.
 */
import { mkdir } from 'node:fs/promises';
import { buildExecutable, buildTarball, tryTarball } from './executable.ts';
import { inFolder, PACKAGES, Results, say } from './kit.ts';
import { buildNpmPackage, tryNpmPackage } from './npm-package.ts';

const PARTS: Readonly<Record<string, (results: Results) => Promise<void>>> = {
  npm: async (results) => await tryNpmPackage(await buildNpmPackage(), results),
  executable: async (results) =>
    await inFolder(async (folder) => await tryTarball(await buildTarball(await buildExecutable(folder), folder), results)),
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
  for (const [name, part] of Object.entries(PARTS)) if (words.length === 0 || words.includes(name)) await part(results);
  say(`${results.failed} failed, ${results.skipped} skipped; the packages are in ${PACKAGES}`);
  return results.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
