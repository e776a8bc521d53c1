/**
 * Paths in custom data (CP1–CP6). A key may itself hold dots, so a path has its meaning in one record: at each level it takes
 * the longest key that is there, and where none is there each segment is a key of its own. Pure.
 *
 * Only own properties are keys.
 */
import { isForbiddenName } from '../base/ids.ts';
import { isObject, type Json, type JsonObject } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';

/** What leads into custom data, and may be left out. */
const PREFIX = 'custom.';

/** The keys by which a path leads through a record; the first `there` of them exist. */
export interface Route {
  readonly keys: readonly string[];
  readonly there: number;
}

/** Why no record can have this path, or undefined. */
export function pathProblem(path: string): string | undefined {
  const segments = path.split('.');
  const reserved = segments.find(isForbiddenName);
  if (reserved !== undefined) return `"${reserved}" is a reserved name`;
  return segments.length > LIMITS.customDepth ? `must not be nested deeper than ${LIMITS.customDepth} levels` : undefined;
}

/** Why a path cannot make this key, or undefined. Keys that are there may have any name. */
function newKeyProblem(key: string): string | undefined {
  if (key === '') return 'a path must not have empty segments';
  return /\s/.test(key) ? 'a key must not contain spaces' : undefined;
}

/** The route of `path` in `custom`. It also goes on through a value that is not an object. */
export function follow(custom: JsonObject, path: string): Route {
  return followed(custom, path, longestKey(custom, path));
}

/** The route of `path` in `custom` if it begins with a key that is there and has a dot. */
export function followDotted(custom: JsonObject, path: string): Route | undefined {
  const first = longestKey(custom, path);
  return first?.includes('.') ? followed(custom, path, first) : undefined;
}

function followed(custom: JsonObject, path: string, first: string | undefined): Route {
  const keys: string[] = [];
  let rest: string | undefined = path;
  let at: Json | undefined = custom;
  for (let key = first; key !== undefined; key = isRecord(at) && rest !== undefined ? longestKey(at, rest) : undefined) {
    keys.push(key);
    at = isRecord(at) ? at[key] : undefined;
    rest = rest !== undefined && rest.length > key.length ? rest.slice(key.length + 1) : undefined;
  }
  return { keys: rest === undefined ? keys : [...keys, ...rest.split('.')], there: keys.length };
}

/** The longest key of `at` with which `path` begins. Looks for what may be there, not at what is there: a record may have many keys. */
function longestKey(at: JsonObject, path: string): string | undefined {
  for (let end = path.length; end !== -1; end = end === 0 ? -1 : path.lastIndexOf('.', end - 1)) {
    const key = path.slice(0, end);
    if (Object.hasOwn(at, key)) return key;
  }
  return undefined;
}

function isRecord(value: Json | undefined): value is JsonObject {
  return value !== undefined && isObject(value);
}

/**
 * The record with `value` at the end of the route, or the reason why it cannot be there; undefined removes what is there. Makes missing
 * objects, and shares what it does not touch. Objects in `own` are changed in place, and those that it makes are added: so a patch of
 * many paths copies each object once.
 */
export function changed(custom: JsonObject, { keys, there }: Route, value: Json | undefined, own = new Set<object>()): JsonObject | string {
  if (value === undefined) return removed(custom, keys, own);
  if (!leadsThroughObjects(custom, keys)) return 'leads through a value that is not an object';
  for (const key of keys.slice(there)) {
    const problem = newKeyProblem(key);
    if (problem !== undefined) return problem;
  }
  return put(custom, keys, value, own);
}

