/** What is kept of a request with an `Idempotency-Key`, and how the answer is made of it again. Pure. */
import type { Outcome } from '../../protocol/command.ts';
import { DOC_KINDS, type DocChange, type Receipt } from '../../protocol/docs.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { StoredUser } from '../../protocol/user.ts';
import { isTombstone } from './directory.ts';
import type { Draft } from './draft.ts';

export function receiptOf({ users, docs, missing, warnings, seq }: Outcome, key: string, fingerprint: string, now: Micros): Receipt {
  return {
    id: key,
    fingerprint,
    seq,
    users: users.map(({ user, change }) => [user.id, change]),
    ...(docs === undefined ? undefined : { docs: docs.map(({ kind, id }) => ({ kind, id })) }),
    ...(missing === undefined ? undefined : { missing: [...missing] }),
    ...(warnings.length === 0 ? undefined : { warnings: [...warnings] }),
    created_at: now,
  };
}

/**
 * What the first request was answered, with users and documents as they are now. Throws RosterError: `key_reused` for another
 * request, `not_found` when a user it wrote has been hard-deleted since.
 */
export function replayed(draft: Draft, receipt: Receipt, fingerprint: string): Outcome {
  if (receipt.fingerprint !== fingerprint) throw new RosterError('key_reused');
  const users = receipt.users.map(([id, change]) => ({ user: present(draft, id), change }));
  return {
    users,
    warnings: receipt.warnings ?? [],
    ...(receipt.missing === undefined ? undefined : { missing: receipt.missing }),
    ...(receipt.docs === undefined ? undefined : { docs: receipt.docs.flatMap((named) => documentOf(draft, named)) }),
    seq: receipt.seq,
    isReplay: true,
  };
}

function present(draft: Draft, id: string): StoredUser {
  const record = draft.record(id);
  if (record !== undefined && !isTombstone(record)) return record;
  throw new RosterError('not_found', `the request was carried out before; the user ${id} was deleted since`);
}

/** The document as it is now, gone or not. */
function documentOf(draft: Draft, { kind: name, id }: { readonly kind: string; readonly id: string }): DocChange[] {
  const kind = DOC_KINDS.find((one) => one === name);
  return kind === undefined ? [] : [{ kind, id, doc: draft.docs.get(kind, id) ?? null } as DocChange];
}
