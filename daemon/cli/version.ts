/** The version of this package, read from package.json, its only source. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isObject } from '../../protocol/base/json.ts';

let known: string | undefined;

/** Searches upwards, because the sources are one folder less deep than the built files in `dist/`. */
export function packageVersion(): string {
  if (known !== undefined) return known;
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isObject(manifest) && manifest.name === 'rosterd' && typeof manifest.version === 'string') {
      known = manifest.version;
      return known;
    }
  }
  throw new Error('package.json of rosterd not found');
}
