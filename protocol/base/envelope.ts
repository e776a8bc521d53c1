/**
 * The check of a body whose one field holds what is checked by itself, piece by piece: made from the schema of the whole body,
 * which is also the one in the API description. Pure.
 */
import Type, { type Static, type TObject, type TProperties, type TSchema, type TUnsafe } from 'typebox';
import type { JsonObject } from './json.ts';

/** A list or an object of which nothing more is known. */
type Opened<T> = T extends readonly unknown[] ? readonly unknown[] : T extends object ? JsonObject : T;

type Envelope<Properties extends TProperties, Name extends keyof Properties> = TObject<
  Omit<Properties, Name> & Readonly<Record<Name, TUnsafe<Opened<Static<Properties[Name]>>>>>
>;

/** The schema with nothing known of what `name` holds, but of which kind it is and how much may be in it. */
export function envelope<Properties extends TProperties, Name extends keyof Properties & string>(
  { properties, ...options }: TObject<Properties>,
  name: Name,
): Envelope<Properties, Name> {
  const field = properties[name];
  if (field === undefined) throw new Error(`there is no ${name} to open`);
  return Type.Object({ ...properties, [name]: shell(field) }, options) as TSchema as Envelope<Properties, Name>;
}

/** Keywords about what is inside. */
const CONTENT: ReadonlySet<string> = new Set(['items', 'properties', 'required', 'patternProperties', 'additionalProperties', 'title']);

function shell(schema: TSchema): TSchema {
  const outer = Object.entries(schema).filter(([keyword]) => !CONTENT.has(keyword));
  return Object.fromEntries(outer.map(([keyword, value]) => [keyword, keyword === 'anyOf' ? value.map(shell) : value]));
}
