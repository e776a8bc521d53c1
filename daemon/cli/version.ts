/** The package itself: its version, read from package.json, its only source, and its files that are not code. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isObject } from '../../protocol/base/json.ts';

let known: { readonly folder: string; readonly version: string } | undefined;

export function packageVersion(): string {
  return thisPackage().version;
}

/** The path of a file of the package. `name`: its path in the package. */
export function packageFile(name: string): string {
  return join(thisPackage().folder, name);
}

/** Searches upwards, because the sources are one folder less deep than the built files in `dist/`. */
function thisPackage(): { readonly folder: string; readonly version: string } {
  if (known !== undefined) return known;
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isObject(manifest) && manifest.name === 'rosterd' && typeof manifest.version === 'string') {
      known = { folder, version: manifest.version };
      return known;
    }
  }
  throw new Error('package.json of rosterd not found');
}
