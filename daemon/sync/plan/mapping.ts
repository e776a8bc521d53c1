/**
 * Maps the columns of a source to the fields of a user, by the names of the columns or by a map. Pure.
 *
 * All errors in the names are found and reported before the first row is read.
 */
import { InexactNumber, NOT_EXACT } from '../../../protocol/base/exact-numbers.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { isForbiddenName } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { pathReader } from '../../../protocol/users/custom-path.ts';
import { RESERVED_FIELDS } from '../../../protocol/users/user.ts';
import { isFieldName, LIKE_A_FIELD, type RowMapping } from '../source-user.ts';
import { bare, type CellType, convert, isEmptyCell, NAMED_TYPES } from './cell-types.ts';

/** Fields that a column can fill, and their types. `custom` is all custom data as one JSON object. */
const FIELD_TYPES: ReadonlyMap<string, CellType> = new Map<string, CellType>([
  ['id', 'text'],
  ['name', 'text'],
  ['image', 'text'],
  ['role', 'text'],
  ['language', 'text'],
  ['invisible', 'boolean'],
  ['teams', 'list'],
  ['teams_role', 'json'],
  ['privacy_settings', 'json'],
  ['custom', 'json'],
]);
/** Fields in which white space around the value is none of it. */
const NAMES: ReadonlySet<string> = new Set(['id', 'role', 'language']);
const CUSTOM = 'custom.';
const FIELDS_TEXT = `${[...FIELD_TYPES.keys()].join(', ')}, custom.<name>`;

/** The map or the header cannot be used. `problems` has one entry for each error. */
export class MappingError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'MappingError';
    this.problems = problems;
  }
}

export interface MappingSource {
  /** The parsed map file. */
  readonly map?: unknown;
  /** Columns of a table; its items are then lists of cells. Absent: items are objects, and a column is a path such as `person.name`. */
  readonly columns?: readonly string[];
}

export interface CompiledMapping extends RowMapping {
  /** Notes for a person, such as columns that are left out. */
  readonly notes: readonly string[];
}

interface Rule {
  readonly target: string;
  readonly type: CellType;
  readonly separator: string | undefined;
  /** The input's name in messages. */
  readonly column?: string;
  readonly read: (item: unknown) => unknown;
}

interface Wanted {
  readonly column?: string;
  readonly value?: unknown;
  readonly type?: string;
  readonly separator?: string;
}

/** Throws MappingError. */
export function compileMapping({ map, columns }: MappingSource): CompiledMapping {
  if (map === undefined && columns === undefined) return { map: (value) => ({ value }), neverFound: () => [], notes: [] };
  const problems: string[] = [];
  if (columns !== undefined) problems.push(...headerProblems(columns));
  const { wanted, notes } = map === undefined ? fromHeader(columns ?? [], problems) : fromMap(map, columns, problems);
  const rules: Rule[] = [];
  for (const [target, want] of wanted) {
    rules.push(compileRule(target, want, columns, problems));
  }
  const id = wanted.get('id');
  if (id === undefined) problems.push(map === undefined ? 'there is no column "id"' : 'the map does not say what the id is');
  else if ('value' in id) problems.push('id: cannot be the same for everyone');
  if (problems.length > 0) {
    const hint = columns === undefined ? [] : [`columns of the source: ${columns.map(columnName).join(', ')}`];
    throw new MappingError([...problems, ...hint]);
  }
  const unnamed = map === undefined ? (columns ?? []).flatMap((name, index) => (name === '' ? [index] : [])) : [];
  return new Table(rules, notes, columns === undefined, unnamed);
}

class Table implements CompiledMapping {
  readonly notes: readonly string[];
  readonly #rules: readonly Rule[];
  /** Columns of objects that no item has had yet. */
  readonly #unseen: Set<Rule>;
  /** Indexes of the columns whose cells must all be empty, since nothing says what they are. */
  readonly #unnamed: readonly number[];

  constructor(rules: readonly Rule[], notes: readonly string[], isOfObjects: boolean, unnamed: readonly number[]) {
    this.#rules = rules;
    this.notes = notes;
    this.#unnamed = unnamed;
    this.#unseen = new Set(isOfObjects ? rules.filter(({ column }) => column !== undefined) : []);
  }

