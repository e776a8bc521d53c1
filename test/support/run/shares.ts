/**
 * What the processes of a run share out among them. The quick tests of a folder run in one process, since starting one takes longer
 * than most of them do; every other file has a process of its own.
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

/** `files`: absolute paths of sources. `isQuick`: whether the tests of a file, by its path from the root, are. */
export function sharesOf(root: string, files: readonly string[], compiled: Compiled, isQuick: (path: string) => boolean): Share[] {
  const members = new Map<string, string[]>();
  for (const file of files) {
    const path = relative(root, file);
    const name = isQuick(path) ? dirname(path) : path;
    members.set(name, [...(members.get(name) ?? []), compiled.fileOf(file)]);
  }
  return [...members].map(([name, [entry = '', ...more]]) => {
    if (more.length === 0) return { name, entry };
    const all = join(compiled.folder, `${name}.mjs`);
    writeFileSync(all, [entry, ...more].map((path) => `import ${JSON.stringify(path)};\n`).join(''));
    return { name, entry: all };
  });
}
