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
import { isObject, type Json, type JsonObject } from '../../../protocol/base/json.ts';
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
const KEY_CHARS = 4;
const VALUE_CHARS = 8;

const FIELDS = ['name', 'image', 'language', 'invisible', 'privacy_settings'] as const;

/** Digests of values, the newest first, by the digest of their key. The key with the newest value is the last. */
type Memory = Map<string, readonly string[]>;

/** The details that are new to this memory, and the memory with them. `memory`: as the record holds it. */
export function newDetails(details: SentDetails, memory: string | undefined): { readonly fresh: SentDetails; readonly memory: string } {
  const known = read(memory);
  const fresh: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = details[field];
    if (value !== undefined && isNew(known, field, value as Json)) fresh[field] = value;
  }
  const custom: JsonObject = {};
  for (const [key, value] of Object.entries(details.custom)) if (isNew(known, `custom.${key}`, value)) custom[key] = value;
  return { fresh: { ...fresh, custom }, memory: written(known) };
}

/** Whether the key never had this value, as far as is remembered. Remembers it. */
function isNew(memory: Memory, key: string, value: Json): boolean {
  // Keys that share a digest share a place, not values: the digest of a value includes its key.
  const place = textDigest(key).slice(0, KEY_CHARS);
  const digest = textDigest(`${key} ${canonicalJson(value)}`);
  const values = memory.get(place) ?? [];
  if (values.slice(0, STABLE_VALUES).includes(digest)) return false;
  const isSwitch = typeof value === 'boolean' || key === 'privacy_settings';
  memory.delete(place);
  memory.set(place, [digest, ...values.filter((other) => other !== digest)].slice(0, isSwitch ? 1 : VALUES_MAX));
  return !values.includes(digest);
}

/** A list of texts, one for each key: its digest and those of its values. */
function written(memory: Memory): string {
  const keys = [...memory].slice(-KEYS_MAX);
  for (let most = VALUES_MAX; ; most /= 2) {
    const text = JSON.stringify(keys.map(([key, values]) => key + values.slice(0, most).join('')));
    if (text.length <= MEMORY_CHARS_MAX || most === 1) return text;
  }
}

/** Earlier versions wrote an object with the values that were sent last. */
function read(text: string | undefined): Memory {
  const memory: Memory = new Map();
  const stored: unknown = text === undefined ? [] : JSON.parse(text);
  if (Array.isArray(stored)) {
    for (const line of stored.map(String)) memory.set(line.slice(0, KEY_CHARS), digestsIn(line));
  } else if (isObject(stored)) {
    const { custom, ...fields } = stored;
    for (const [field, value] of Object.entries(fields)) isNew(memory, field, value as Json);
    for (const [key, value] of Object.entries(isObject(custom) ? custom : {})) isNew(memory, `custom.${key}`, value as Json);
  }
  return memory;
}

function digestsIn(line: string): string[] {
  const digests: string[] = [];
  for (let at = KEY_CHARS; at < line.length; at += VALUE_CHARS) digests.push(line.slice(at, at + VALUE_CHARS));
  return digests;
}
