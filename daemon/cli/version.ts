/**
 * The package itself: its version, read from package.json, its only source, and its files that are not code. A single executable holds
 * these files as assets, under the same names.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { isObject } from '../../protocol/base/json.ts';

/** The files that the program reads at run time, by their paths in the package. */
export const FILES_READ: readonly string[] = [
  'package.json',
  'daemon/deploy/haproxy.cfg',
  ...['index.html', 'app.js', 'plot.js', 'app.css'].map((name) => `dist/console/${name}`),
];

let version: string | undefined;

export function packageVersion(): string {
  version ??= versionIn(packageText('package.json'));
  return version;
}

/** A file of the package. `name`: its path in the package, one of FILES_READ. Throws when it is not there. */
export function packageBytes(name: string): Buffer {
  return isSea() ? Buffer.from(getAsset(name)) : readFileSync(join(packageFolder(), name));
}

/** The text of such a file. */
export function packageText(name: string): string {
  return packageBytes(name).toString('utf8');
}

function versionIn(text: string): string {
  const manifest: unknown = JSON.parse(text);
  if (isObject(manifest) && typeof manifest.version === 'string') return manifest.version;
  throw new Error('package.json of rosterd has no version');
}

/** Searches upwards, because the sources are one folder less deep than the built files in `dist/`. Not for a single executable, which has none. */
export function packageFolder(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isObject(manifest) && manifest.name === 'rosterd') return folder;
  }
  throw new Error('package.json of rosterd not found');
}
