/** Schemas for the descriptions of the API: plain JSON schema, with named schemas collected in one place. Pure. */
import type { TSchema } from 'typebox';
import { isObject } from '../../../protocol/base/json.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema for other programs: without marks of the library, and with maps in the usual form. */
export function plainSchema(schema: TSchema): JsonSchema {
  const plain: unknown = JSON.parse(JSON.stringify(schema));
  const mended = mapsMended(plain);
  return isObject(mended) ? mended : {};
}

const ANY_KEY = '^.*$';

function mapsMended(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(mapsMended);
  if (!isObject(schema)) return schema;
  const { patternProperties, ...rest } = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, mapsMended(value)]));
  if (patternProperties === undefined) return rest;
  const values = isObject(patternProperties) ? patternProperties[ANY_KEY] : undefined;
  return values === undefined ? { ...rest, patternProperties } : { ...rest, additionalProperties: values };
}

/**
 * Moves every schema with a title into `schemas`, and leaves a reference in its place. Throws when two different schemas have the same
 * title.
 */
export function hoist(schema: JsonSchema, schemas: Map<string, JsonSchema>): JsonSchema {
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, hoistInside(value, schemas)]));
  const { title } = inner;
  if (typeof title !== 'string') return inner;
  const known = schemas.get(title);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(inner)) throw new Error(`two different schemas are called ${title}`);
  schemas.set(title, inner);
  return { $ref: `#/components/schemas/${title}` };
}

function hoistInside(value: unknown, schemas: Map<string, JsonSchema>): unknown {
  if (Array.isArray(value)) return value.map((item) => hoistInside(item, schemas));
  return isObject(value) ? hoist(value, schemas) : value;
}
