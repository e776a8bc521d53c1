/**
 * A guide as its reader takes it: prose, and blocks to type, to save and to compare. The first words of a fenced block say which it is:
 *
 * - `sh`: to be typed where the reader stands;
 * - `sh on …`: to be typed somewhere else, as the rest of the line says: on a server, as root;
 * - `text`: what the `sh` block before it prints, with `…` for what differs each time: within a line, or for whole lines;
 * - a language and a path: a file to be saved.
 */

export interface Block {
  readonly kind: 'run' | 'elsewhere' | 'shown' | 'file';
  readonly language: string;
  /** Of a file: where it goes. */
  readonly path: string;
  readonly text: string;
  /** Of its first line in the guide, from 1. */
  readonly line: number;
}

/** Throws with the line of a block that is none of these. */
export function blocksOf(guide: string): readonly Block[] {
  return [...guide.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: head = '', 2: text = '', index }) => {
    const line = guide.slice(0, index).split('\n').length + 1;
    const [language = '', ...words] = head.trim().split(' ');
    const rest = words.join(' ');
    if (language === 'sh' && rest === '') return { kind: 'run', language, path: '', text, line };
    if (language === 'sh' && rest.startsWith('on ')) return { kind: 'elsewhere', language, path: '', text, line };
    if (language === 'text' && rest === '') return { kind: 'shown', language, path: '', text, line };
    if (/^[\w./@-]*\w\.\w+$/.test(rest)) return { kind: 'file', language, path: rest, text, line };
    throw new Error(`line ${line - 1}: \`\`\`${head} is no block that a guide can have (test/support/guides/blocks.ts)`);
  });
}

/** Undefined when this is what a guide shows; else the first line that is not, or is missing. */
export function difference(shown: string, printed: string): string | undefined {
  const lines = trimmed(shown).map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${escaped(line).replaceAll('…', '.*')}\\n`));
  const isSame = (count: number, end: string): boolean => new RegExp(`^${lines.slice(0, count).join('')}${end}`).test(text);
  const text = `${trimmed(printed).join('\n')}\n`;
  if (isSame(lines.length, '$')) return undefined;
  const wrong = lines.findIndex((_, at) => !isSame(at + 1, ''));
  return wrong === -1 ? 'there is more than the guide shows' : `no line is like: ${trimmed(shown)[wrong]}`;
}

function trimmed(text: string): readonly string[] {
  return text
    .replace(/\s+$/, '')
    .split('\n')
    .map((line) => line.trimEnd());
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
