/**
 * What the processes of a run share out among them: starting one takes longer than many files do. The tests of a folder run in one
 * process, or in a few, or each file has a process of its own.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Compiled } from './compile.ts';

export interface Share {
  /** Path of the file or folder, from the root. */
  readonly name: string;
  /** The file that Node loads. */
  readonly entry: string;
}

/**
 * `files`: absolute paths of sources. `processesOf`: how many processes share the files of a folder (path from the root), or
 * undefined where a file (path from the root) has one of its own.
 */
export function sharesOf(
  root: string,
  files: readonly string[],
  compiled: Compiled,
  processesOf: (folder: string, path: string) => number | undefined,
): Share[] {
  const members = new Map<string, string[]>();
  const counts = new Map<string, number>();
  for (const file of files) {
    const path = relative(root, file);
    const folder = dirname(path);
    const processes = processesOf(folder, path);
    const count = counts.get(folder) ?? 0;
    if (processes !== undefined) counts.set(folder, count + 1);
    const name = processes === undefined ? path : processes === 1 ? folder : `${folder}/${(count % processes) + 1}`;
    members.set(name, [...(members.get(name) ?? []), compiled.fileOf(file)]);
  }
  return [...members].map(([name, [entry = '', ...more]]) => {
    if (more.length === 0) return { name, entry };
    const all = join(compiled.folder, `${name}.mjs`);
    writeFileSync(all, [entry, ...more].map((path) => `import ${JSON.stringify(path)};\n`).join(''));
    return { name, entry: all };
  });
}
