/** PK8: the Debian package in a Debian of its own: installed, started, upgraded, removed and purged. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { output, plainEnv, type Results, whileServing } from './kit.ts';

const SUITE = 'bookworm';
const CONFIG = 'etc/rosterd/rosterd.json';
const DATA = 'var/lib/rosterd';
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Makes the smallest Debian that there is in a folder. Node is not in it. */
export async function makeSystem(folder: string): Promise<string> {
  const root = join(folder, 'system');
  await output('debootstrap', ['--variant=minbase', SUITE, root], { env: plainEnv() });
  return root;
}

/** Within the system, with a /proc that goes with the command. */
const within = (root: string, ...command: readonly string[]): readonly [string, string[]] => [
  'unshare',
  ['--mount', 'sh', '-c', 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', root, ...command],
];

async function inside(root: string, ...command: readonly string[]): Promise<string> {
  const [file, args] = within(root, ...command);
  return await output(file, args, { cwd: '/', env: { PATH, DEBIAN_FRONTEND: 'noninteractive' } });
}

/** Owner, group and mode, as in the system. */
async function ownership(root: string, path: string): Promise<string> {
  return (await inside(root, 'stat', '-c', '%U:%G %a', `/${path}`)).trim();
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export async function tryDeb(file: string, root: string, results: Results): Promise<void> {
  const inSystem = `/${basename(file)}`;
  await writeFile(join(root, inSystem), await readFile(file));
  const isInstalled = await results.check('PK8 deb install', async () => {
    await inside(root, 'dpkg', '--install', inSystem);
    assert.equal(await ownership(root, CONFIG), 'root:rosterd 640');
    assert.equal(await ownership(root, DATA), 'rosterd:rosterd 700');
    const without = await inside(root, 'sh', '-c', 'command -v node nodejs || echo without Node');
    assert.equal(without.trim(), 'without Node');
    return `in a new ${SUITE} ${without.trim()}; the settings are root:rosterd 640, the data rosterd:rosterd 700`;
  });
  if (!isInstalled) return;
  await results.check('PK8 deb start', () => tryStart(root));
  await results.check('PK8 deb upgrade', async () => {
    await writeFile(join(root, CONFIG), '{"listen": "127.0.0.1:8801", "data": "/var/lib/rosterd"}\n');
    await inside(root, 'dpkg', '--install', inSystem);
    assert.match(await readFile(join(root, CONFIG), 'utf8'), /8801/);
    assert.equal(await ownership(root, CONFIG), 'root:rosterd 640');
    return 'settings that were changed stay, and so do their owner and mode';
  });
  await results.check('PK8 deb remove and purge', () => tryRemoval(root));
}

async function tryStart(root: string): Promise<string> {
  let seen = '';
  const [file, args] = within(
    root,
    ...['setpriv', '--reuid=rosterd', '--regid=rosterd', '--clear-groups'],
    ...['/usr/bin/rosterd', 'serve', '--config', `/${CONFIG}`, '--listen', '127.0.0.1:0'],
  );
  await whileServing({ file, args: [...args], cwd: '/', env: { PATH } }, async (url) => {
    seen = await inside(root, 'rosterd', 'doctor', '--ready', '--url', url);
  });
  assert.ok(await isThere(join(root, DATA, 'snapshot')), 'the last snapshot');
  return `as the user rosterd; rosterd doctor says: ${seen.trim()}`;
}

async function tryRemoval(root: string): Promise<string> {
  await inside(root, 'dpkg', '--remove', 'rosterd');
  assert.ok(!(await isThere(join(root, 'usr/bin/rosterd'))) && !(await isThere(join(root, 'usr/lib/rosterd'))));
  assert.ok(
    (await isThere(join(root, CONFIG))) && (await isThere(join(root, DATA, 'credentials.json'))),
    'removing keeps settings and data',
  );
  await inside(root, 'dpkg', '--purge', 'rosterd');
  for (const path of ['etc/rosterd', DATA, 'usr/lib/systemd/system/rosterd.service']) assert.ok(!(await isThere(join(root, path))), path);
  const left = await inside(
    root,
    'sh',
    '-c',
    'dpkg-query -W rosterd 2>/dev/null; getent passwd rosterd; find / -xdev -name "*rosterd*" -not -name "*.deb" -not -path "/proc/*"; true',
  );
  assert.equal(left.trim(), '', 'purging leaves nothing');
  return 'removing keeps settings and data, purging leaves nothing, the user included';
}
