/** The documents that packages carry, in the folders of the repository, so that the links of the guides lead somewhere. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageText } from '../../daemon/cli/version.ts';
import { linksLead } from '../support/house/docs.ts';
import { output, ROOT } from './kit.ts';

const GUIDES = 'daemon/deploy/guides/';

/** Their paths in the repository: those that the npm package names, but what is only of use to build packages. */
export async function documents(): Promise<readonly string[]> {
  const { files }: { files: readonly string[] } = JSON.parse(packageText('package.json'));
  const offered = (await output('git', ['ls-files', 'daemon/deploy', ':!daemon/deploy/debian', ':!daemon/deploy/launcher.sh']))
    .trim()
    .split('\n');
  return [...files.filter((name) => name.endsWith('.md')), ...offered];
}

/** Copies all of them below a folder. */
export async function layDocuments(folder: string): Promise<void> {
  for (const name of await documents()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), await readFile(join(ROOT, name)));
  }
}

/** Fails when a link of a guide leads to what is not among the files of a package. Returns the number of guides. */
export async function assertGuidesLead(names: readonly string[]): Promise<number> {
  const texts = names
    .filter((name) => name.endsWith('.md'))
    .map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') }));
  const others = names.filter((name) => !name.endsWith('.md')).map((path) => ({ path, text: '' }));
  const { wrong } = linksLead.check([...(await Promise.all(texts)), ...others]);
  assert.deepEqual(
    wrong.filter((line) => line.startsWith(GUIDES)),
    [],
  );
  const guides = names.filter((name) => name.startsWith(GUIDES)).length;
  assert.ok(guides > 0, 'there is no guide');
  return guides;
}
