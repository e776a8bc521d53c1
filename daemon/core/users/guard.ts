/**
 * The stale-reconnect guard: a phone that reconnects sends the details it had when it started, which would roll back newer data. The
 * record remembers the last few values of each key that the user's connects have sent, those of several phones; only a value that is
 * not among them is new, and is written. A value that was sent before is never written by a connect, whoever changed the key since.
 *
 * Of a switch (true or false, and privacy settings) only the last value is remembered: with both, no connect could set it any more.
 *
 * The memory holds digests, not values: about 15 characters for a key with one value, whatever its size. Pure.
 */

import { textDigest } from '../../../protocol/base/digest.ts';
import { isObject, type Json, type JsonObject, withFields } from '../../../protocol/base/json.ts';
import type { ConnectDetails } from '../../../protocol/users/connect.ts';
import { canonicalJson } from '../../../protocol/users/content.ts';

/** The keys that a connect may write. */
export type SentDetails = Omit<ConnectDetails, 'role' | 'teams' | 'teams_role'>;

/** Values remembered for one key. */
const VALUES_MAX = 8;
/** A value that is sent again stays in its place while it is among this many newest, so phones that take turns cause no write. */
const STABLE_VALUES = VALUES_MAX / 2;
/** Keys remembered for one user: more than fit into the data of a client. */
const KEYS_MAX = 1_000;
/** Length of the memory of one user. Where it would be longer, fewer values are remembered for each key. */
const MEMORY_CHARS_MAX = 16 * 1024;
/** Keys whose digests are kept at hand. */
const PLACES_MAX = 1_000;
const KEY_CHARS = 4;
const VALUE_CHARS = 8;

const FIELDS = ['name', 'image', 'language', 'invisible', 'privacy_settings'] as const;

/** The details that are new to this memory, and the memory with them. `memory`: as the record holds it. */
export function newDetails(details: SentDetails, memory: string | undefined): { readonly fresh: SentDetails; readonly memory: string } {
  const known = new SentValues(memory);
  const fresh: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = details[field];
    if (value !== undefined && known.isNew(field, value as Json)) fresh[field] = value;
  }
  const custom: JsonObject = {};
  for (const [key, value] of Object.entries(details.custom)) if (known.isNew(`custom.${key}`, value)) custom[key] = value;
  return { fresh: withFields(fresh, { custom }), memory: known.toString() };
}

/** The digests of the keys that users send: nearly all of them send the same few. */
const places = new Map<string, string>();

function placeOf(key: string): string {
  const known = places.get(key);
  if (known !== undefined) return known;
  if (places.size === PLACES_MAX) places.clear();
  const place = textDigest(key).slice(0, KEY_CHARS);
  places.set(key, place);
  return place;
}

/** The memory of one user. Most connects send what was sent before, and leave it as it is. */
class SentValues {
  /** The digests of values, the newest first, by the digest of their key. The key with the newest value is the last. */
  readonly #values = new Map<string, string>();
  readonly #stored: string | undefined;
  #isChanged = false;

  /** Earlier versions wrote an object with the values that were sent last. */
  constructor(stored: string | undefined) {
    this.#stored = stored;
    const lines: unknown = stored === undefined ? [] : JSON.parse(stored);
    if (Array.isArray(lines)) {
      for (const line of lines.map(String)) this.#values.set(line.slice(0, KEY_CHARS), line.slice(KEY_CHARS));
    } else if (isObject(lines)) {
      this.#isChanged = true;
      const { custom, ...fields } = lines;
      for (const [field, value] of Object.entries(fields)) this.isNew(field, value as Json);
      for (const [key, value] of Object.entries(isObject(custom) ? custom : {})) this.isNew(`custom.${key}`, value as Json);
    }
  }

  /** Whether the key never had this value, as far as is remembered. Remembers it. */
  isNew(key: string, value: Json): boolean {
    // Keys that share a digest share a place, not values: the digest of a value includes its key.
    const place = placeOf(key);
    const digest = textDigest(`${key} ${canonicalJson(value)}`);
    const values = this.#values.get(place) ?? '';
    const at = indexIn(values, digest);
    if (at !== -1 && at < STABLE_VALUES) return false;
    const others = at === -1 ? values : values.slice(0, at * VALUE_CHARS) + values.slice((at + 1) * VALUE_CHARS);
    const isSwitch = typeof value === 'boolean' || key === 'privacy_settings';
    this.#values.delete(place);
    this.#values.set(place, (digest + others).slice(0, (isSwitch ? 1 : VALUES_MAX) * VALUE_CHARS));
    this.#isChanged = true;
    return at === -1;
  }

  /** A list of texts, one for each key: its digest and those of its values. */
  toString(): string {
    if (this.#stored !== undefined && !this.#isChanged) return this.#stored;
    const keys = [...this.#values].slice(-KEYS_MAX);
    for (let most = VALUES_MAX; ; most /= 2) {
      const text = JSON.stringify(keys.map(([key, values]) => key + values.slice(0, most * VALUE_CHARS)));
      if (text.length <= MEMORY_CHARS_MAX || most === 1) return text;
    }
  }
}

/** The place of a digest in a row of digests; -1 when it is not there. */
function indexIn(values: string, digest: string): number {
  for (let at = 0; at < values.length; at += VALUE_CHARS) if (values.startsWith(digest, at)) return at / VALUE_CHARS;
  return -1;
}
