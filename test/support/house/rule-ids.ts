/**
 * HS12: a rule of behaviour is defined in one way, `* **AB12** what holds`, in a README.md or RULES.md, once; and the title of a test
 * begins with the rules that it proves. Each rule has a test, and each id in a title, a document or a comment is a rule.
 */
import { commentsOf, lineAt, visit } from './parsed.ts';
import type { HouseRule, TreeFile } from './tree.ts';

const ID = /[A-Z]{2}\d{1,2}/.source;
const DEFINITION = new RegExp(`^\\* \\*\\*(${ID})\\*\\* \\S`, 'gm');
/** What looks like a definition and is none: a range, a row of a table, a list in a comment. */
const OTHER_FORM = new RegExp(`^(?:[*-] \\*\\*${ID}[^*\\d][^*]*\\*\\*|\\| *${ID} *\\|)`, 'gm');
const LIST_IN_COMMENT = new RegExp(`^ *\\* - (${ID})\\b`, 'gm');
/** The ids at the head of a title: one, several, or a range. */
const HEAD = new RegExp(`^${ID}(?:(?:, | and | |–)${ID})*(?![\\w–])`);
/** Saves parsing helpers and benchmarks. */
const MAY_HAVE_TITLES = new RegExp(`['"\`]${ID}|\\b(?:test|it)\\(`);
const MENTION = new RegExp(`\\b(${ID})(?:–(${ID}))?\\b`, 'g');

export const rulesAreTested: HouseRule = {
  seenMin: 400,
  check(files) {
    const { rules, wrong } = definitions(files);
    const tested = new Set<string>();
    for (const file of files.filter(({ path }) => /^test\/.*\.ts$/.test(path))) {
      const { ids, untitled } = titles(file);
      for (const id of ids) {
        tested.add(id);
        if (!rules.has(id)) wrong.push(`${file.path} has a test of ${id}, which is no rule`);
      }
      for (const { title, line } of untitled) wrong.push(`${file.path}:${line} has a test of no rule: "${title}"`);
    }
    for (const [id, at] of rules) {
      if (at.length > 1) wrong.push(`${id} is defined in ${at.join(' and ')}`);
      if (!tested.has(id)) wrong.push(`${at[0]} defines ${id}, which no test proves`);
    }
    return { seen: rules.size, wrong: [...wrong, ...strayMentions(files, new Set(rules.keys()))] };
  },
};

const inRuleFolder = (path: string): boolean => /^(protocol|store|daemon|test)\//.test(path);

function definitions(files: readonly TreeFile[]): { rules: Map<string, string[]>; wrong: string[] } {
  const rules = new Map<string, string[]>();
  const wrong: string[] = [];
  for (const file of files.filter(({ path }) => path.endsWith('.md'))) {
    const isHome = inRuleFolder(file.path) && /(^|\/)(README|RULES)\.md$/.test(file.path);
    for (const { 1: id = '', index } of file.text.matchAll(DEFINITION)) {
      if (isHome) rules.set(id, [...(rules.get(id) ?? []), file.path]);
      else wrong.push(`${file.path}:${lineAt(file, index)} defines ${id} outside the READMEs of the folders`);
    }
    for (const { 0: text, index } of file.text.matchAll(OTHER_FORM)) {
      wrong.push(`${file.path}:${lineAt(file, index)} defines nothing: "${text}" is not the form of a rule`);
    }
  }
  for (const file of files.filter(({ path }) => inRuleFolder(path) && /\.tsx?$/.test(path))) {
    for (const { text, line } of commentsOf(file)) {
      const ids = [...text.matchAll(LIST_IN_COMMENT)].map(([, id]) => id);
      if (ids.length > 0) wrong.push(`${file.path}:${line} tells rules that a README tells: ${ids.join(', ')}`);
    }
  }
  return { rules, wrong };
}

/** `AB1–AB3` is AB1, AB2 and AB3. */
function unfold(first: string, last = first): string[] {
  const area = first.slice(0, 2);
  if (!last.startsWith(area)) return [first, last];
  const [from, to] = [Number(first.slice(2)), Number(last.slice(2))];
  return Array.from({ length: Math.max(0, to - from) + 1 }, (_, at) => `${area}${from + at}`);
}

const idsIn = (text: string): string[] => [...text.matchAll(MENTION)].flatMap(([, first = '', last]) => unfold(first, last));

interface Titles {
  readonly ids: ReadonlySet<string>;
  /** Tests whose title, and that of what they stand in, begins with no id. */
  readonly untitled: readonly { readonly title: string; readonly line: number }[];
}

/**
 * The ids at the head of every text of a test file: titles stand in calls, in templates and in tables of cases. A title that begins with
 * an expression takes its id from such a table.
 */
function titles(file: TreeFile): Titles {
  const ids = new Set<string>();
  if (!MAY_HAVE_TITLES.test(file.text)) return { ids, untitled: [] };
  const calls: { readonly title: string; readonly hasId: boolean; readonly start: number; readonly end: number; readonly name: string }[] =
    [];
  const take = (text: string): boolean => {
    const head = HEAD.exec(text)?.[0];
    for (const id of idsIn(head ?? '')) ids.add(id);
    return head !== undefined;
  };
  visit(file, {
    Literal: ({ value }) => {
      if (typeof value === 'string') take(value);
    },
    TemplateLiteral: ({ quasis }) => {
      take(quasis[0]?.value.cooked ?? '');
    },
    CallExpression: ({ callee, arguments: [title], start, end }) => {
      const name = callee.type === 'Identifier' ? callee.name : '';
      if (!['test', 'it', 'describe', 'suite'].includes(name) || title === undefined) return;
      const text =
        title.type === 'Literal' ? String(title.value) : title.type === 'TemplateLiteral' ? (title.quasis[0]?.value.cooked ?? '') : '';
      calls.push({ title: text, hasId: HEAD.test(text), start, end, name });
    },
  });
  const untitled = calls
    .filter(({ name, title, hasId }) => (name === 'test' || name === 'it') && title !== '' && !hasId)
    .filter(({ start, end }) => !calls.some((outer) => outer.hasId && outer.start <= start && outer.end >= end))
    .map(({ title, start }) => ({ title, line: lineAt(file, start) }));
  return { ids, untitled };
}

/** Ids in documents and comments that look like those of an area of rules and are none. */
function strayMentions(files: readonly TreeFile[], rules: ReadonlySet<string>): string[] {
  const areas = new Set([...rules].map((id) => id.slice(0, 2)));
  const wrong: string[] = [];
  for (const file of files) {
    const texts = file.path.endsWith('.md')
      ? [{ text: file.text, line: 1 }]
      : inRuleFolder(file.path) && /\.tsx?$/.test(file.path)
        ? commentsOf(file)
        : [];
    for (const { text, line } of texts) {
      const stray = new Set(idsIn(text).filter((id) => areas.has(id.slice(0, 2)) && !rules.has(id)));
      if (stray.size > 0)
        wrong.push(`${file.path}${file.path.endsWith('.md') ? '' : `:${line}`} mentions ${[...stray].join(', ')}, which is no rule`);
    }
  }
  return wrong;
}
