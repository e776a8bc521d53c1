/**
 * Puts the errors that a schema finds into words: one error per place, with the
 * path of the place (`users[ann].role`) and the value found there. Runs only
 * after a check has failed, so it need not be fast. Pure.
 */
import type { TSchema, TSchemaOptions } from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import { type FieldError, PROBLEMS_MAX } from './errors.ts';
import { clip, fieldPath, itemPath, typeName } from './field-path.ts';
import { isObject } from './json.ts';

/** The library's own limit, enough for one wrong field: a union makes several findings of it. */
const FINDINGS_MIN = 8;

/** How much is still looked for. The values of one request share it, so that not each of a hundred takes as long as one may. */
export interface Search {
  findings: number;
}

export function newSearch(): Search {
  return { findings: 4 * PROBLEMS_MAX };
}

/** The findings about a value: as many as the search has left, and enough to say what is wrong. */
function findingsIn(schema: Explainable, value: unknown, search: Search): TLocalizedValidationError[] {
  Settings.Set({ maxErrors: Math.max(FINDINGS_MIN, search.findings) });
  const found = schema.Errors(value);
  search.findings -= found.length;
  return found;
}

/** The part of a compiled schema that `explain` uses. */
export interface Explainable {
  Type(): TSchema;
  Errors(value: unknown): TLocalizedValidationError[];
}

const SAYS = Symbol('says');

/**
 * Schema options with a custom text for what a value must be. A single text replaces all errors of the value and inside it;
 * texts by keyword (`type`, `maxItems`) replace the errors of those keywords alone. They do not change the JSON of the schema.
 */
export function says(text: string | Readonly<Record<string, string>>): TSchemaOptions {
  return { [SAYS]: text };
}

/** The part of a schema that bounds how much a value holds, and leads to the schemas of its parts. */
interface Bounds {
  readonly type?: string;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly items?: Bounds;
  readonly properties?: Readonly<Record<string, Bounds>>;
  readonly patternProperties?: Readonly<Record<string, Bounds>>;
  readonly additionalProperties?: Bounds | boolean;
  readonly anyOf?: readonly Bounds[];
}

/**
 * The lists and maps in `value` that hold more than the schema allows. To be asked before anything else is: what is inside them is not
 * looked at, so the work does not grow with the value.
 */
export function overfull(schema: TSchema, value: unknown, path: string): FieldError[] {
  const bound = boundOf(schema as Bounds);
  return isWithin(bound, value) ? [] : excesses(bound, value, () => path);
}

/** The bounds in a schema, as they are looked for: what has none is left out. */
interface Bound {
  readonly schema: Bounds;
  readonly branches: readonly { readonly type: string | undefined; readonly bound: Bound | undefined }[] | undefined;
  readonly items: Bound | undefined;
  readonly properties: readonly (readonly [name: string, bound: Bound])[];
  readonly maps: readonly Bound[];
}

const bounds = new WeakMap<object, { readonly bound: Bound | undefined }>();

/** Undefined when neither the schema nor one inside it has a bound. */
function boundOf(schema: Bounds): Bound | undefined {
  const known = bounds.get(schema);
  if (known !== undefined) return known.bound;
  const { anyOf, items, properties = {}, patternProperties = {}, additionalProperties, maxItems, maxProperties } = schema;
  const made: Bound = {
    schema,
    branches: anyOf?.map((branch) => ({ type: branch.type, bound: boundOf(branch) })),
    items: items && boundOf(items),
    properties: Object.entries(properties).flatMap(([name, inner]) => {
      const bound = boundOf(inner);
      return bound === undefined ? [] : [[name, bound] as const];
    }),
    maps: [...Object.values(patternProperties), ...(typeof additionalProperties === 'object' ? [additionalProperties] : [])].flatMap(
      (inner) => boundOf(inner) ?? [],
    ),
  };
  const isBound =
    maxItems !== undefined ||
    maxProperties !== undefined ||
    made.items !== undefined ||
    made.branches?.some(({ bound }) => bound !== undefined) === true ||
    made.properties.length + made.maps.length > 0;
  const bound = isBound ? made : undefined;
  bounds.set(schema, { bound });
  return bound;
}

