/** The licences of everything that a bundle holds: its packages, and Node. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { ROOT } from './kit.ts';

const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
/** Licences that ask for no more than their text and their notice. */
const GOOD = /^(MIT|ISC|BSD-[23]-Clause|Apache-2\.0|0BSD|Zlib)$/;
/** The licences that hold together, from an expression such as `(MIT AND Zlib)`. */
const allOf = (license: string): string[] => license.replace(/^\((.*)\)$/, '$1').split(' AND ');
/** Between two licences. */
const RULE = `\n\n${'-'.repeat(80)}\n\n`;
const NODE_PLACES = [join(dirname(process.execPath), '../LICENSE'), '/usr/share/doc/nodejs/LICENSE', '/usr/local/LICENSE'];

/**
 * That of Node, and what `npm run build` has collected. Rejects when a package of the bundle is not in it, and when one has another licence
 * than rosterd can be handed on with.
 */
export async function licencesOf({ inputs }: Metafile): Promise<string> {
  const collected = (await readFile(join(ROOT, 'dist/daemon/THIRD-PARTY-LICENSES'), 'utf8')).trimEnd();
  const parts = collected.split(RULE);
  const named = new Set(parts.map(packageOf));
  const folders = new Set(Object.keys(inputs).flatMap((path) => PACKAGE_FOLDER.exec(path)?.[0] ?? []));
  for (const folder of folders) {
    const { name, version } = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8'));
    if (!named.has(`${name} ${version}`)) throw new Error(`${name} ${version} has no licence in dist/daemon/THIRD-PARTY-LICENSES`);
  }
  return `${[await nodeLicence(), ...parts].join(RULE)}\n`;
}

/** Name and version of the package that the text begins with. */
function packageOf(text: string): string {
  const [, name = '', license = ''] = /^(\S+ \S+) \((.*)\)$/m.exec(text) ?? [];
  if (!allOf(license).every((one) => GOOD.test(one))) throw new Error(`${name} has the licence ${JSON.stringify(license)}`);
  return name;
}

/** Not every package of Node brings its licence. */
async function nodeLicence(): Promise<string> {
  const head = `Node.js ${process.version} and the libraries within it`;
  for (const place of NODE_PLACES) {
    const text = await readFile(place, 'utf8').catch(() => '');
    if (text !== '') return `${head}\n\n${text.trim()}`;
  }
  return `${head}: https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
}
