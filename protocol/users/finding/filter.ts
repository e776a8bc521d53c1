/**
 * The filter language of user queries (FL1–FL21): the syntax of a filter and
 * its parsed form. Pure. Matching is in filter-match.ts, whole queries in query.ts.
 *
 * Absent values: a comparison, `$in` or `$eq` with a value never matches them; `$ne`, `$nin`, `$not` and `$nor` do.
 * `$eq: null` matches exactly absent values and custom values that are null. A value of another type is unequal and not comparable.
 */
import { type FieldError, fieldErrors, PROBLEMS_MAX } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import { LIMITS } from '../../base/limits.ts';
import { parseTime } from '../../base/time.ts';
import { pathProblem } from '../custom-path.ts';
import { foldText, wordsOf } from '../names.ts';
import { KNOWN_FIELDS, RESERVED_FIELDS } from '../user.ts';

const STRING_FIELDS = ['id', 'name', 'image', 'role', 'language'] as const;
const TIME_FIELDS = ['created_at', 'updated_at', 'last_active', 'deactivated_at', 'deleted_at'] as const;
const BOOLEAN_FIELDS = ['banned', 'shadow_banned', 'online', 'invisible'] as const;

export type StringField = (typeof STRING_FIELDS)[number];
export type TimeField = (typeof TIME_FIELDS)[number];
export type BooleanField = (typeof BOOLEAN_FIELDS)[number];

export type FieldRef =
  | { readonly kind: 'string'; readonly name: StringField }
  /** Compared in microseconds. */
  | { readonly kind: 'time'; readonly name: TimeField }
  | { readonly kind: 'boolean'; readonly name: BooleanField }
  | { readonly kind: 'teams' }
  /** As it was sent, with or without `custom.`. */
  | { readonly kind: 'custom'; readonly path: string };

export type Comparison = '$gt' | '$gte' | '$lt' | '$lte';

export type Test =
  | { readonly op: '$eq'; readonly value: Json }
  | { readonly op: '$in'; readonly values: readonly Json[] }
  | { readonly op: Comparison; readonly value: string | number }
  | { readonly op: '$exists'; readonly value: boolean }
  | { readonly op: '$contains'; readonly value: Json }
  | { readonly op: '$autocomplete' | '$q'; readonly text: string };

export type ParsedFilter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly ParsedFilter[] }
  | { readonly kind: 'not'; readonly part: ParsedFilter }
  | { readonly kind: 'test'; readonly field: FieldRef; readonly test: Test };

const ALL: ParsedFilter = { kind: 'and', parts: [] };

/**
 * Reads a filter. Throws RosterError `input` that names every wrong field, or the bound that the filter exceeds; `at` is the place of the
 * filter in the request.
 */
export function parseFilter(json: unknown, at = 'filter_conditions'): ParsedFilter {
  const problems: FieldError[] = [];
  const filter = new Parser(problems).filter(json, at, 1);
  const conditions = conditionsOf(filter);
  if (conditions > LIMITS.filterConditions) {
    problems.unshift({ path: at, message: `must not have more than ${LIMITS.filterConditions} conditions, got ${conditions}` });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return filter;
}

/** Comparisons that one user can need: one for each test, each further word of a searched text, and each object in a list. */
export function conditionsOf(filter: ParsedFilter): number {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.reduce((sum, part) => sum + conditionsOf(part), filter.parts.length === 0 ? 1 : 0);
    case 'not':
      return conditionsOf(filter.part);
    case 'test':
      return conditionsOfTest(filter.test);
  }
}

function conditionsOfTest(test: Test): number {
  if (test.op === '$in') return 1 + test.values.filter((value) => typeof value === 'object' && value !== null).length;
  return Math.max(1, searchedWords(test));
}

/** The words that a text is searched for; 0 for another test. */
export function searchedWords(test: Test): number {
  if (test.op === '$autocomplete') return 1;
  return test.op === '$q' ? Math.max(1, wordsOf(foldText(test.text)).length) : 0;
}

class Parser {
  readonly #problems: FieldError[];

  constructor(problems: FieldError[]) {
    this.#problems = problems;
  }

