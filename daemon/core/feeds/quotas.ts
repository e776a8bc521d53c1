/** How much of feeds a client may make: what it makes is kept until it is removed, so a limit per minute alone bounds nothing. Pure. */
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { ownerKey } from '../../../protocol/log/documents.ts';
import type { Draft } from '../directory/draft.ts';
import { living } from '../directory/record.ts';
import { GUEST_ROLE } from '../users/guests.ts';

export interface Quota {
  /** For everything that one user made. */
  readonly perUser: number;
  /** For the whole application: beyond it, only servers add more. */
  readonly inAll: number;
}

const WORDS = { activity: { path: 'activities', many: 'activities' }, follow: { path: 'target', many: 'follows' } } as const;

/** Throws RosterError `input` when the sender, a client, may not add one more. A server has no quota. */
export function checkQuota(draft: Draft, kind: keyof typeof WORDS, { perUser, inAll }: Quota): void {
  const { sender } = draft;
  if (sender.kind !== 'user') return;
  const { path, many } = WORDS[kind];
  if (draft.docs.countUnder(kind, ownerKey(sender.id)) >= perUser) {
    throw fieldErrors('input', [{ path, message: `the user ${sender.id} has ${perUser} ${many} already, and may not have more` }]);
  }
  // Anybody can be as many guests as they like: half of all is for users.
  const [most, who] = living(draft.record(sender.id))?.role === GUEST_ROLE ? [Math.floor(inAll / 2), 'guests'] : [inAll, 'clients'];
  if (draft.docs.count(kind) >= most) {
    throw fieldErrors('input', [{ path, message: `there are ${most} ${many} already, and ${who} may not add more` }]);
  }
}
