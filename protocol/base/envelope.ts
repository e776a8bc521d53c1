/**
 * Checks of bodies that hold one field whose items are checked separately, one by one. Such a check is made from the schema of
 * the whole body, which is also the one in the API description. Pure.
 */
import Type, { type Static, type TObject, type TProperties, type TSchema, type TUnsafe } from 'typebox';
import type { JsonObject } from './json.ts';

/** A list or an object with unknown content. */
type Opened<T> = T extends readonly unknown[] ? readonly unknown[] : T extends object ? JsonObject : T;

type Envelope<Properties extends TProperties, Name extends keyof Properties> = TObject<
  Omit<Properties, Name> & Readonly<Record<Name, TUnsafe<Opened<Static<Properties[Name]>>>>>
>;

/** The schema, in which only the type and the size limits of the field `name` remain. */
export function envelope<Properties extends TProperties, Name extends keyof Properties & string>(
  { properties, ...options }: TObject<Properties>,
  name: Name,
): Envelope<Properties, Name> {
  const field = properties[name];
  if (field === undefined) throw new Error(`there is no ${name} to open`);
  return Type.Object({ ...properties, [name]: shell(field) }, options) as TSchema as Envelope<Properties, Name>;
}

/** Keywords about the content of a value. */
const CONTENT: ReadonlySet<string> = new Set(['items', 'properties', 'required', 'patternProperties', 'additionalProperties', 'title']);

function shell(schema: TSchema): TSchema {
  const outer = Object.entries(schema).filter(([keyword]) => !CONTENT.has(keyword));
  return Object.fromEntries(outer.map(([keyword, value]) => [keyword, keyword === 'anyOf' ? value.map(shell) : value]));
}