  #wrong(path: string, message: string): ParsedFilter {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ path, message });
    return ALL;
  }

  filter(json: unknown, at: string, depth: number): ParsedFilter {
    if (depth > LIMITS.queryDepth) return this.#wrong(at, `is nested deeper than ${LIMITS.queryDepth} levels`);
    if (json === undefined || json === null || (Array.isArray(json) && json.length === 0)) return ALL;
    if (!isObject(json)) return this.#wrong(at, 'must be an object');
    const parts = Object.entries(json).map(([key, value]) => this.#entry(key, value, `${at}.${key}`, depth));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'and', parts };
  }

  #entry(key: string, value: unknown, at: string, depth: number): ParsedFilter {
    switch (key) {
      case '$and':
      case '$or':
      case '$nor': {
        if (!Array.isArray(value) || value.length === 0) return this.#wrong(at, 'must be a list of filters that is not empty');
        const parts = value.map((part, index) => this.filter(part, `${at}[${index}]`, depth + 1));
        return key === '$and'
          ? { kind: 'and', parts }
          : key === '$or'
            ? { kind: 'or', parts }
            : { kind: 'not', part: { kind: 'or', parts } };
      }
      case '$not':
        return { kind: 'not', part: this.filter(value, at, depth + 1) };
      default:
        return key.startsWith('$') ? this.#wrong(at, `unknown operator ${key}`) : this.#field(key, value, at, depth);
    }
  }

  #field(name: string, value: unknown, at: string, depth: number): ParsedFilter {
    const field = fieldRef(name);
    if (typeof field === 'string') return this.#wrong(at, field);
    // Any team. PHP writes an empty map as `[]`.
    if (field.kind === 'teams' && isEmpty(value)) return { kind: 'test', field, test: { op: '$exists', value: true } };
    if (!isObject(value)) return this.#operator(field, name, '$eq', value, at);
    const plain = Object.keys(value).filter((key) => !key.startsWith('$'));
    if (plain.length === Object.keys(value).length) {
      // A bare object is a value to compare with; only custom data has objects.
      if (field.kind !== 'custom') return this.#wrong(at, `field "${name}" expects an operator`);
      return { kind: 'test', field, test: { op: '$eq', value: value as Json } };
    }
    return this.#operators(field, name, value, at, depth);
  }

  /** Operators on one field, all of which must hold. */
  #operators(field: FieldRef, name: string, operators: Readonly<Record<string, unknown>>, at: string, depth: number): ParsedFilter {
    if (depth > LIMITS.queryDepth) return this.#wrong(at, `is nested deeper than ${LIMITS.queryDepth} levels`);
    const parts = Object.entries(operators).map(([operator, operand]): ParsedFilter => {
      const where = `${at}.${operator}`;
      // An operator without its $ would be read as a value to compare with, and match nobody.
      if (!operator.startsWith('$')) return this.#wrong(where, 'operators begin with $');
      if (operator !== '$not') return this.#operator(field, name, operator, operand, where);
      if (!isObject(operand) || isEmpty(operand)) return this.#wrong(where, 'expects an object of operators');
      return { kind: 'not', part: this.#operators(field, name, operand, where, depth + 1) };
    });
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'and', parts };
  }

  #operator(field: FieldRef, name: string, operator: string, operand: unknown, at: string): ParsedFilter {
    const test = (one: Test): ParsedFilter => ({ kind: 'test', field, test: one });
    const not = (part: ParsedFilter): ParsedFilter => ({ kind: 'not', part });
    const unsupported = (): ParsedFilter => this.#wrong(at, `field "${name}" does not support ${operator}`);
    switch (operator) {
      case '$eq':
      case '$ne': {
        const value = this.#value(field, name, operand, at);
        return operator === '$eq' ? test({ op: '$eq', value }) : not(test({ op: '$eq', value }));
      }
      case '$in':
      case '$nin': {
        const values = this.#values(field, name, operand, at);
        return operator === '$in' ? test({ op: '$in', values }) : not(test({ op: '$in', values }));
      }
      case '$gt':
      case '$gte':
      case '$lt':
      case '$lte': {
        if (field.kind === 'boolean' || field.kind === 'teams') return unsupported();
        const value = this.#value(field, name, operand, at);
        if (typeof value === 'string' || typeof value === 'number') return test({ op: operator, value });
        // An unreadable time is already among the problems.
        if (field.kind === 'time' && operand !== null) return ALL;
        return this.#wrong(at, `field "${name}" expects a string or a number to compare with`);
      }
      case '$exists':
        return typeof operand === 'boolean' ? test({ op: '$exists', value: operand }) : this.#wrong(at, 'expects true or false');
      case '$contains':
        if (field.kind !== 'teams' && field.kind !== 'custom') return unsupported();
        return test({ op: '$contains', value: field.kind === 'teams' ? this.#string(name, operand, at) : (operand as Json) });
      case '$autocomplete':
      case '$q':
        if (field.kind !== 'string') return unsupported();
        if (typeof operand !== 'string' || foldText(operand).trim() === '') return this.#wrong(at, 'expects a text that is not empty');
        if (operand.length > LIMITS.searchTextChars) return this.#wrong(at, `must not be longer than ${LIMITS.searchTextChars} characters`);
        return test({ op: operator, text: operand });
      default:
        return this.#wrong(at, `unknown operator ${operator}`);
    }
  }

  #values(field: FieldRef, name: string, operand: unknown, at: string): Json[] {
    if (!Array.isArray(operand)) {
      this.#wrong(at, 'expects a list');
      return [];
    }
    if (operand.length > LIMITS.queryInValues) {
      this.#wrong(at, `holds more than ${LIMITS.queryInValues} values`);
      return [];
    }
    return operand.map((item, index) => this.#value(field, name, item, `${at}[${index}]`));
  }

  #value(field: FieldRef, name: string, operand: unknown, at: string): Json {
    if (operand === null) return null;
    switch (field.kind) {
      case 'string':
        return this.#string(name, operand, at);
      case 'teams':
        return Array.isArray(operand)
          ? operand.map((team, index) => this.#string(name, team, `${at}[${index}]`))
          : this.#string(name, operand, at);
      case 'time': {
        const time = parseTime(operand);
        if (time === undefined) this.#wrong(at, `field "${name}" expects an RFC 3339 time`);
        return time ?? null;
      }
      case 'boolean':
        if (typeof operand !== 'boolean') this.#wrong(at, `field "${name}" expects type boolean`);
        return operand === true;
      case 'custom':
        return operand as Json;
    }
  }

  #string(name: string, operand: unknown, at: string): string {
    if (typeof operand === 'string') return operand;
    this.#wrong(at, `field "${name}" expects type string`);
    return '';
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** The field that a name refers to: one of the record's own, or custom data by bare name, `custom.name` or a dotted path. */
export function fieldRef(name: string): FieldRef | string {
  const string = STRING_FIELDS.find((field) => field === name);
  if (string !== undefined) return { kind: 'string', name: string };
  const time = TIME_FIELDS.find((field) => field === name);
  if (time !== undefined) return { kind: 'time', name: time };
  const boolean = BOOLEAN_FIELDS.find((field) => field === name);
  if (boolean !== undefined) return { kind: 'boolean', name: boolean };
  if (name === 'teams') return { kind: 'teams' };
  const [head = ''] = name.split('.');
  // Read as custom data, such a name would be absent for every user, and the answer would be wrong without an error.
  if (name === 'custom' || (head !== 'custom' && (KNOWN_FIELDS.has(head) || RESERVED_FIELDS.has(head)))) return 'cannot be used here';
  return pathProblem(name) ?? { kind: 'custom', path: name };
}

/** Sets by which an index can narrow a query: every match has its id, its name, or one of its teams in them. */
export interface FilterHints {
  readonly ids?: readonly string[];
  readonly names?: readonly string[];
  readonly teams?: readonly string[];
}

export function filterHints(filter: ParsedFilter): FilterHints {
  const hints: { ids?: readonly string[]; names?: readonly string[]; teams?: readonly string[] } = {};
  for (const part of conjuncts(filter)) {
    if (part.kind !== 'test') continue;
    const values = exactValues(part.test);
    if (values === undefined) continue;
    if (part.field.kind === 'teams') hints.teams ??= values;
    else if (part.field.kind === 'string' && part.field.name === 'id') hints.ids ??= values;
    else if (part.field.kind === 'string' && part.field.name === 'name') hints.names ??= values;
  }
  return hints;
}

function* conjuncts(filter: ParsedFilter): Iterable<ParsedFilter> {
  if (filter.kind === 'and') for (const part of filter.parts) yield* conjuncts(part);
  else yield filter;
}

/** Strings of which the field must equal or hold at least one; undefined when the test does not name any. */
function exactValues(test: Test): readonly string[] | undefined {
  const values = test.op === '$eq' || test.op === '$contains' ? [test.value] : test.op === '$in' ? test.values : undefined;
  return values?.every((value) => typeof value === 'string') ? values : undefined;
}
