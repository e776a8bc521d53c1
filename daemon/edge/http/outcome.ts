/** The answer of a request after its command: the one user that it was about, its revision, or why there is neither. */
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

/** The header with the revision of the one user of an answer, to be sent back as `If-Match`. An answer with several users has none. */
export function tagOf({ users: [first, ...others] }: Outcome): Readonly<Record<string, string>> {
  return first === undefined || others.length > 0 ? {} : { ETag: etag(first.user) };
}

export function etag({ rev }: Pick<StoredUser, 'rev'>): string {
  return `"${rev}"`;
}

/** The header with the revision of the settings of the application, to be sent back as `If-Match`. */
export function settingsTag({ appSeq }: { readonly appSeq: number }): Readonly<Record<string, string>> {
  return { ETag: etag({ rev: appSeq }) };
}

/** The one user that a command was about. Throws RosterError as `lost` says. */
export function onlyUser(outcome: Outcome): StoredUser {
  const user = outcome.users[0]?.user;
  if (user === undefined) throw lost(outcome, 'the command named no user');
  return user;
}

/** Throws RosterError `not_found` where an answer would show users that are gone since the request was carried out: deleted, or out of sight. */
export function refuseGone({ gone }: Outcome): void {
  const [first] = gone ?? [];
  if (first === undefined) return;
  throw new RosterError('not_found', `the request was carried out before; the user ${first} is no longer there`);
}

/**
 * Why there is nothing to answer with. After a repeated request, the result may have been removed since the first time, which is no
 * internal error. Otherwise it is one, described by `mistake`.
 */
export function lost(outcome: Outcome, mistake: string): RosterError {
  if (outcome.isReplay !== true) return new RosterError('internal', mistake);
  refuseGone(outcome);
  return new RosterError('not_found', 'the request was carried out before; what it made is there no longer');
}
