/**
 * Makes bad requests out of a schema and one good example: values of every wrong type at every place the schema knows, also
 * at those that the example leaves out, lists that are empty or too long, and required fields that are missing.
 */
import { Compile, type Validator } from 'typebox/compile';
import type { JsonSchema } from '../../../daemon/edge/describe/schemas.ts';

export interface BadBody {
  readonly why: string;
  /** Name that the refusal must mention: the nearest key on the way to what is wrong. */
  readonly field: string;
  readonly body: unknown;
}

type Path = readonly (string | number)[];

/** One of each JSON type; null and empty values are left out, since they count as "not sent" in many places. */
const VALUES: readonly unknown[] = ['no such value', 7.5, -7, true, [{ 'no such key': [1] }], { 'no such key': [1] }];

/** Deeper than any schema that holds itself needs to be walked. */
const DEPTH_MAX = 12;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const checks = new WeakMap<JsonSchema, Validator>();

function fits(schema: JsonSchema, value: unknown): boolean {
  const check = checks.get(schema) ?? Compile({ ...schema });
  checks.set(schema, check);
  return check.Check(value);
}

function schemasIn(value: unknown): readonly JsonSchema[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** The smallest value that fits; undefined where a schema asks for more than this can make. */
export function sample(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const branch = schemasIn(schema.anyOf).find(({ type }) => type !== 'null');
  if (branch !== undefined) return sample(branch);
  switch (schema.type) {
    case 'object': {
      const properties = isRecord(schema.properties) ? schema.properties : {};
      const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
      const own = Object.fromEntries(required.map((name) => [name, sample(isRecord(properties[name]) ? properties[name] : {})]));
      const { minProperties, additionalProperties: rest } = schema;
      return typeof minProperties === 'number' && minProperties > 0 && isRecord(rest) ? { ...own, some: sample(rest) } : own;
    }
    case 'array':
      return isRecord(schema.items) ? [sample(schema.items)] : [];
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return true;
    default:
      return 'x'.repeat(Math.max(1, Number(schema.minLength ?? 1)));
  }
}

/** `body` with `value` at the path; undefined removes what is there. */
function replaced(body: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(body)) return body.map((item, at) => (at === key ? replaced(item, rest, value) : item));
  const own = isRecord(body) ? body : {};
  const before = Object.hasOwn(own, key) ? own[key] : undefined;
  const { [key]: _, ...others } = own;
  const after = replaced(before, rest, value);
  return after === undefined ? others : { ...others, [key]: after };
}

/** Every bad body there is for the schema, with the example as the good one. */
export function badBodies(schema: JsonSchema, example: unknown): BadBody[] {
  const found: BadBody[] = [];
  const add = (path: Path, why: string, value: unknown, base: unknown): void => {
    const field = path.findLast((key) => typeof key === 'string');
    found.push({ why: `${path.join('.')} ${why}`, field: String(field ?? 'body'), body: replaced(base, path, value) });
  };

  /** `value` stands at `path` of `base`, and fits. */
  const walk = (at: JsonSchema, value: unknown, path: Path, base: unknown): void => {
    if (path.length > DEPTH_MAX) return;
    if (path.length > 0) {
      for (const wrong of VALUES) if (!fits(at, wrong)) add(path, `is ${JSON.stringify(wrong)}`, wrong, base);
    }
    for (const branch of schemasIn(at.anyOf)) {
      if (branch.type === 'object' || branch.type === 'array') {
        const own = fits(branch, value) ? value : sample(branch);
        inside(branch, own, path, replaced(base, path, own));
      }
    }
    inside(at, value, path, base);
  };

  const inside = (at: JsonSchema, value: unknown, path: Path, base: unknown): void => {
    if (typeof at.maxLength === 'number') add(path, `is longer than ${at.maxLength}`, 'x'.repeat(at.maxLength + 1), base);
    if (at.type === 'array') insideList(at, Array.isArray(value) ? value : [], path, base);
    if (at.type !== 'object') return;
    const own = isRecord(value) ? value : {};
    const properties = isRecord(at.properties) ? at.properties : {};
    for (const name of Array.isArray(at.required) ? at.required.map(String) : []) add([...path, name], 'is missing', undefined, base);
    const known = Object.entries(properties);
    const rest = isRecord(at.additionalProperties) ? at.additionalProperties : undefined;
    const more =
      rest === undefined
        ? []
        : [Object.keys(own).find((key) => !Object.hasOwn(properties, key)) ?? 'some'].map((key) => [key, rest] as const);
    if (typeof at.minProperties === 'number' && at.minProperties > 0) add(path, 'is empty', {}, base);
    if (typeof at.maxProperties === 'number' && rest !== undefined) {
      const many = Array.from({ length: at.maxProperties + 1 }, (_, index) => [`key${index}`, sample(rest)] as const);
      add(path, `holds ${many.length}`, Object.fromEntries(many), base);
    }
    for (const [name, inner] of [...known, ...more]) {
      if (!isRecord(inner)) continue;
      const present = own[name] === undefined || own[name] === null ? sample(inner) : own[name];
      walk(inner, present, [...path, name], replaced(base, [...path, name], present));
    }
  };

  const insideList = (at: JsonSchema, value: readonly unknown[], path: Path, base: unknown): void => {
    const { items, minItems, maxItems } = at;
    const item = value[0] ?? (isRecord(items) ? sample(items) : {});
    if (typeof minItems === 'number' && minItems > 0) add(path, 'is empty', [], base);
    if (typeof maxItems === 'number' && maxItems <= 1_000)
      add(
        path,
        `holds ${maxItems + 1}`,
        Array.from({ length: maxItems + 1 }, () => item),
        base,
      );
    if (isRecord(items)) walk(items, item, [...path, 0], replaced(base, path, [item, ...value.slice(1)]));
  };

  walk(schema, example, [], example);
  return found;
}

export interface BadParameter {
  readonly name: string;
  /** Name that the refusal must mention. */
  readonly field: string;
  readonly value: string;
}

/** Every bad value of a parameter in the query, with the good ones in `example`. A text cannot be wrong by its type. */
export function badParameters(schema: JsonSchema, example: Readonly<Record<string, unknown>>): BadParameter[] {
  return Object.entries(isRecord(schema.properties) ? schema.properties : {}).flatMap(([name, inner]): BadParameter[] => {
    if (!isRecord(inner)) return [];
    if (inner.type === 'object') {
      // It travels as JSON in a text.
      const inside = badBodies(inner, isRecord(example[name]) ? example[name] : {});
      const wrong = inside.map(({ field, body }) => ({ name, field, value: JSON.stringify(body) }));
      return [...['nonsense', '7', '"text"', '{"a":'].map((value) => ({ name, field: name, value })), ...wrong];
    }
    return inner.type === 'string' && inner.enum === undefined ? [] : [{ name, field: name, value: 'no such value' }];
  });
}
