/**
 * Functions that make the object of a shape from a list of values: an object literal takes far less time than setting its keys one by
 * one. Only so many are compiled; the objects of further shapes are made key by key. Pure.
 */

/** Where the value of a key is in the list: after its start, after the first value in the order of keys, or after the end of what was read. */
export type KeySource = { readonly key: string; readonly base: 'start' | 'first' | 'end'; readonly offset: number };

export type Maker = (values: readonly unknown[], first: number, end: number) => object;

const COMPILED_MAX = 1_024;
/** By their text: directories of one process, and shapes of both kinds, share them. */
const compiled = new Map<string, Maker>();

/** No key is `__proto__`. */
export function makerOf(sources: readonly KeySource[]): Maker {
  const fields = sources.map(({ key, base, offset }) => `${JSON.stringify(key)}: values[${base === 'start' ? 0 : base} + ${offset}]`);
  const text = `return { ${fields.join(', ')} };`;
  const known = compiled.get(text);
  if (known !== undefined) return known;
  if (compiled.size >= COMPILED_MAX) return (values, first, end) => keyByKey(sources, values, { start: 0, first, end });
  const maker = new Function('values', 'first', 'end', text) as Maker;
  compiled.set(text, maker);
  return maker;
}

function keyByKey(sources: readonly KeySource[], values: readonly unknown[], bases: Readonly<Record<KeySource['base'], number>>): object {
  const made: Record<string, unknown> = {};
  for (const { key, base, offset } of sources) made[key] = values[bases[base] + offset];
  return made;
}