/** Whether there are no excesses. Every request is asked, and hardly any holds too much: nothing is made on the way. */
function isWithin(bound: Bound | undefined, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || bound === undefined) return true;
  const { schema, branches, items, properties, maps } = bound;
  const isList = Array.isArray(value);
  if (branches !== undefined) {
    let isFitting = false;
    for (const { type, bound: inner } of branches) {
      if (type !== undefined && type !== (isList ? 'array' : 'object')) continue;
      if (isWithin(inner, value)) return true;
      isFitting = true;
    }
    return !isFitting;
  }
  const max = isList ? schema.maxItems : schema.maxProperties;
  if (max !== undefined && (isList ? value.length : Object.keys(value).length) > max) return false;
  if (isList) return items === undefined || value.every((item) => isWithin(items, item));
  const values = value as Readonly<Record<string, unknown>>;
  for (const [name, inner] of properties) if (!isWithin(inner, values[name])) return false;
  for (const inner of maps) for (const name in values) if (!isWithin(inner, values[name])) return false;
  return true;
}

function excesses(bound: Bound | undefined, value: unknown, path: () => string, found: FieldError[] = []): FieldError[] {
  if (typeof value !== 'object' || value === null || bound === undefined || found.length >= PROBLEMS_MAX) return found;
  const { schema, branches, items, properties, maps } = bound;
  const isList = Array.isArray(value);
  if (branches !== undefined) {
    if (isWithin(bound, value)) return found;
    const fitting = branches.find(({ type }) => type === undefined || type === (isList ? 'array' : 'object'));
    return excesses(fitting?.bound, value, path, found);
  }
  const max = isList ? schema.maxItems : schema.maxProperties;
  const count = max === undefined ? 0 : isList ? value.length : Object.keys(value).length;
  if (max !== undefined && count > max) {
    const text = textOf(schema, isList ? 'maxItems' : 'maxProperties') ?? textOf(schema);
    found.push({ path: path(), message: text ?? tooManyText(max, count) });
  } else if (isList) {
    if (items !== undefined) for (const [index, item] of value.entries()) excesses(items, item, () => itemPath(path(), index), found);
  } else {
    const values = value as Readonly<Record<string, unknown>>;
    for (const [name, inner] of properties)
      if (Object.hasOwn(values, name)) excesses(inner, values[name], () => fieldPath(path(), name), found);
    for (const inner of maps) for (const name of Object.keys(values)) excesses(inner, values[name], () => itemPath(path(), name), found);
  }
  return found;
}

function tooManyText(max: number, got: number | string): string {
  return `must not hold more than ${max}, got ${got}`;
}

/** All errors that the schema finds in `value`, whose place is `path`. Empty when there are none. */
export function explain(schema: Explainable, value: unknown, path: string, search = newSearch()): FieldError[] {
  const tooMany = overfull(schema.Type(), value, path);
  if (tooMany.length > 0) return tooMany;
  const places = new Map<string, TLocalizedValidationError[]>();
  const said = new Map<string, string>();
  for (const error of findingsIn(schema, value, search)) {
    const own = ownWords(schema.Type(), error);
    for (const [pointer, text] of own) said.set(pointer, text);
    if (own.length > 0) continue;
    const found = places.get(error.instancePath);
    if (found === undefined) places.set(error.instancePath, [error]);
    else found.push(error);
  }
  const problems: FieldError[] = [...said].map(([pointer, message]) => ({ path: follow(pointer, value, path).path, message }));
  const around = new Set([...places.keys()].flatMap((pointer) => placesAround(pointer)));
  for (const [pointer, errors] of places) {
    const place = follow(pointer, value, path);
    // When the branch of a union that fits the value reports an error inside it, the other branches' errors are noise.
    problems.push(...describe(errors, place, around.has(pointer)));
  }
  return problems.slice(0, PROBLEMS_MAX);
}

/** `/users/0/name`: the root, `/users` and `/users/0`. */
function placesAround(pointer: string): string[] {
  const around: string[] = [];
  for (let end = pointer.lastIndexOf('/'); end >= 0; end = pointer.lastIndexOf('/', end - 1)) {
    around.push(pointer.slice(0, end));
    if (end === 0) break;
  }
  return around;
}

