/**
 * Makes dist/ from the sources: the packages' entries with their types in dist/protocol/, the program in dist/daemon/, and the
 * console's page as a browser loads it in dist/console/. It leaves dist/ alone when it already is what these very sources give:
 * dist/.built holds a digest of every source, and of the names and sizes of what was made from them, so neither an edit, nor a
 * removed source, nor another branch, nor a missing or cut-off file goes unseen. Times of files say nothing and are not looked at.
 *
 * Plain JavaScript, because it runs before anything is built. Types are checked by `npm run typecheck`, not here: `npm ci` and
 * `npm start` are to be quick.
 *
 * `--if-possible`: where the compiler is not installed (`npm ci --omit=dev`), says so and ends with 0.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = import.meta.dirname;
const DIST = join(ROOT, 'dist');
const STAMP = '.built';
/** What decides how the sources are compiled; package-lock.json names the versions of the compiler and of the packages that are compiled in. */
const SETTINGS = ['build.js', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
const FOLDERS = ['daemon', 'protocol', 'store'];
const SOURCE = /\.(tsx?|css|html)$/;
const PROGRAM = 'daemon/main.ts';
/** Packages with machine code, which others try to load. */
const LEFT_OUT = ['bufferutil', 'pg-native', 'utf-8-validate'];
/** Packages of the older kind of modules ask for those of Node with it. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;
const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
/** The page of the console: a browser needs one file of each kind, and the code for plots when it shows one. */
const PAGE = { folder: 'daemon/console', script: 'main.tsx', plots: 'overview/plot-file.ts', style: 'style.css', document: 'index.html' };

/** Names of the files below a folder, relative to `base`, in an order of their own. */
function filesBelow(folder, base) {
  const entries = readdirSync(join(base, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(name, base) : [name];
  });
}

function digestOfSources() {
  const hash = createHash('sha256');
  const sources = FOLDERS.flatMap((folder) => filesBelow(folder, ROOT).filter((name) => SOURCE.test(name)));
  for (const name of [...SETTINGS, ...sources]) {
    const content = readFileSync(join(ROOT, name));
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function digestOfBuilt(folder) {
  const hash = createHash('sha256');
  for (const name of filesBelow('', folder).filter((file) => file !== STAMP)) hash.update(`${name} ${statSync(join(folder, name)).size}\n`);
  return hash.digest('hex');
}

function isBuiltFrom(sources) {
  try {
    return readFileSync(join(DIST, STAMP), 'utf8') === `${sources}\n${digestOfBuilt(DIST)}\n`;
  } catch {
    return false;
  }
}

/** The path of the compiler; undefined where it is not installed. */
function compiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    return undefined;
  }
}

/** Leaves the code for plots out of that of the page, which loads it as a file of its own. */
const PLOTS_APART = {
  name: 'plots-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/plot-file\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './plot.js', external: true } : undefined,
    );
  },
};

/**
 * The program in a few files, with the packages that it uses: loading a thousand files takes most of the time in which a daemon starts. What
 * only one command needs (`import()`) is in a file of its own. Rejects when it does not compile, which esbuild prints.
 */
async function buildProgram(folder) {
  const { build: bundle } = await import('esbuild');
  const { metafile } = await bundle({
    absWorkingDir: ROOT,
    entryPoints: [PROGRAM],
    outdir: folder,
    bundle: true,
    splitting: true,
    external: LEFT_OUT,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Files as Node would choose them, not as other compilers do.
    conditions: [],
    banner: { js: REQUIRE },
    // A tenth less to read at the start. One character of a comment that is not Latin would make V8 keep twice the size of its file.
    minifyWhitespace: true,
    // So that a place in an error's stack is one.
    lineLimit: 120,
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES'), licencesOf(Object.keys(metafile.inputs)));
}

/** The licences of the packages that these files are from. */
function licencesOf(files) {
  const folders = new Set(files.flatMap((file) => PACKAGE_FOLDER.exec(file)?.[0] ?? []));
  const texts = [...folders].sort().map((folder) => {
    // The list is the older form of the field.
    const { name, version, licenses, license = licenses?.[0]?.type } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const notices = readdirSync(join(ROOT, folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    return [`${name} ${version} (${license})`, ...notices.map((file) => readFileSync(join(ROOT, folder, file), 'utf8').trim())].join(
      '\n\n',
    );
  });
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** Rejects when the page does not compile, which esbuild prints. */
async function buildPage(folder) {
  const { build: bundle } = await import('esbuild');
  await bundle({
    absWorkingDir: ROOT,
    entryPoints: { app: join(PAGE.folder, PAGE.script), plot: join(PAGE.folder, PAGE.plots) },
    outdir: folder,
    bundle: true,
    plugins: [PLOTS_APART],
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  await bundle({
    absWorkingDir: ROOT,
    entryPoints: { app: join(PAGE.folder, PAGE.style) },
    outdir: folder,
    bundle: true,
    minify: true,
    logLevel: 'warning',
  });
  copyFileSync(join(ROOT, PAGE.folder, PAGE.document), join(folder, PAGE.document));
}

/** A build that fails or is cut off leaves dist/ as it was. */
async function build(tsc, sources) {
  const made = join(ROOT, `dist.${process.pid}`);
  try {
    const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', made], { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) return 1;
    await buildProgram(join(made, 'daemon'));
    await buildPage(join(made, 'console'));
    writeFileSync(join(made, STAMP), `${sources}\n${digestOfBuilt(made)}\n`);
    rmSync(DIST, { recursive: true, force: true });
    renameSync(made, DIST);
    return 0;
  } catch (error) {
    // Two builds at the same time make the same: that of the other one serves as well.
    if (isBuiltFrom(sources)) return 0;
    throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

async function main() {
  // A copy without sources, such as the last stage of a container image, is what it is.
  if (!existsSync(join(ROOT, PROGRAM))) return 0;
  const sources = digestOfSources();
  if (isBuiltFrom(sources)) return 0;
  const tsc = compiler();
  if (tsc !== undefined) return await build(tsc, sources);
  process.stderr.write(
    'rosterd: dist/ is not built from these sources, and the compiler is not installed. Build with it, then leave it out: npm ci && npm prune --omit=dev\n',
  );
  return process.argv.includes('--if-possible') ? 0 : 1;
}

process.exitCode = await main();