function leadsThroughObjects(custom: JsonObject, keys: readonly string[]): boolean {
  let at: Json | undefined = custom;
  for (const key of keys) {
    if (at === undefined) return true;
    if (!isRecord(at)) return false;
    at = Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return true;
}

/** `target` with `value` at the keys, all of which lead through objects or to nothing. */
function put(target: JsonObject, [key = '', ...rest]: readonly string[], value: Json, own: Set<object>): JsonObject {
  const holder = owned(target, own);
  const before = Object.hasOwn(holder, key) ? holder[key] : undefined;
  holder[key] = rest.length === 0 ? value : put(isRecord(before) ? before : {}, rest, value, own);
  return holder;
}

/** `target` without the value at the keys; keys that lead nowhere change nothing. */
function removed(target: JsonObject, [key = '', ...rest]: readonly string[], own: Set<object>): JsonObject {
  if (!Object.hasOwn(target, key)) return target;
  const inner = target[key];
  if (rest.length === 0) {
    const holder = owned(target, own);
    delete holder[key];
    return holder;
  }
  const kept = isRecord(inner) ? removed(inner, rest, own) : inner;
  // What was changed in place lies in objects that are the patch's own as well.
  if (kept === undefined || kept === inner) return target;
  const holder = owned(target, own);
  holder[key] = kept;
  return holder;
}

function owned(object: JsonObject, own: Set<object>): JsonObject {
  if (own.has(object)) return object;
  const copy = { ...object };
  own.add(copy);
  return copy;
}

type Read = (from: Readonly<Record<string, unknown>>) => unknown;

/** A key with which a path may begin, what reads the rest of the path in its value, and with which keys that rest may begin. */
export interface FirstKey {
  readonly key: string;
  readonly behind: Read | undefined;
  readonly next: readonly FirstKey[];
}

/** The keys with which a path, which may begin with `custom.`, may begin in custom data: the first one that is there is meant. */
export function firstKeys(path: string): readonly FirstKey[] {
  const isPrefixed = path.startsWith(PREFIX);
  const segments = (isPrefixed ? path.slice(PREFIX.length) : path).split('.');
  const [plain = []] = keysOf(segments);
  return isPrefixed ? [...plain.map((first) => ({ ...first, key: PREFIX + first.key })), ...plain] : plain;
}

/** Reads the value at a path, which may begin with `custom.`; undefined when there is none. Built once, since it runs over a million records. */
export function customReader(path: string): Read {
  return firstReader(firstKeys(path));
}

/** Reads the value at a path; undefined when there is none. */
export function pathReader(path: string): Read {
  return firstReader(keysOf(path.split('.'))[0] ?? []);
}

/** The keys with which each end of a path may begin, longest first, by the number of segments before it. */
function keysOf(segments: readonly string[]): readonly (readonly FirstKey[])[] {
  const keys: FirstKey[][] = [];
  const readers: Read[] = [];
  for (let before = segments.length - 1; before >= 0; before--) {
    const here: FirstKey[] = [];
    for (let end = segments.length; end > before; end--) {
      here.push({ key: segments.slice(before, end).join('.'), behind: readers[end], next: keys[end] ?? [] });
    }
    keys[before] = here;
    readers[before] = firstReader(here);
  }
  return keys;
}

function firstReader(keys: readonly FirstKey[]): Read {
  return keys.reduceRight<Read>((otherwise, { key, behind }) => keyReader(key, behind, otherwise), nothing);
}

/** JSON has no undefined, so a value that is read is there, unless every object inherits it. */
function keyReader(key: string, behind: Read | undefined, otherwise: Read): Read {
  const isInherited = key in Object.prototype;
  return (from) => {
    const value = isInherited && !Object.hasOwn(from, key) ? undefined : from[key];
    if (value === undefined) return otherwise(from);
    return behind === undefined ? value : isObject(value) ? behind(value) : undefined;
  };
}

function nothing(): undefined {
  return undefined;
}

/** The most keys that reading a path looks for in one record, beyond one. */
export function choicesOf(path: string): number {
  const segments = path.split('.').length;
  return (segments * (segments + 1)) / 2 - 1;
}

/** A place that a patch names, with its name in errors. */
export interface Touched {
  /** The one name of the place: `a` is `custom.a`. */
  readonly place: string;
  readonly label: string;
  readonly isUnset: boolean;
}

export const CUSTOM = 'custom';

/**
 * The two ways in which `unset` may meet `set`, as published clients send them: it names a part of a value that is set, which is then stored
 * without that part; or it names `custom`, and then all custom data is what is set.
 */
function mayMeet({ place, isUnset }: Touched, other: Touched): boolean {
  if (!isUnset || other.isUnset) return false;
  return place === CUSTOM
    ? isWithin(other.place, CUSTOM)
    : place !== other.place && other.place !== CUSTOM && isWithin(place, other.place) && isWithin(other.place, CUSTOM);
}

function isWithin(place: string, whole: string): boolean {
  return place.startsWith(whole) && (place.length === whole.length || place[whole.length] === '.');
}

/** The reason why a place may not be touched beside those that are touched already. */
export function overlap(touched: readonly Touched[], one: Touched): string | undefined {
  const { place } = one;
  const met = touched.find((other) => (isWithin(place, other.place) || isWithin(other.place, place)) && !mayMeet(one, other));
  return met && `overlaps with ${met.label}`;
}
