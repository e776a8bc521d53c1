/** What documents say about the tree and its words. */
import { dirname, join } from 'node:path/posix';
import { commentsOf } from './parsed.ts';
import { folderOf, type HouseRule, type TreeFile } from './tree.ts';

/** The rows of the Markdown table below a heading, as lists of cells; undefined without the heading. */
export function tableUnder(heading: string, text: string): string[][] | undefined {
  const start = `\n${text}`.indexOf(`\n${heading}\n`);
  if (start < 0) return undefined;
  const lines = text.slice(start + heading.length).split('\n');
  const rows = lines.slice(lines.findIndex((line) => line.startsWith('|')));
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(2, end === -1 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** HS14: the glossary in CONTRIBUTING.md says what each word of the product means, once. */
export const wordsOnce: HouseRule = {
  seenMin: 12,
  check(files) {
    const rows = tableUnder('## Words', files.find(({ path }) => path === 'CONTRIBUTING.md')?.text ?? '');
    if (rows === undefined) return { seen: 0, wrong: ['CONTRIBUTING.md has no table of words under "## Words"'] };
    const wrong: string[] = [];
    const known = new Set<string>();
    for (const [cell = '', meaning = ''] of rows) {
      for (const word of cell.split(/,| \/ /).map((each) => each.trim().replaceAll('*', '').toLowerCase())) {
        if (known.has(word)) wrong.push(`"${word}" is in the glossary twice`);
        if (word === '' || meaning === '') wrong.push(`a row of the glossary lacks its word or its meaning: "${cell}"`);
        known.add(word);
      }
    }
    return { seen: known.size, wrong };
  },
};

/** A path or a name of a file of the tree, with or without its folders; not the end of an address. */
const FILE = /(?<![\w./:@<-])(?:\.{1,2}\/)*\w[\w.-]*(?:\/[\w.-]+)*\.(?:ts|md|py|java)\b(?![\w/])/g;
/** A folder of the tree from its root on. */
const FOLDER = /(?<![\w./:@<-])(?:protocol|store|daemon|test)\/(?:[\w.-]+\/)*(?![\w*<{…])/g;

/** HS15: a file or folder that a document or comment names exists, and the name fits one file only. */
export const namedFilesExist: HouseRule = {
  seenMin: 200,
  check(files) {
    const paths = new Set(files.map(({ path }) => path));
    const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
    const wrong: string[] = [];
    let seen = 0;
    for (const file of files) {
      for (const { text, line } of prose(file)) {
        for (const [name] of text.matchAll(FILE)) {
          seen++;
          const found = filesNamed(name, file, paths);
          if (found !== 1)
            wrong.push(`${file.path}:${line} names ${name}, which ${found === 0 ? 'is no file' : `may be any of ${found} files`}`);
        }
        for (const [name] of text.matchAll(FOLDER)) {
          seen++;
          if (!folders.has(name)) wrong.push(`${file.path}:${line} names ${name}, which is no folder`);
        }
      }
    }
    return { seen, wrong };
  },
};

/** The folders above a path, each with its last slash. */
function foldersOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, at) => `${names.slice(0, at + 1).join('/')}/`);
}

/** What is said, without the blocks that show what a program prints. */
function prose(file: TreeFile): { readonly text: string; readonly line: number }[] {
  if (file.path.endsWith('.md')) {
    const shown = file.text.replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ' '));
    return shown.split('\n').map((text, at) => ({ text, line: at + 1 }));
  }
  return /^(protocol|store|daemon|test)\/.*\.tsx?$/.test(file.path) ? commentsOf(file) : [];
}

/** How many files a name may mean: the one beside the file that names it, the one at that path, those of the same layer, or any. */
function filesNamed(name: string, by: TreeFile, paths: ReadonlySet<string>): number {
  if (paths.has(join(dirname(by.path), name)) || paths.has(name)) return 1;
  const layer = folderOf(by.path).split('/')[0];
  const all = [...paths].filter((path) => path.endsWith(`/${name}`));
  const near = all.filter((path) => path.startsWith(`${layer}/`));
  return near.length > 0 ? near.length : all.length;
}

/** HS19: a relative link of a document leads to a file or folder, and its anchor to a heading of it. */
export const linksLead: HouseRule = {
  seenMin: 60,
  check(files) {
    const texts = new Map(files.map(({ path, text }) => [path, text]));
    const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
    const wrong: string[] = [];
    let seen = 0;
    for (const file of files.filter(({ path }) => path.endsWith('.md')))
      for (const { text, line } of prose(file))
        for (const [, target = ''] of text.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
          if (/^[a-z]+:/.test(target)) continue;
          seen++;
          const [to = '', anchor] = target.split('#');
          const path = to === '' ? file.path : join(dirname(file.path), to);
          // Pictures are no text.
          const isThere = texts.has(path) || folders.has(path.endsWith('/') ? path : `${path}/`) || /\.png$/.test(path);
          if (!isThere) wrong.push(`${file.path}:${line} links to ${target}, which is not there`);
          else if (anchor !== undefined && !anchorsOf(texts.get(path) ?? '').has(anchor))
            wrong.push(`${file.path}:${line} links to ${target}, and there is no such heading`);
        }
    return { seen, wrong };
  },
};

/** The anchors of the headings of a document, as code hosts make them: of equal ones, the later ones are numbered. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} +(.+)$/gm)) {
    const name = heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let anchor = name;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${name}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}