/** The custom texts of schemas on the way to the error, by the place that they describe. Only missing fields make several. */
function ownWords(
  root: unknown,
  { schemaPath, instancePath, keyword, params }: TLocalizedValidationError,
): [pointer: string, text: string][] {
  const way = schemaPath.split('/').slice(1);
  const steps = instancePath.split('/').slice(1);
  let schema = root;
  let depth = 0;
  let isMap = false;
  for (const [at, step] of ['', ...way].entries()) {
    if (at > 0) schema = childOf(schema, step);
    // A step into a map of properties does not lead to a value; the step after it does.
    if (isMap || step === 'items' || step === 'additionalProperties') depth++;
    isMap = !isMap && (step === 'properties' || step === 'patternProperties');
    const text = textOf(schema, at === way.length ? keyword : undefined);
    if (text !== undefined) return [[steps.slice(0, depth).reduce((pointer, part) => `${pointer}/${part}`, ''), text]];
  }
  if (keyword !== 'required') return [];
  const properties = childOf(schema, 'properties');
  const missing = params.requiredProperties.map(
    (field) => [`${instancePath}/${field}`, textOf(childOf(properties, field), keyword)] as const,
  );
  return missing.some(([, text]) => text !== undefined) ? missing.map(([pointer, text = 'is required']) => [pointer, text]) : [];
}

function childOf(schema: unknown, step: string): unknown {
  return typeof schema === 'object' && schema !== null ? Reflect.get(schema, step) : undefined;
}

/** With `keyword`: the text for an error of this schema itself. */
function textOf(schema: unknown, keyword?: string): string | undefined {
  const text: unknown = typeof schema === 'object' && schema !== null ? Reflect.get(schema, SAYS) : undefined;
  if (typeof text === 'string') return text;
  const one = isObject(text) && keyword !== undefined ? text[keyword] : undefined;
  return typeof one === 'string' ? one : undefined;
}

interface Place {
  readonly path: string;
  readonly value: unknown;
}

function follow(pointer: string, root: unknown, path: string): Place {
  let place: Place = { path, value: root };
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const { value } = place;
    if (Array.isArray(value)) place = { path: itemPath(place.path, key), value: value[Number(key)] };
    else place = { path: fieldPath(place.path, key), value: isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined };
  }
  return place;
}

function describe(errors: readonly TLocalizedValidationError[], { path, value }: Place, isAnswered: boolean): FieldError[] {
  const types = new Set<string>();
  const allowed: unknown[] = [];
  const problems: FieldError[] = [];
  let isFitted = false;
  for (const error of errors) {
    if (error.keyword === 'type') for (const type of [error.params.type].flat()) types.add(type);
    else if (error.keyword === 'const') allowed.push(error.params.allowedValue);
    else if (error.keyword === 'required') {
      for (const field of error.params.requiredProperties) problems.push({ path: fieldPath(path, field), message: 'is required' });
    } else if (error.keyword !== 'anyOf') {
      problems.push({ path, message: otherMessage(error, value) });
      isFitted = true;
    }
  }
  // When one branch of a union fits except for its bounds, the other branches' errors are noise.
  if (isFitted && errors.some(({ keyword }) => keyword === 'anyOf')) return problems;
  // null is accepted as "not sent" for convenience; errors do not recommend it.
  if (types.size > 1) types.delete('null');
  const wanted = allowed.length > 0 ? `one of ${allowed.map((item) => JSON.stringify(item)).join(', ')}` : [...types].join(' or ');
  if (wanted === '' || isAnswered) return problems;
  const got = allowed.length > 0 && typeof value === 'string' ? JSON.stringify(clip(value)) : typeName(value);
  return [{ path, message: `must be ${wanted}, got ${got}` }, ...problems];
}

function otherMessage(error: TLocalizedValidationError, value: unknown): string {
  switch (error.keyword) {
    case 'maxLength':
      return `must not be longer than ${error.params.limit} characters`;
    case 'maxItems':
      return tooManyText(error.params.limit, Array.isArray(value) ? value.length : typeName(value));
    case 'maxProperties':
      return tooManyText(error.params.limit, isObject(value) ? Object.keys(value).length : typeName(value));
    case 'minItems':
    case 'minLength':
    case 'minProperties':
      return 'must not be empty';
    default:
      return error.message;
  }
}
