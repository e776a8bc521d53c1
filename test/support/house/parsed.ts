/** What a TypeScript file imports, exports, says in comments, and which functions it has: from a parser, so that no text in a string counts. */
import { dirname, join } from 'node:path/posix';
import { type ParseResult, parseSync, Visitor } from 'oxc-parser';
import type { TreeFile } from './tree.ts';

const results = new WeakMap<TreeFile, ParseResult>();

function parsed(file: TreeFile): ParseResult {
  let result = results.get(file);
  if (result === undefined) {
    result = parseSync(file.path, file.text);
    const [error] = result.errors;
    if (error !== undefined) throw new Error(`${file.path} cannot be parsed: ${error.message}`);
    results.set(file, result);
  }
  return result;
}

/** The line of an offset, from 1. */
export function lineAt({ text }: TreeFile, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Called for every node of one kind. */
export function visit(file: TreeFile, visitor: ConstructorParameters<typeof Visitor>[0]): void {
  new Visitor(visitor).visit(parsed(file).program);
}

/** What it imports, types and `import('…')` included: paths from the root of the tree, or the names of packages, each once. */
export function importsOf(file: TreeFile): string[] {
  const { module } = parsed(file);
  const targets = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? [])),
  ];
  if (/\bimport\s*\(/.test(file.text)) {
    visit(file, {
      ImportExpression: ({ source, start }) => {
        targets.push(source.type === 'Literal' ? String(source.value) : `something computed in line ${lineAt(file, start)}`);
      },
      TSImportType: ({ source }) => {
        targets.push(source.value);
      },
    });
  }
  return [...new Set(targets.map((target) => (target.startsWith('.') ? join(dirname(file.path), target) : target)))];
}

export interface Export {
  /** `*` for everything of another file, `default` for the default export. */
  readonly name: string;
  /** Whether it is another file's, handed on. */
  readonly isHandedOn: boolean;
  /** Whether it is handed on under another name. */
  readonly isRenamed: boolean;
}

/** The names that it exports, each once: a schema and its type often share one. */
export function exportsOf(file: TreeFile): Export[] {
  const found = new Map<string, Export>();
  for (const { entries } of parsed(file).module.staticExports) {
    for (const { exportName, importName, moduleRequest } of entries) {
      const name = exportName.kind === 'Default' ? 'default' : (exportName.name ?? '*');
      const isHandedOn = moduleRequest !== null;
      found.set(name, { name, isHandedOn, isRenamed: isHandedOn && name !== '*' && importName.name !== name });
    }
  }
  return [...found.values()];
}

export interface Piece {
  readonly text: string;
  readonly line: number;
}

/** Its comments, without the signs that make them one. */
export function commentsOf(file: TreeFile): Piece[] {
  return parsed(file).comments.map(({ value, start }) => ({ text: value, line: lineAt(file, start) }));
}

/** Its text with every comment blanked. */
export function codeOf(file: TreeFile): string {
  let code = file.text;
  for (const { start, end } of parsed(file).comments) {
    code = code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ') + code.slice(end);
  }
  return code;
}

export interface MeasuredFunction {
  readonly name: string;
  readonly line: number;
  /** From the line with its name to the line with its last brace. */
  readonly lines: number;
}

/** Every function, method, accessor and arrow function with a body, also those within others. */
export function functionsOf(file: TreeFile): MeasuredFunction[] {
  const found: MeasuredFunction[] = [];
  const measure = (name: string, start: number, end: number): void => {
    const line = lineAt(file, start);
    found.push({ name, line, lines: lineAt(file, end) - line + 1 });
  };
  /** Functions whose name stands before them, where they are counted from. */
  const named = new Set<number>();
  const nameOf = (key: { readonly start: number; readonly end: number }): string => file.text.slice(key.start, key.end);
  const isFunction = (type: string | undefined): boolean => type === 'FunctionExpression' || type === 'ArrowFunctionExpression';
  const from = (
    start: number,
    key: { readonly start: number; readonly end: number },
    value: { readonly type: string; readonly start: number; readonly end: number } | null,
  ): void => {
    if (value === null || !isFunction(value.type)) return;
    named.add(value.start);
    measure(nameOf(key), start, value.end);
  };
  visit(file, {
    FunctionDeclaration: ({ id, start, end }) => measure(id?.name ?? 'default', start, end),
    MethodDefinition: ({ key, value, start }) => from(start, key, value),
    PropertyDefinition: ({ key, value, start }) => from(start, key, value),
    Property: ({ key, value, start }) => from(start, key, value),
    VariableDeclarator: ({ id, init, start }) => from(start, id, init),
    FunctionExpression: ({ id, start, end }) => {
      if (!named.has(start)) measure(id?.name ?? 'a function', start, end);
    },
    ArrowFunctionExpression: ({ start, end }) => {
      if (!named.has(start)) measure('a function', start, end);
    },
  });
  return found;
}
