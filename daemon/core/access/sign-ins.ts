/**
 * Sign-ins to the console. The log decides which link was used, so that it works once however many nodes are asked at the same time. Pure.
 *
 * It keeps CO2 and CO4 (daemon/RULES.md).
 */
import { LINK_MS, SIGN_IN_MS, type SignIn, type SignInCommand, type SignOutCommand } from '../../../protocol/access/sign-ins.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Draft } from '../directory/draft.ts';

/** A document outlives its link by as much again, because the clocks of machines differ. */
const KEPT_MICROS = 2 * LINK_MS * 1_000;

/** The last document of the outcome is the sign-in; those before it are forgotten. Throws RosterError `conflict` for a link that was used, and when too many are open. */
export function decideSignIn(draft: Draft, { id, role }: SignInCommand, wall: Micros): Outcome {
  if (draft.docs.get('sign_in', id) !== undefined) {
    throw new RosterError('conflict', 'this link was used before: each works once. "rosterd console" prints a new one');
  }
  const over = [...draft.docs.all('sign_in')]
    .filter((one) => isForgettable(one, wall))
    .map((one) => ({ kind: 'sign_in' as const, id: one.id, doc: null }));
  for (const change of over) draft.stage({ t: 'doc', ...change });
  if (draft.docs.count('sign_in') >= LIMITS.signIns) {
    throw new RosterError('conflict', `there are ${LIMITS.signIns} sign-ins: end them with "rosterd console --sign-out-all"`);
  }
  const doc: SignIn = { id, role, created_at: wall, ends_at: wall + SIGN_IN_MS * 1_000 };
  const change = { kind: 'sign_in' as const, id, doc };
  draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: [...over, change], seq: draft.nextSeq - 1 };
}

/** The documents of the outcome are the sign-ins that it ended. */
export function decideSignOut(draft: Draft, { id }: SignOutCommand, wall: Micros): Outcome {
  const ended = [...draft.docs.all('sign_in')]
    .filter((one) => (id === undefined || one.id === id) && one.has_ended !== true && one.ends_at > wall)
    .map((one) => ({ kind: 'sign_in' as const, id: one.id, doc: { ...one, has_ended: true as const } }));
  for (const change of ended) draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: ended, seq: draft.nextSeq - 1 };
}

function isForgettable({ created_at, ends_at, has_ended }: SignIn, wall: Micros): boolean {
  return ends_at <= wall || (has_ended === true && created_at + KEPT_MICROS <= wall);
}
