/** The name of a feed: a slug, which is the kind of the feed, and the id of its owner. Pure. */
import { fieldErrors } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { feedsId } from './users.ts';

export interface FeedName {
  readonly slug: string;
  readonly id: string;
  /** `user:ann`: the form used everywhere except in tokens. */
  readonly text: string;
}

const SLUG = new RegExp(`^\\w{1,${LIMITS.idChars}}$`);

/** Throws RosterError `input`. */
export function feedName(slug: string, id: string, path = 'feed'): FeedName {
  if (!SLUG.test(slug)) throw fieldErrors('input', [{ path: `${path}.slug`, message: 'may contain only letters, digits and _' }]);
  return { slug, id: feedsId(id, `${path}.id`), text: `${slug}:${id}` };
}

/** The id of the user that owns the feed with this text: `ann` for `user:ann`. */
export function feedOwner(text: string): string {
  return text.slice(text.indexOf(':') + 1);
}

/** Reads `user:ann`. Ignores the text after a space, which signing clients still send. Throws RosterError `input`. */
export function parseFeedName(text: string, path: string): FeedName {
  // Not split at every colon: a text of megabytes may consist of them.
  const [name = ''] = text.split(' ', 1);
  const [slug = '', id, more] = name.split(':', 3);
  if (id === undefined || more !== undefined) throw fieldErrors('input', [{ path, message: 'must be slug:id' }]);
  return feedName(slug, id, path);
}
