/**
 * References in activities: `SU:ann` is a user, `SO:food:burger` an object of a collection, `SA:…` an activity and `SR:…` a
 * reaction. An enriched read replaces each by its object, or by a note that it is missing. Pure.
 */
import { isUserId } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';

export type Reference =
  | { readonly type: 'user' | 'activity' | 'reaction'; readonly id: string; readonly text: string }
  | { readonly type: 'object'; readonly collection: string; readonly id: string; readonly text: string };

const USER = /^SU:(.+)$/;
const OBJECT = /^SO:([\w-]+):([\w-]+)$/;
const OTHER = /^S([AR]):([\w-]+)$/;

/** Undefined for any other text, which stays as it is. */
export function parseReference(text: string): Reference | undefined {
  if (!text.startsWith('S')) return undefined;
  const user = USER.exec(text)?.[1];
  if (user !== undefined) return isUserId(user) ? { type: 'user', id: user, text } : undefined;
  const [, collection, object] = OBJECT.exec(text) ?? [];
  if (collection !== undefined && object !== undefined) return { type: 'object', collection, id: object, text };
  const [, kind, id] = OTHER.exec(text) ?? [];
  return id === undefined ? undefined : { type: kind === 'A' ? 'activity' : 'reaction', id, text };
}

/** The replacement for a reference to something that does not exist. Reading it is no error. */
export function missingReference(reference: Reference): JsonObject {
  return {
    id: reference.id,
    ...(reference.type === 'object' ? { collection: reference.collection } : undefined),
    error: 'ReferenceNotFound',
    reference: reference.text,
    reference_type: reference.type,
  };
}

/** The value with every reference in it, at any depth, replaced by the result of `resolve`. Does not look inside that result. */
export function replaceReferences(value: Json, resolve: (reference: Reference) => Json): Json {
  if (typeof value === 'string') {
    const reference = parseReference(value);
    return reference === undefined ? value : resolve(reference);
  }
  if (Array.isArray(value)) return value.map((item) => replaceReferences(item, resolve));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceReferences(item, resolve)]));
}

export function countReferences(value: Json): number {
  let count = 0;
  replaceReferences(value, () => {
    count++;
    return {};
  });
  return count;
}
