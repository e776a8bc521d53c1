/** PK7, PK12: the Debian package: its files, its description, and what lintian says. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packageVersion } from '../../daemon/cli/version.ts';
import { layDocuments } from './documents.ts';
import { type Executable, layOut } from './executable.ts';
import { megabytes, output, PACKAGES, type Results, ROOT } from './kit.ts';
import { licencesOf } from './licences.ts';
import { maintainer } from './maintainer.ts';
import { manPage } from './man-page.ts';

const SOURCES = join(ROOT, 'daemon/deploy');

interface File {
  /** Below the root of the system. */
  readonly to: string;
  readonly content: string | Buffer;
}

/** When the sources were last changed, so that the same sources give the same package. */
async function changedAt(): Promise<Date> {
  const seconds = process.env.SOURCE_DATE_EPOCH ?? (await output('git', ['log', '-1', '--format=%ct']));
  return new Date(Number(seconds) * 1_000);
}

const control = (architecture: string, kilobytes: number, maintainedBy: string): string => `Package: rosterd
Version: ${packageVersion()}-1
Architecture: ${architecture}
Maintainer: ${maintainedBy}
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libgcc-s1 (>= 3.4), libstdc++6 (>= 9), adduser
Suggests: postgresql, haproxy | nginx
Section: net
Priority: optional
Description: self-hosted, real-time user directory
 rosterd is a daemon that holds the users of an application. Chat clients
 connect live, subscribers receive every change in order and resume without
 loss, and server-side jobs bring in whole user bases.
 .
 This package holds the daemon with its commands as one executable, which
 needs no Node.js, and a service for systemd.
`;

/** `Mon, 30 Nov 2026 10:00:00 +0000`. */
const debianDate = (at: Date): string => at.toUTCString().replace('GMT', '+0000');

const changelog = (at: Date, maintainedBy: string): string => `rosterd (${packageVersion()}-1) unstable; urgency=medium

  * The changes are in CHANGELOG.md of the sources.

 -- ${maintainedBy}  ${debianDate(at)}
`;

const copyright = (licence: string): string => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: rosterd
Comment: The executable also holds Node.js and packages of npm. Their licences
 are in /usr/share/doc/rosterd/THIRD-PARTY-LICENSES.gz.

Files: *
Copyright: ${/Copyright \(c\) (.*)/.exec(licence)?.[1] ?? 'the contributors of rosterd'}
License: Expat
${licence
  .slice(licence.indexOf('Permission is'))
  .trim()
  .split('\n')
  .map((line) => ` ${line === '' ? '.' : line}`)
  .join('\n')}
`;

async function textFiles({ metafile }: Executable, maintainedBy: string): Promise<readonly File[]> {
  const at = await changedAt();
  const [unit, config, overrides, licence] = await Promise.all(
    ['daemon/deploy/rosterd.service', 'daemon/deploy/debian/rosterd.json', 'daemon/deploy/debian/lintian-overrides', 'LICENSE'].map(
      (name) => readFile(join(ROOT, name), 'utf8'),
    ),
  );
  const zipped = (text: string): Buffer => gzipSync(text, { level: 9 });
  return [
    { to: 'usr/lib/systemd/system/rosterd.service', content: unit ?? '' },
    { to: 'etc/rosterd/rosterd.json', content: config ?? '' },
    { to: 'usr/share/lintian/overrides/rosterd', content: overrides ?? '' },
    { to: 'usr/share/doc/rosterd/copyright', content: copyright(licence ?? '') },
    { to: 'usr/share/doc/rosterd/changelog.Debian.gz', content: zipped(changelog(at, maintainedBy)) },
    { to: 'usr/share/doc/rosterd/THIRD-PARTY-LICENSES.gz', content: zipped(await licencesOf(metafile)) },
    { to: 'usr/share/man/man1/rosterd.1.gz', content: zipped(manPage(at.toISOString().slice(0, 10))) },
  ];
}

/** Resolves with the file of the package. */
export async function buildDeb(executable: Executable, folder: string): Promise<string> {
  const maintainedBy = await maintainer();
  const root = join(folder, 'deb');
  await layOut(executable, join(root, 'usr'));
  await layDocuments(join(root, 'usr/share/doc/rosterd'));
  for (const { to, content } of await textFiles(executable, maintainedBy)) {
    await mkdir(join(root, to, '..'), { recursive: true });
    await writeFile(join(root, to), content);
  }
  // As every system expects it, whatever the umask is here.
  await output('chmod', ['-R', 'u=rwX,go=rX', root]);
  const meta = join(root, 'DEBIAN');
  const sums = await output('sh', ['-c', "find * -type f | LC_ALL=C sort | tr '\\n' '\\0' | xargs -0 md5sum"], { cwd: root });
  const size = await output('du', ['-sk', '--apparent-size', root]);
  await mkdir(meta);
  await writeFile(join(meta, 'md5sums'), sums);
  const architecture = (await output('dpkg', ['--print-architecture'])).trim();
  await writeFile(join(meta, 'control'), control(architecture, Number.parseInt(size, 10), maintainedBy));
  await writeFile(join(meta, 'conffiles'), '/etc/rosterd/rosterd.json\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    await copyFile(join(SOURCES, 'debian', script), join(meta, script));
    await chmod(join(meta, script), 0o755);
  }
  const file = join(PACKAGES, `rosterd_${packageVersion()}-1_${architecture}.deb`);
  await output('dpkg-deb', ['--build', '--root-owner-group', '-Zgzip', root, file]);
  return file;
}

export async function tryMaintainer(file: string, results: Results): Promise<void> {
  await results.check('PK12 deb maintainer', async () => {
    const named = (await output('dpkg-deb', ['--field', file, 'Maintainer'])).trim();
    assert.equal(named, await maintainer());
    return `${named} answers for it`;
  });
}

export async function tryLintian(file: string, results: Results): Promise<void> {
  await results.check('PK7 deb lintian', async () => {
    const said = await output('lintian', ['--fail-on', 'error,warning', '--allow-root', '--tag-display-limit', '0', file]);
    return `${megabytes((await stat(file)).size)}; lintian finds nothing to mend${said.trim() === '' ? '' : ` (${said.trim()})`}`;
  });
}
