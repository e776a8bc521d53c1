/**
 * Finds where a text stops being JSON. The engine's own message does not always say, differs between versions of Node, and repeats parts of
 * the text. Only called after JSON.parse refused the text; not recursive, whatever the nesting.
 */

const LINE_END = 0x0a;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

type Expect = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

/** `unexpected "x" at line 3, column 14`, or that the text ends too early. */
export function describeJsonError(text: string): string {
  const at = jsonErrorIndex(text);
  if (text.slice(at).trim() === '') return text.trim() === '' ? 'the text is empty' : 'the text ends too early';
  let line = 1;
  let lineAt = 0;
  for (let before = 0; before < at; before++) {
    if (text.charCodeAt(before) !== LINE_END) continue;
    line++;
    lineAt = before + 1;
  }
  const column = at - lineAt + 1;
  return `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0))} at line ${line}, column ${column}`;
}

function jsonErrorIndex(text: string): number {
  /** Open brackets, innermost last. */
  const open: ('{' | '[')[] = [];
  let expect: Expect = 'value';
  let at = 0;
  for (;;) {
    while (isBlank(text.charCodeAt(at))) at++;
    const char = text.charAt(at);
    if (char === '') return at;
    const inner = open.at(-1);
    if (expect === ':') {
      if (char !== ':') return at;
      expect = 'value';
      at++;
    } else if (expect === ', or end') {
      if (char === ',' && inner !== undefined) expect = inner === '{' ? 'key' : 'value';
      else if (char === closing(inner)) open.pop();
      else return at;
      at++;
    } else if ((expect === 'value or ]' && char === ']') || (expect === 'key or }' && char === '}')) {
      open.pop();
      expect = ', or end';
      at++;
    } else if (expect === 'key' || expect === 'key or }') {
      const string = scanString(text, at);
      if (!string.isWhole) return string.at;
      expect = ':';
      at = string.at;
    } else if (char === '{' || char === '[') {
      open.push(char);
      expect = char === '{' ? 'key or }' : 'value or ]';
      at++;
    } else {
      const scalar = char === '"' ? scanString(text, at) : scanScalar(text, at);
      if (!scalar.isWhole) return scalar.at;
      expect = ', or end';
      at = scalar.at;
    }
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === LINE_END || code === 0x0d;
}

function closing(bracket: '{' | '[' | undefined): string {
  if (bracket === undefined) return 'nothing';
  return bracket === '{' ? '}' : ']';
}

interface Scanned {
  readonly isWhole: boolean;
  /** The offset after the token, or where it is broken. */
  readonly at: number;
}

function scanScalar(text: string, from: number): Scanned {
  SCALAR.lastIndex = from;
  const isWhole = SCALAR.test(text);
  return { isWhole, at: isWhole ? SCALAR.lastIndex : from };
}

function scanString(text: string, from: number): Scanned {
  if (text.charAt(from) !== '"') return { isWhole: false, at: from };
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') return { isWhole: true, at: at + 1 };
    if (char < ' ') return { isWhole: false, at };
    if (char !== '\\') continue;
    at++;
    const escaped = text.charAt(at);
    if (escaped === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) return { isWhole: false, at };
      at += 4;
    } else if (!'"\\/bfnrt'.includes(escaped)) return { isWhole: false, at };
  }
  return { isWhole: false, at: text.length };
}
