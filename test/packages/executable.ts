/** PK5, PK6: the single executable, which holds Node, and its tarball. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { FILES_READ, packageVersion } from '../../daemon/cli/version.ts';
import { assertGuidesLead, layDocuments } from './documents.ts';
import { inFolder, megabytes, output, PACKAGES, type Results, ROOT, whileServing } from './kit.ts';
import { licencesOf } from './licences.ts';

/** By this text in its file, Node knows whether something was put into it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
/** Faster variants, with native code, of what `ws` and `pg` do as well. */
const NATIVE = /^(bufferutil|utf-8-validate|pg-native)$/;
/** An environment without Node, and without anything else. */
const BARE = { PATH: '/usr/bin-without-node:/bin-without-node' };

/** The optional packages are missing here as they are where they are not installed: require throws what their callers expect. */
const withoutNative: Plugin = {
  name: 'without-native',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: NATIVE }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /./, namespace: 'absent' }, ({ path }) => ({
      contents: `throw Object.assign(new Error('${path} is not in this package'), { code: 'MODULE_NOT_FOUND' })`,
    }));
  },
};

/** The whole program as one CommonJS file, the only form that a single executable takes. Names are kept, so errors can be read. */
async function bundle(outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    ...{ absWorkingDir: ROOT, entryPoints: ['daemon/main.ts'], outfile, bundle: true, platform: 'node', format: 'cjs', target: 'node20' },
    ...{ minifyWhitespace: true, minifySyntax: true, legalComments: 'none', metafile: true, plugins: [withoutNative] },
    // The folder of a source is asked for only where there are sources (version.ts).
    ...{ logLevel: 'warning', logOverride: { 'empty-import-meta': 'silent' } },
  });
  return metafile;
}

export interface Executable {
  /** The file itself. */
  readonly file: string;
  readonly metafile: Metafile;
}

/** Makes the executable from the Node that runs this, in a folder. `useCodeCache` stays off: with it, `import()` fails. */
export async function buildExecutable(folder: string): Promise<Executable> {
  const [main, config, blob, file] = ['rosterd.cjs', 'sea.json', 'rosterd.blob', 'rosterd'].map((name) => join(folder, name));
  assert.ok(main !== undefined && config !== undefined && blob !== undefined && file !== undefined);
  const metafile = await bundle(main);
  const assets = Object.fromEntries(FILES_READ.map((name) => [name, join(ROOT, name)]));
  const settings = { main, output: blob, assets, disableExperimentalSEAWarning: true, useSnapshot: false, useCodeCache: false };
  await writeFile(config, JSON.stringify(settings));
  await output(process.execPath, ['--experimental-sea-config', config]);
  await copyFile(await realpath(process.execPath), file);
  await chmod(file, 0o755);
  await output('strip', [file]);
  await output('npx', ['--no-install', 'postject', file, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
  return { file, metafile };
}

/** Lays the executable and its launcher out below `prefix`, as in /usr. */
export async function layOut({ file }: Pick<Executable, 'file'>, prefix: string): Promise<void> {
  await mkdir(join(prefix, 'lib/rosterd'), { recursive: true });
  await mkdir(join(prefix, 'bin'), { recursive: true });
  await copyFile(file, join(prefix, 'lib/rosterd/rosterd'));
  await copyFile(join(ROOT, 'daemon/deploy/launcher.sh'), join(prefix, 'bin/rosterd'));
  for (const name of ['lib/rosterd/rosterd', 'bin/rosterd']) await chmod(join(prefix, name), 0o755);
}

/** Resolves with the file of the tarball. */
export async function buildTarball(executable: Executable, folder: string): Promise<string> {
  const name = `rosterd-${packageVersion()}-${process.platform}-${process.arch}`;
  const place = join(folder, name);
  await layOut(executable, place);
  await writeFile(join(place, 'THIRD-PARTY-LICENSES'), await licencesOf(executable.metafile));
  await copyFile(join(ROOT, 'LICENSE'), join(place, 'LICENSE'));
  await layDocuments(place);
  const tarball = join(PACKAGES, `${name}.tar.gz`);
  await output('tar', ['-czf', tarball, '--owner=0', '--group=0', '--sort=name', '-C', folder, name]);
  return tarball;
}

export async function tryTarball(tarball: string, results: Results): Promise<void> {
  await inFolder(async (folder) => {
    await results.check('PK5 executable tarball', async () => {
      const names = await output('tar', ['-xzvf', tarball, '-C', folder]);
      for (const needed of ['/LICENSE', '/THIRD-PARTY-LICENSES', '/README.md', '/bin/rosterd', '/lib/rosterd/rosterd'])
        assert.ok(names.includes(needed), needed);
      const own = names.split('\n').map((name) => name.slice(name.indexOf('/') + 1));
      await assertGuidesLead(own.filter((name) => name !== '' && !name.endsWith('/')));
      return `${megabytes((await stat(tarball)).size)} packed, ${names.trim().split('\n').length} entries`;
    });
    const place = join(folder, basename(tarball, '.tar.gz'));
    await results.check('PK5 executable without Node', () => tryWithoutNode(join(place, 'lib/rosterd/rosterd'), folder));
    await results.check('PK5 executable demo', async () => {
      const said = await output(join(place, 'lib/rosterd/rosterd'), ['demo'], { cwd: folder, env: BARE });
      assert.match(said, /10,000/);
      return `rosterd demo starts others of itself: ${said.trim().split('\n').at(-1)}`;
    });
    await results.check('PK6 executable young generation', () => tryLauncher(join(place, 'bin/rosterd'), folder));
  });
}

async function tryWithoutNode(file: string, folder: string): Promise<string> {
  const version = await output(file, ['--version'], { cwd: folder, env: BARE });
  assert.equal(version, `${packageVersion()}\n`, 'the version alone, without a warning');
  let seen = '';
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data')];
  await whileServing({ file, args, cwd: folder, env: BARE }, async (url) => {
    const users = join(folder, 'users.ndjson');
    await writeFile(users, '{"id":"ann","name":"Ann"}\n');
    seen = await output(file, ['sync', users, '--url', url, '--data', join(folder, 'data')], { cwd: folder, env: BARE });
    assert.match(seen, /created +1/);
  });
  return `${megabytes((await stat(file)).size)}; /readyz is 200 and a sync creates a user, with an empty PATH`;
}

/** The launcher becomes the executable, under the same process id, and that has the flag of the young generation. */
async function tryLauncher(file: string, folder: string): Promise<string> {
  let options = '';
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data')];
  await whileServing({ file, args, cwd: folder, env: { PATH: '/usr/bin:/bin', NODE_OPTIONS: '--no-deprecation' } }, async (_, pid) => {
    const variables = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
    options = variables.find((variable) => variable.startsWith('NODE_OPTIONS=')) ?? '';
    assert.match(await realpath(`/proc/${pid}/exe`), /lib\/rosterd\/rosterd$/);
  });
  assert.equal(options, 'NODE_OPTIONS=--max-semi-space-size=32 --no-deprecation');
  return `the launcher hands over with ${options}`;
}
