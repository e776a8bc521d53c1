/** PK1–PK4: the npm package. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { packageVersion } from '../../daemon/cli/version.ts';
import { MODULES, PAGE, PLAIN, TYPED, tsconfig } from './consumer.ts';
import { assertGuidesLead } from './documents.ts';
import { inFolder, megabytes, output, PACKAGES, plainEnv, type Results, ROOT, say, whileServing } from './kit.ts';

/** The client is loaded by every page: more than this is a mistake. */
const CLIENT_GZ_BYTES_MAX = 40_000;
const LISTED_FOLDERS = /^(dist\/(?:daemon|protocol)|daemon\/deploy)\/.*/;

/** Resolves with the file of the package. */
export async function buildNpmPackage(): Promise<string> {
  await output('npm', ['run', '-s', 'build']);
  await output('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', PACKAGES]);
  return join(PACKAGES, `rosterd-${packageVersion()}.tgz`);
}

export async function tryNpmPackage(file: string, results: Results): Promise<void> {
  await results.check('PK1 npm files', () => checkFiles(file));
  await results.check('PK1 npm publint', async () => {
    await output('npx', ['--no-install', 'publint', file, '--strict']);
    return 'publint --strict finds nothing';
  });
  await results.check('PK1 npm attw', async () => {
    await output('npx', ['--no-install', 'attw', file, '--profile', 'esm-only', '--no-emoji']);
    return 'the types of both entries are found by every ESM resolver';
  });
  await inFolder((folder) => tryInstalled(folder, file, results));
}

async function checkFiles(file: string): Promise<string> {
  const names = (await output('tar', ['-tzf', file]))
    .trim()
    .split('\n')
    .map((name) => name.replace('package/', ''));
  const counts = new Map<string, number>();
  for (const name of names) {
    const place = name.replace(LISTED_FOLDERS, '$1/…');
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  for (const [place, count] of [...counts].sort()) say(`    ${place}${place.endsWith('…') ? ` ${count} files` : ''}`);
  const unwanted = names.filter((name) => /(^|\/)test\/|\.test\.|(?<!\.d)\.ts$|\.map$/.test(name));
  assert.deepEqual(unwanted, [], 'files that nobody needs');
  for (const needed of [
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'daemon/rosterd.js',
    'dist/daemon/main.js',
    'dist/daemon/THIRD-PARTY-LICENSES',
    'daemon/deploy/rosterd.service',
  ])
    assert.ok(names.includes(needed), `${needed} is missing`);
  const guides = await assertGuidesLead(names);
  return `${names.length} files, ${megabytes((await stat(file)).size)} packed; the links of ${guides} guides lead to what is in it`;
}

async function tryInstalled(folder: string, file: string, results: Results): Promise<void> {
  await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}');
  const isInstalled = await results.check('PK2 npm install', async () => {
    await output('npm', ['install', '--no-audit', '--no-fund', '--silent', file], { cwd: folder });
    const packages = await readdir(join(folder, 'node_modules'));
    return `into an empty folder, ${packages.length} entries in node_modules`;
  });
  if (!isInstalled) return;
  await results.check('PK2 npm command', async () => {
    const version = await output('npx', ['--no-install', 'rosterd', '--version'], { cwd: folder });
    assert.equal(version.trim(), packageVersion());
    return `npx rosterd --version says ${version.trim()}`;
  });
  await results.check('PK2 npm serve', () => tryServing(folder));
  await results.check('PK3 npm bundle', () => tryBundling(folder));
  for (const [module, resolution] of MODULES) {
    await results.check(`PK4 npm types ${resolution}`, () => tryTypes(folder, module, resolution));
  }
}

async function tryServing(folder: string): Promise<string> {
  let seen = '';
  const args = ['--no-install', 'rosterd', 'serve', '--listen', '127.0.0.1:0'];
  await whileServing({ file: 'npx', args, cwd: folder, env: plainEnv() }, async (url) => {
    const { api_key: key, api_secret: secret } = JSON.parse(await readFile(join(folder, 'rosterd-data/credentials.json'), 'utf8'));
    await writeFile(join(folder, 'plain.js'), PLAIN);
    seen = (await output(process.execPath, ['plain.js', url, key, secret], { cwd: folder })).trim();
  });
  return `npx rosterd serve is ready, and for a program with both entries ${seen}`;
}

async function tryBundling(folder: string): Promise<string> {
  await writeFile(join(folder, 'page.js'), PAGE);
  // For a browser, esbuild knows no module of Node: one that is imported is an error.
  const { outputFiles, metafile } = await build({
    ...{ absWorkingDir: folder, entryPoints: ['page.js'], bundle: true, platform: 'browser', format: 'esm', minify: true },
    ...{ write: false, metafile: true, logLevel: 'silent' },
  });
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  assert.deepEqual(outside, []);
  const [bundle] = outputFiles;
  assert.ok(bundle !== undefined);
  const gz = gzipSync(bundle.contents).length;
  assert.ok(gz <= CLIENT_GZ_BYTES_MAX, `the client takes ${gz} bytes gz, more than ${CLIENT_GZ_BYTES_MAX}`);
  return `rosterd/client for browsers: ${bundle.contents.length} bytes, ${gz} gz, from ${Object.keys(metafile.inputs).length} files`;
}

async function tryTypes(folder: string, module: string, resolution: string): Promise<string> {
  await writeFile(join(folder, 'typed.ts'), TYPED);
  await writeFile(join(folder, 'tsconfig.json'), tsconfig(module, resolution));
  await output(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder });
  return 'a strict project compiles, and its two mistakes are found';
}