  map(item: unknown): ReturnType<RowMapping['map']> {
    const user: Record<string, unknown> = {};
    const problems: string[] = [];
    for (const rule of this.#rules) {
      const found = rule.read(item);
      if (found !== undefined && this.#unseen.size > 0) this.#unseen.delete(rule);
      if (isEmptyCell(found)) continue;
      const lost = lostNumber(found, rule);
      if (lost !== undefined) {
        problems.push(lost);
        continue;
      }
      const value = typeof found === 'string' && NAMES.has(rule.target) ? bare(found) : found;
      const converted = convert(value, rule.type, rule.separator);
      if ('problem' in converted) problems.push(`${rule.target}: ${converted.problem}`);
      else if (rule.target === 'custom') spread(converted.value, user, problems);
      else user[rule.target.startsWith(CUSTOM) ? rule.target.slice(CUSTOM.length) : rule.target] = converted.value;
    }
    for (const index of this.#unnamed) {
      if (Array.isArray(item) && !isEmptyCell(item[index])) problems.push(`column ${index + 1} has no name, but there is a value in it`);
    }
    return problems.length === 0 ? { value: user } : { id: user.id, problems };
  }

  neverFound(): readonly string[] {
    return [...this.#unseen].map(({ column }) => column ?? '');
  }
}

/** The problem with a number that is not the one that was meant, by the name that the source gives it. */
function lostNumber(found: unknown, { type, column, target }: Rule): string | undefined {
  if (found instanceof InexactNumber) return found.text;
  // A database may have rounded a large number before, so its digits are no id.
  const isRounded = type === 'text' && typeof found === 'number' && Number.isInteger(found) && !Number.isSafeInteger(found);
  return isRounded ? `${column ?? target}: ${found} ${NOT_EXACT}` : undefined;
}

/** Chat v1 has custom data beside the fields, so no custom key may have the name of a field. */
function spread(custom: unknown, user: Record<string, unknown>, problems: string[]): void {
  if (!isObject(custom)) {
    problems.push('custom: must be a JSON object');
    return;
  }
  for (const [key, value] of Object.entries(custom)) {
    const problem = keyProblem(key);
    if (problem !== undefined) problems.push(`custom.${clip(key)}: ${problem}`);
    else if (!Object.hasOwn(user, key)) user[key] = value;
  }
}

function keyProblem(key: string): string | undefined {
  if (isForbiddenName(key)) return `"${key}" is a reserved name`;
  return isFieldName(key) ? LIKE_A_FIELD : undefined;
}

/** An unnamed column is called by its number. */
function columnName(name: string, index: number): string {
  return name === '' ? `column ${index + 1}` : clip(name);
}

function headerProblems(columns: readonly string[]): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const name of columns) {
    if (name !== '' && seen.has(name)) problems.push(`there are two columns "${clip(name)}"`);
    seen.add(name);
  }
  return problems;
}

type Plan = { readonly wanted: ReadonlyMap<string, Wanted>; readonly notes: readonly string[] };

/** `name`, `custom.age:number`. Fields that only the daemon sets may be in the header, as in an exported file, and are left out. */
function fromHeader(columns: readonly string[], problems: string[]): Plan {
  const wanted = new Map<string, Wanted>();
  const unknown: string[] = [];
  const leftOut: string[] = [];
  const unnamed: string[] = [];
  for (const [index, column] of columns.entries()) {
    const [, name = column, type] = /^(.*?):([^:]*)$/.exec(column) ?? [];
    if (column === '') {
      unnamed.push(columnName(column, index));
      continue;
    }
    if (RESERVED_FIELDS.has(name) || name === 'revoke_tokens_issued_before') leftOut.push(name);
    else if (!FIELD_TYPES.has(name) && !name.startsWith(CUSTOM)) unknown.push(column);
    else if (wanted.has(name)) problems.push(`there are two columns for ${clip(name)}`);
    else wanted.set(name, type === undefined ? { column } : { column, type });
  }
  if (unknown.length > 0) {
    const better = unknown.map((name) => `custom.${clip(name)}`).join(', ');
    const named = unknown.map((name) => clip(name)).join(', ');
    problems.push(
      `unknown columns: ${named}. To keep them as custom data call them ${better}; or name the columns that count with --map. ` +
        `Fields of a user: ${FIELDS_TEXT}`,
    );
  }
  return { wanted, notes: [...leftOutNote('only the daemon sets them', leftOut), ...leftOutNote('they have no name', unnamed)] };
}

