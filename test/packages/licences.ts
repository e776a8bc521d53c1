/** The licences of everything that a bundle holds: its packages, and Node. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { isObject } from '../../protocol/base/json.ts';
import { ROOT } from './kit.ts';

const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
/** Licences that ask for no more than their text and their notice. */
const GOOD = /^(MIT|ISC|BSD-[23]-Clause|Apache-2\.0|0BSD|Zlib)$/;
/** The licences that hold together, from an expression such as `(MIT AND Zlib)`. */
const allOf = (license: string): string[] => license.replace(/^\((.*)\)$/, '$1').split(' AND ');
const NODE_PLACES = [join(dirname(process.execPath), '../LICENSE'), '/usr/share/doc/nodejs/LICENSE', '/usr/local/LICENSE'];

/** Rejects when a package has another licence than rosterd can be handed on with. */
export async function licencesOf({ inputs }: Metafile): Promise<string> {
  const folders = new Set(Object.keys(inputs).flatMap((path) => PACKAGE_FOLDER.exec(path)?.[0] ?? []));
  const parts = await Promise.all([...folders].sort().map(licenceOf));
  return `${[await nodeLicence(), ...parts].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

async function licenceOf(folder: string): Promise<string> {
  const place = join(ROOT, folder);
  const manifest: unknown = JSON.parse(await readFile(join(place, 'package.json'), 'utf8'));
  if (!isObject(manifest)) throw new Error(`${folder}/package.json is not an object`);
  const { name, version, licenses } = manifest;
  // The list is the older form of the field.
  const first: unknown = Array.isArray(licenses) ? licenses[0] : undefined;
  const license = manifest.license ?? (isObject(first) ? first.type : undefined);
  if (typeof license !== 'string' || !allOf(license).every((one) => GOOD.test(one)))
    throw new Error(`${name} has the licence ${JSON.stringify(license)}`);
  const files = (await readdir(place)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(place, file), 'utf8')));
  return [`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n');
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
