/**
 * Compiles the test files and what they start into a folder of this run, with the packages that they use. Loading all of that file
 * by file takes a process about three seconds of a core, and the packages alone a quarter of one; compiled, it is 0.4 seconds.
 *
 * The compiler puts modules that the same entries need into one file, which makes hundreds of small files out of hundreds of
 * entries, and loading each of them takes time. Entries that need nearly everything are therefore given everything, which is one
 * file; programs are compiled apart.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { PROGRAMS } from './program.ts';

/** Loaded as they are: packages with machine code or files of their own, and those that are not there, which others try to load. */
const LEFT_OUT = /^(esbuild|oxc-parser|playwright-core|pg-native|bufferutil|utf-8-validate)(\/|$)/;
/** Packages that are compiled in, and are of the older kind of modules, ask for node's own modules with it. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;

/** What a run changes in the sources that it compiles. */
export interface SourceChange {
  /** The text to compile in place of `text`, that of the source at `path` (absolute). */
  text(path: string, text: string): string;
  /** A source (absolute) whose exports every other source can use without an import. */
  readonly exportsFrom: string;
}

/** A compiled module finds the files around its source, not around itself. */
const sourceFolders = (change: SourceChange | undefined): Plugin => ({
  name: 'source-folders',
  setup(compiler) {
    compiler.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({ contents: await sourceText(path, change), loader: 'ts' }));
  },
});

async function sourceText(path: string, change?: SourceChange): Promise<string> {
  const text = await readFile(path, 'utf8');
  return (change?.text(path, text) ?? text).replaceAll('import.meta.dirname', JSON.stringify(dirname(path)));
}

const EVERYTHING = 'everything';

/** The modules of the product that do nothing when they are loaded. */
function everything(root: string): Plugin {
  return {
    name: EVERYTHING,
    setup(compiler) {
      compiler.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => ({
        contents: `${await sourceText(path)}\nimport '${EVERYTHING}';\n`,
        loader: 'ts',
      }));
      compiler.onResolve({ filter: new RegExp(`^${EVERYTHING}$`) }, () => ({ path: EVERYTHING, namespace: EVERYTHING }));
      compiler.onLoad({ filter: /./, namespace: EVERYTHING }, () => ({
        contents: modulesOf(root)
          .map((path) => `import ${JSON.stringify(path)};`)
          .join('\n'),
        resolveDir: root,
      }));
    },
  };
}

function modulesOf(root: string): string[] {
  const programs = PROGRAMS.map((path) => join(root, path));
  return ['daemon', 'protocol', 'store']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(root, folder, file)))
    .filter((path) => path.endsWith('.ts') && !programs.includes(path));
}

/** Of a package, a map tells only the file: the places in all of them would be most of the map, which every process parses. */
const packages: Plugin = {
  name: 'packages',
  setup(compiler) {
    compiler.onLoad({ filter: /[/\\]node_modules[/\\].*\.[cm]?js$/ }, async ({ path }) => {
      const map = Buffer.from(JSON.stringify({ version: 3, sources: [basename(path)], mappings: 'AAAA' })).toString('base64');
      return { contents: `${await readFile(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${map}` };
    });
  },
};

const leftOut: Plugin = {
  name: 'left-out',
  setup(compiler) {
    compiler.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, external: true }));
  },
};

/** Tests that start daemons of their own. */
const WHOLE = join('test', 'e2e');

/** Where runs compile to: inside the repository, so that packages are found from there. */
const home = (root: string): string => join(root, '.test-build');

export interface Compiled {
  readonly folder: string;
  /** The compiled file of a source. */
  fileOf(source: string): string;
  /** The path from the root of the source that was compiled to `file`, or that `file` is. */
  sourceOf(file: string): string;
  remove(): void;
}

/** `files` are absolute paths of sources under `root`. Rejects when a source does not compile, which is printed. */
export async function compile(root: string, files: readonly string[], change?: SourceChange): Promise<Compiled> {
  removeLeftovers(root);
  const folder = join(home(root), String(process.pid));
  mkdirSync(folder, { recursive: true });
  const common = {
    outdir: folder,
    outbase: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Files as Node would choose them, not as other compilers do.
    conditions: [],
    banner: { js: REQUIRE },
    keepNames: true,
    // The less there is to read, the sooner a process has begun.
    minifyWhitespace: true,
    sourcemap: true,
    // The sources are there; in the maps they would be read again by every process.
    sourcesContent: false,
    outExtension: { '.js': '.mjs' },
    inject: change === undefined ? [] : [change.exportsFrom],
    logLevel: 'error',
  } satisfies BuildOptions;
  const plugins = [leftOut, packages, sourceFolders(change)];
  const isWhole = (file: string): boolean => relative(root, file).startsWith(WHOLE);
  await Promise.all([
    build({ ...common, plugins, entryPoints: PROGRAMS.map((path) => join(root, path)) }),
    build({ ...common, plugins, entryPoints: files.filter((file) => !isWhole(file)) }),
    build({ ...common, plugins: [everything(root), ...plugins], entryPoints: files.filter(isWhole) }),
  ]);
  return {
    folder,
    fileOf: (source) => join(folder, relative(root, source)).replace(/\.ts$/, '.mjs'),
    sourceOf: (file) => (file.startsWith(folder) ? relative(folder, file).replace(/\.mjs$/, '.ts') : relative(root, file)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What killed runs left behind. */
function removeLeftovers(root: string): void {
  if (!existsSync(home(root))) return;
  for (const pid of readdirSync(home(root))) if (!isRunning(Number(pid))) rmSync(join(home(root), pid), { recursive: true, force: true });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
