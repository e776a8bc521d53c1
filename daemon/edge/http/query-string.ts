/** The query of a request: flat, and parsed once while it is the same. */
import { parse as parseQueryString } from 'node:querystring';

/** Parameters beyond these are ignored. */
const QUERY_KEYS_MAX = 100;

type QueryParser = (text: string) => Record<string, string>;

/** A client sends the same query again and again: its API key. Whoever gets the answer must leave it as it is. */
export function rememberingLast(parse: QueryParser): QueryParser {
  let last = { text: '', query: Object.freeze(parse('')) };
  return (text) => {
    if (text !== last.text) last = { text, query: Object.freeze(parse(text)) };
    return last.query;
  };
}

/** One value per key: the first. */
export function flatQuery(text: string): Record<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(parseQueryString(text, '&', '=', { maxKeys: QUERY_KEYS_MAX }))) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) flat.set(key, first);
  }
  return Object.fromEntries(flat);
}
