/** HS3: files and functions stay short enough to be read. The bounds are those that CONTRIBUTING.md names. */
import { functionsOf } from './parsed.ts';
import { type HouseRule, isSource, type TreeFile } from './tree.ts';

interface Bounds {
  readonly file: number;
  readonly func: number;
  readonly testFile: number;
}

/** Reads them out of the sentence that tells them. */
function boundsIn(files: readonly TreeFile[]): Bounds | undefined {
  const text = files.find(({ path }) => path === 'CONTRIBUTING.md')?.text.replaceAll(/\s+/g, ' ') ?? '';
  const [, file, func] = /Files have at most (\d+) lines, functions at most (\d+)/.exec(text) ?? [];
  const [, testFile] = /test files at most (\d+)/.exec(text) ?? [];
  if (file === undefined || func === undefined || testFile === undefined) return undefined;
  return { file: Number(file), func: Number(func), testFile: Number(testFile) };
}

const linesOf = ({ text }: TreeFile): number => (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n').length;

export const shortEnough: HouseRule = {
  seenMin: 1000,
  check(files) {
    const bounds = boundsIn(files);
    if (bounds === undefined) return { seen: 0, wrong: ['CONTRIBUTING.md does not name the bounds of files, functions and test files'] };
    const wrong: string[] = [];
    let seen = 0;
    for (const file of files) {
      const isTest = /^test\/.*\.ts$/.test(file.path);
      if (!isTest && !isSource(file)) continue;
      const max = isTest ? bounds.testFile : bounds.file;
      if (linesOf(file) > max) wrong.push(`${file.path} has ${linesOf(file)} lines; at most ${max} are allowed`);
      if (isTest) continue;
      for (const { name, line, lines } of functionsOf(file)) {
        seen++;
        if (lines > bounds.func) wrong.push(`${file.path}:${line} ${name} has ${lines} lines; at most ${bounds.func} are allowed`);
      }
    }
    return { seen, wrong };
  },
};
