/**
 * What the processes of a run share out among them: the tests of a folder run in one process, or in a few, or each file has a
 * process of its own.
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
 * `files`: absolute paths of sources. `processes`: how many share the files of a folder (path from the root) and of those below it
 * that have no number of their own; a file of a folder without one, or one that is `alone` (path from the root), has its own.
 */
export function sharesOf(
  root: string,
  files: readonly string[],
  compiled: Compiled,
  processes: Readonly<Record<string, number>>,
  alone: readonly string[],
): Share[] {
  const members = new Map<string, string[]>();
  const counts = new Map<string, number>();
  for (const file of files) {
    const path = relative(root, file);
    const folder = alone.includes(path) ? undefined : nearest(dirname(path), processes);
    const most = folder === undefined ? 1 : (processes[folder] ?? 1);
    const count = counts.get(folder ?? path) ?? 0;
    counts.set(folder ?? path, count + 1);
    const name = most === 1 ? (folder ?? path) : `${folder}/${(count % most) + 1}`;
    members.set(name, [...(members.get(name) ?? []), compiled.fileOf(file)]);
  }
  return [...members].map(([name, [entry = '', ...more]]) => {
    if (more.length === 0) return { name, entry };
    const all = join(compiled.folder, `${name}.mjs`);
    writeFileSync(all, [entry, ...more].map((path) => `import ${JSON.stringify(path)};\n`).join(''));
    return { name, entry: all };
  });
}

/** The folder itself, or the nearest above it, that has an entry. */
function nearest(folder: string, entries: Readonly<Record<string, number>>): string | undefined {
  if (folder in entries) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : nearest(above, entries);
}
