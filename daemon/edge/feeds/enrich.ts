/** Replaces references to users and activities with their current state. */

import type { JsonObject } from '../../../protocol/base/json.ts';
import { type Replace, renderActivity } from '../../../protocol/feeds/activities.ts';
import { missingReference, type Reference, replaceReferences } from '../../../protocol/feeds/references.ts';
import { renderFeedsUser } from '../../../protocol/feeds/users.ts';
import { type Asking, userInSight } from '../http/acting.ts';
import { isFeedInSight } from './access.ts';

/** For one answer: an object that is referenced more than once is rendered once. Objects that the reader may not see are missing. */
export function enricher(reader: Asking): Replace {
  const known = new Map<string, JsonObject>();
  const resolve = (reference: Reference): JsonObject => {
    const found = known.get(reference.text) ?? lookUp(reader, reference) ?? missingReference(reference);
    known.set(reference.text, found);
    return found;
  };
  return (value) => replaceReferences(value, resolve);
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
