/** The small changes of behaviour that can be made to a source: found by a parser, so that types, comments and imports stay. */
import { parseSync, Visitor } from 'oxc-parser';

/** One change to one source. */
export interface Mutant {
  /** From the root of the repository, with slashes. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** Whether a statement is replaced, else an expression is. */
  readonly isStatement: boolean;
  /** What stands there instead. */
  readonly replacement: string;
  /** From 1. */
  readonly line: number;
  /** The line without the blanks around it. */
  readonly text: string;
  /** What is changed into what, in one line. */
  readonly change: string;
}

interface Place {
  readonly start: number;
  readonly end: number;
}

interface Expression extends Place {
  readonly type: string;
}

/** What each operator, or method, is changed into. */
const COMPARED = new Map(Object.entries({ '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===' }));
const COMPUTED = new Map(Object.entries({ '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '&': '|', '|': '&', '<<': '>>', '>>>': '<<' }));
const ASSIGNED = new Map(Object.entries({ '+=': '-=', '-=': '+=', '??=': '=' }));
const JOINED = new Map(Object.entries({ '&&': '||', '||': '&&' }));
const CALLED = new Map(Object.entries({ some: 'every', every: 'some', min: 'max', max: 'min', startsWith: 'endsWith' }));
/** A returned one of these is changed by other means, or says nothing when it is. */
const NOT_RETURNED = new Set(['LogicalExpression', 'UnaryExpression', 'Literal', 'Identifier', 'ConditionalExpression']);
const CHANGE_LENGTH_MAX = 160;
/** Numbers from here on are doubled: of most, nobody could notice one more or less. */
const LARGE = 100;

/** Every mutant of `text`, in the order of the source. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const { program, errors } = parseSync(file, text);
  if (errors[0] !== undefined) throw new Error(`${file} cannot be parsed: ${errors[0].message}`);
  const isLeftAlone = leftAlone(program, text);
  const found = new Map<string, Mutant>();
  const add = ({ start, end }: Place, replacement: string, isStatement = false): void => {
    if (isLeftAlone({ start, end })) return;
    const from = text.lastIndexOf('\n', start) + 1;
    const line = text.slice(0, start).split('\n').length;
    const [whole = ''] = text.slice(from).split('\n');
    const change = `${short(text.slice(start, end))} → ${replacement === '' ? 'nothing' : short(replacement)}`;
    const key = `${start} ${end} ${replacement}`;
    if (!found.has(key)) found.set(key, { file, start, end, isStatement, replacement, line, text: whole.trim(), change });
  };
  collect(program, text, add);
  return [...found.values()].sort((a, b) => a.start - b.start || b.end - a.end || (a.replacement < b.replacement ? -1 : 1));
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > CHANGE_LENGTH_MAX ? `${line.slice(0, CHANGE_LENGTH_MAX)}…` : line;
}

type Program = ReturnType<typeof parseSync>['program'];

/** Places that hold no behaviour: types, schemas of what errors a programmer made, keys, names of modules. */
function leftAlone(program: Program, text: string): (place: Place) => boolean {
  const within: Place[] = [];
  const exact: Place[] = [];
  const leave = (place: Place): void => {
    within.push(place);
  };
  new Visitor({
    ImportDeclaration: leave,
    ExportAllDeclaration: leave,
    TSTypeAliasDeclaration: leave,
    TSInterfaceDeclaration: leave,
    TSTypeAnnotation: leave,
    TSTypeParameterInstantiation: leave,
    // The texts and names of errors that only a programmer sees.
    NewExpression: ({ callee, arguments: given }) => {
      if (callee.type === 'Identifier' && /^(Type|Range)?Error$/.test(callee.name)) given.forEach(leave);
    },
    ExpressionStatement: ({ expression, start, end }) => {
      if (expression.type !== 'AssignmentExpression' || expression.right.type !== 'Literal') return;
      if (text.slice(expression.left.start, expression.left.end) === 'this.name') leave({ start, end });
    },
    TSAsExpression: ({ typeAnnotation }) => leave(typeAnnotation),
    TSSatisfiesExpression: ({ typeAnnotation }) => leave(typeAnnotation),
    Property: ({ key, computed, shorthand, start, end }) => {
      if (shorthand) leave({ start, end });
      else if (!computed) leave(key);
    },
    TaggedTemplateExpression: ({ quasi }) => leave(quasi),
    // `units[at] ?? 0` only tells the compiler what is known.
    LogicalExpression: ({ operator, left, right, start, end }) => {
      if (operator !== '??' || !isIndexed(left)) return;
      leave(right);
      exact.push({ start, end });
    },
    ImportExpression: leave,
    MethodDefinition: ({ key, computed }) => {
      if (!computed) leave(key);
    },
  }).visit(program);
  return ({ start, end }) =>
    within.some((place) => place.start <= start && end <= place.end) || exact.some((place) => place.start === start && place.end === end);
}

/** An element of a list, or one end of it. */
function isIndexed(
  node: Expression & { readonly computed?: boolean; readonly callee?: Expression & { readonly property?: object } },
): boolean {
  if (node.type === 'MemberExpression') return node.computed === true;
  const { property } = node.callee ?? {};
  return property !== undefined && 'name' in property && /^(at|codePointAt|charCodeAt|pop|shift)$/.test(String(property.name));
}

/**
 * Where the awaits begin that change nothing: of what a function returns, outside of a `try`. Whoever awaits the function awaits the same.
 */
function awaitedBeforeReturn(program: Program): ReadonlySet<number> {
  const tries: Place[] = [];
  const returned: Expression[] = [];
  new Visitor({
    TryStatement: ({ start, end }) => void tries.push({ start, end }),
    ReturnStatement: ({ argument }) => {
      if (argument !== null) returned.push(argument);
    },
    ArrowFunctionExpression: ({ body }) => void returned.push(body),
  }).visit(program);
  const isTried = (place: Place): boolean => tries.some(({ start, end }) => start < place.start && place.end < end);
  return new Set(returned.flatMap((one) => (one.type === 'AwaitExpression' && !isTried(one) ? [one.start] : [])));
}

type Add = (place: Place, replacement: string, isStatement?: boolean) => void;

function collect(program: Program, text: string, add: Add): void {
  const of = ({ start, end }: Place): string => text.slice(start, end);
  const pointless = awaitedBeforeReturn(program);
  const condition = (test: Expression): void => {
    add(test, 'true');
    add(test, 'false');
  };
  const withOperator = (node: Place, left: Place, right: Place, operator: string | undefined): void => {
    if (operator !== undefined) add(node, `${of(left)} ${operator} ${of(right)}`);
  };
  new Visitor({
    BinaryExpression: (node) => {
      const isText = node.operator === '+' && [node.left, node.right].some(isTextual);
      const operator = COMPARED.get(node.operator) ?? (isText ? undefined : COMPUTED.get(node.operator));
      withOperator(node, node.left, node.right, operator);
    },
    LogicalExpression: (node) => {
      if (node.operator === '??') add(node, of(node.left));
      else withOperator(node, node.left, node.right, JOINED.get(node.operator));
    },
    AssignmentExpression: (node) => withOperator(node, node.left, node.right, ASSIGNED.get(node.operator)),
    UnaryExpression: (node) => {
      if (node.operator === '!' || node.operator === '-') add(node, of(node.argument));
    },
    AwaitExpression: (node) => {
      if (!pointless.has(node.start)) add(node, of(node.argument));
    },
    IfStatement: ({ test }) => condition(test),
    ConditionalExpression: ({ test }) => condition(test),
    Literal: (node) => {
      if (typeof node.value === 'number') add(node, `${node.value < LARGE ? node.value + 1 : node.value * 2}`);
      else if (typeof node.value === 'boolean') add(node, `${!node.value}`);
      else if (typeof node.value === 'string') add(node, node.value === '' ? "'other'" : "''");
    },
    TemplateLiteral: (node) => add(node, '``'),
    ArrayExpression: (node) => {
      if (node.elements.length > 0) add(node, '[]');
    },
    ChainExpression: (node) =>
      add(
        node,
        of(node)
          .replace(/\?\.(?=[[(])/, '')
          .replace('?.', '.'),
      ),
    CallExpression: (node) => {
      const { callee } = node;
      if (callee.type !== 'MemberExpression' || callee.computed || callee.property.type !== 'Identifier') return;
      const { name, start, end } = callee.property;
      const other = CALLED.get(name);
      if (other !== undefined) add(node, `${text.slice(node.start, start)}${other}${text.slice(end, node.end)}`);
    },
    ReturnStatement: (node) => {
      const { argument } = node;
      if (argument === null) add(node, '', true);
      else if (!NOT_RETURNED.has(argument.type) && !(argument.type === 'BinaryExpression' && COMPARED.has(argument.operator)))
        add(argument, 'undefined');
    },
    ExpressionStatement: (node) => {
      const { expression } = node;
      const isSuper = expression.type === 'CallExpression' && expression.callee.type === 'Super';
      if (node.directive === null || node.directive === undefined) if (!isSuper) add(node, '', true);
    },
    ThrowStatement: (node) => add(node, '', true),
    ContinueStatement: (node) => add(node, '', true),
  }).visit(program);
}

const isTextual = ({ type, ...node }: Expression): boolean =>
  type === 'TemplateLiteral' || (type === 'Literal' && 'value' in node && typeof node.value === 'string');

/** `text` with every mutant of it in it, each behind `$mutant(id)`: the id is its place in `ids`. */
export function instrumented(text: string, mutants: readonly (Mutant & { readonly id: number })[]): string {
  const sorted = [...mutants].sort((a, b) => a.start - b.start || b.end - a.end);
  let at = 0;
  /** The text from `start` to `end`, with the mutants that lie in it. */
  const part = (start: number, end: number): string => {
    let done = '';
    let from = start;
    for (let next = sorted[at]; next !== undefined && next.start < end; next = sorted[at]) {
      const same: (typeof next)[] = [];
      const place = next;
      for (let other = sorted[at]; other !== undefined && other.start === place.start && other.end === place.end; other = sorted[at]) {
        same.push(other);
        at++;
      }
      done += text.slice(from, place.start) + switched(same, part(place.start, place.end));
      from = place.end;
    }
    return done + text.slice(from, end);
  };
  return part(0, text.length);
}

function switched(mutants: readonly (Mutant & { readonly id: number })[], original: string): string {
  const statements = mutants.filter(({ isStatement }) => isStatement);
  const expressions = mutants.filter(({ isStatement }) => !isStatement);
  const inner = expressions.reduce(
    (rest, { id, replacement }) => `($mutant(${id}) ? (${replacement}) : ${rest})`,
    expressions.length === 0 ? original : `(${original})`,
  );
  return statements.reduce((rest, { id }) => `{ if (!$mutant(${id})) { ${rest} } }`, inner);
}
