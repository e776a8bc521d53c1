/**
 * Leases of jobs. The storage says which node may try a job; the log decides whose commands still count. A node that lost its lease without
 * noticing, because it stood still for a while, writes nothing more. Pure.
 */
import { RosterError } from '../../protocol/base/errors.ts';
import type { HeldCommand, LeaseCommand, Outcome } from '../../protocol/log/command.ts';
import type { Draft } from './directory/draft.ts';

/** The document of the outcome is the lease, with its token. */
export function decideLease(draft: Draft, { job, holder }: LeaseCommand): Outcome {
  if (draft.sender.kind !== 'server') throw new RosterError('not_allowed', 'only the daemon itself takes leases');
  const change = { kind: 'lease' as const, id: job, doc: { id: job, holder, token: draft.nextSeq } };
  draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: [change], seq: draft.nextSeq - 1 };
}

/** Throws RosterError `unavailable` when the lease is not the newest one of its job. */
export function checkLease(draft: Draft, { job, token }: HeldCommand): void {
  if (draft.docs.get('lease', job)?.token !== token) throw new RosterError('unavailable', `another node does the job "${job}" now`);
}
