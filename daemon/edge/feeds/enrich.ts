/** Replaces references to users and activities with their current state. It keeps BU16 (daemon/RULES.md). */

import { type Json, type JsonObject, utf8Bytes } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type Replace, renderActivity } from '../../../protocol/feeds/activities.ts';
import { missingReference, type Reference, replaceReferences } from '../../../protocol/feeds/references.ts';
import { renderFeedsUser } from '../../../protocol/feeds/users.ts';
import { type Asking, userInSight } from '../http/acting.ts';
import { isFeedInSight } from './access.ts';

/** The objects in one answer: each is rendered once, and shown wherever it is referenced as long as there is room. */
export class Enricher {
  readonly #reader: Asking;
  readonly #bytesMax: number;
  readonly #known = new Map<string, { readonly object: JsonObject; readonly bytes: number }>();
  #bytes = 0;
  #isFull = false;

  constructor(reader: Asking, bytesMax: number = LIMITS.embeddedBytes) {
    this.#reader = reader;
    this.#bytesMax = bytesMax;
  }

  /** The objects have taken all their room, and references after that stay as they are. */
  get isFull(): boolean {
    return this.#isFull;
  }

  readonly replace: Replace = (value) => replaceReferences(value, (reference) => this.#resolve(reference));

  /** Objects that the reader may not see are missing. */
  #resolve(reference: Reference): Json {
    if (this.#isFull) return reference.text;
    const known = this.#known.get(reference.text);
    const object = known?.object ?? lookUp(this.#reader, reference) ?? missingReference(reference);
    const bytes = known?.bytes ?? utf8Bytes(JSON.stringify(object));
    this.#known.set(reference.text, { object, bytes });
    this.#bytes += bytes;
    this.#isFull = this.#bytes > this.#bytesMax;
    return this.#isFull ? reference.text : object;
  }
}

/** rosterd has no collections and no reactions. */
function lookUp(reader: Asking, { type, id }: Reference): JsonObject | undefined {
  if (type === 'user') {
    const user = userInSight(reader, id);
    return user === undefined ? undefined : { ...renderFeedsUser(user) };
  }
  const activity = type === 'activity' ? reader.backend.directory.docs.get('activity', id) : undefined;
  return activity === undefined || !isFeedInSight(reader, activity.origin) ? undefined : renderActivity(activity);
}