function leftOutNote(reason: string, columns: readonly string[]): readonly string[] {
  return columns.length === 0 ? [] : [`left out, since ${reason}: ${columns.join(', ')}`];
}

function fromMap(map: unknown, columns: readonly string[] | undefined, problems: string[]): Plan {
  const wanted = new Map<string, Wanted>();
  if (!isObject(map)) throw new MappingError(['the map must be a JSON object: {"<field>": "<column>", …}']);
  for (const [target, sent] of Object.entries(map)) {
    const want = readWanted(target, sent, problems);
    if (want !== undefined) wanted.set(target, want);
  }
  const used = new Set([...wanted.values()].map(({ column }) => column));
  const leftOut = columns?.flatMap((column, index) => (used.has(column) ? [] : [columnName(column, index)])) ?? [];
  return { wanted, notes: leftOutNote('the map does not name them', leftOut) };
}

const WANTED_KEYS: ReadonlySet<string> = new Set(['column', 'value', 'type', 'separator']);

function readWanted(target: string, sent: unknown, problems: string[]): Wanted | undefined {
  const at = clip(target);
  if (typeof sent === 'string') return { column: sent };
  if (!isObject(sent) || Object.hasOwn(sent, 'column') === Object.hasOwn(sent, 'value')) {
    problems.push(`${at}: must be the name of a column, {"column": …} or {"value": …}`);
    return undefined;
  }
  const unknown = Object.keys(sent).filter((key) => !WANTED_KEYS.has(key));
  if (unknown.length > 0) problems.push(`${at}: unknown ${unknown.map((key) => `"${clip(key)}"`).join(', ')}`);
  const { column, type, separator } = sent;
  if (Object.hasOwn(sent, 'value')) return { value: sent.value };
  for (const [name, value] of Object.entries({ column, type, separator })) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) problems.push(`${at}: "${name}" must be a text`);
  }
  if (typeof column !== 'string') return undefined;
  return {
    column,
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof separator === 'string' ? { separator } : {}),
  };
}

/** The rule is of use only when there was no problem. */
function compileRule(target: string, want: Wanted, columns: readonly string[] | undefined, problems: string[]): Rule {
  const at = clip(target);
  const own = target.startsWith(CUSTOM) ? 'any' : FIELD_TYPES.get(target);
  if (own === undefined) problems.push(`${at} is no field of a user; there are ${FIELDS_TEXT}`);
  if (target.startsWith(CUSTOM)) {
    const key = target.slice(CUSTOM.length);
    const problem = key.includes('.')
      ? 'must not have a dot in its name; fill it with a column of type json'
      : key === ''
        ? 'needs a name'
        : keyProblem(key);
    if (problem !== undefined) problems.push(`${at}: ${problem}`);
  }
  const named = NAMED_TYPES.find((known) => known === want.type);
  const type = named ?? own ?? 'any';
  if (want.type !== undefined && named === undefined) {
    problems.push(`${at}: unknown type "${clip(want.type)}"; there are ${NAMED_TYPES.join(', ')}`);
  } else if (own !== undefined && own !== 'any' && type !== own) {
    problems.push(`${at}: is of type ${own}, not ${type}`);
  }
  if (want.separator !== undefined && type !== 'list') problems.push(`${at}: only a list has a separator`);
  const { column, separator } = want;
  if (column === undefined) return { target, type: 'any', separator, read: () => want.value };
  const index = columns?.indexOf(column);
  if (index === -1) problems.push(`${at}: there is no column "${clip(column)}"`);
  const valueAt = pathReader(column);
  const read =
    index === undefined
      ? (item: unknown) => (isObject(item) ? valueAt(item) : undefined)
      : (item: unknown) => (Array.isArray(item) ? item[index] : undefined);
  return { target, type, column, read, separator };
}
