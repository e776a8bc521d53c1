/** PK11: what belongs to all packages: their sums, and the list of what is in them. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersion } from '../../daemon/cli/version.ts';
import { isObject } from '../../protocol/base/json.ts';
import { output, PACKAGES, type Results, ROOT } from './kit.ts';

const SUMS = 'SHA256SUMS';
const SBOM = `rosterd-${packageVersion()}.cdx.json`;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The sums come last: they are those of all that is there by then. */
export async function makeSums(results: Results): Promise<void> {
  await results.check('PK11 SBOM', makeSbom);
  await results.check('PK11 sums', async () => {
    const names = (await readdir(PACKAGES)).filter((name) => name !== SUMS && name.includes(packageVersion())).sort();
    await writeFile(join(PACKAGES, SUMS), await output('sha256sum', names, { cwd: PACKAGES }));
    await output('sha256sum', ['--check', '--strict', SUMS], { cwd: PACKAGES });
    return names.join(', ');
  });
}

async function makeSbom(): Promise<string> {
  const text = await output('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev']);
  const sbom: unknown = JSON.parse(text);
  assert.ok(isObject(sbom) && sbom.bomFormat === 'CycloneDX' && Array.isArray(sbom.components));
  const named = new Set(sbom.components.map((component: unknown) => (isObject(component) ? component.name : undefined)));
  // A file of this project, with the fields that npm gives it.
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys(dependencies)) assert.ok(named.has(name), `${name} is missing`);
  for (const name of Object.keys(devDependencies)) assert.ok(!named.has(name), `${name} is in no package`);
  await writeFile(join(PACKAGES, SBOM), text);
  return `${SBOM}, CycloneDX ${sbom.specVersion}, ${named.size} packages`;
}
