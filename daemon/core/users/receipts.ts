/** Receipts of requests with an `Idempotency-Key`, and the answers made from them. Pure. */

import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import { ANONYMOUS } from '../../../protocol/base/tokens.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { DOC_KINDS, type DocChange, ownerKey, type Receipt } from '../../../protocol/log/documents.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { mayKnow } from '../directory/find.ts';
import { isTombstone } from '../directory/record.ts';

/** The receipt to keep. `draft` includes the effects of the command. */
export function receiptOf(draft: Draft, outcome: Outcome, key: string, fingerprint: string, now: Micros): Receipt {
  const { users, docs, missing, warnings, seq } = outcome;
  const by = ownerOf(draft);
  const pruned = users.flatMap(({ user }) => (present(draft, user.id) === undefined ? [user] : []));
  return {
    id: key,
    fingerprint,
    seq,
    users: users.map(({ user, change }) => [user.id, change]),
    ...(docs === undefined ? undefined : { docs: docs.map(({ kind, id }) => ({ kind, id })) }),
    ...(missing === undefined ? undefined : { missing: [...missing] }),
    ...(warnings.length === 0 ? undefined : { warnings: [...warnings] }),
    ...(pruned.length === 0 ? undefined : { pruned }),
    ...(by === undefined ? undefined : { by }),
    created_at: now,
  };
}

/**
 * The answer to the first request, with users and documents as they are now. To a client, users that it may no longer see are
 * gone. Throws RosterError `key_reused` for another request.
 */
export function replayed(draft: Draft, receipt: Receipt, fingerprint: string): Outcome {
  if (receipt.fingerprint !== fingerprint) throw new RosterError('key_reused');
  const users: Outcome['users'][number][] = [];
  const gone: string[] = [];
  for (const [id, change] of receipt.users) {
    const user = present(draft, id) ?? receipt.pruned?.find((one) => one.id === id);
    if (user === undefined || !mayKnow(draft, draft.sender, user)) gone.push(id);
    else users.push({ user, change });
  }
  return {
    users,
    warnings: receipt.warnings ?? [],
    ...(receipt.missing === undefined ? undefined : { missing: receipt.missing }),
    ...(receipt.docs === undefined ? undefined : { docs: receipt.docs.flatMap((named) => documentOf(draft, named)) }),
    ...(gone.length === 0 ? undefined : { gone }),
    seq: receipt.seq,
    isReplay: true,
  };
}

/** Receipts dropped at once when their number reaches the limit: finding the oldest costs more than dropping several. */
export const RECEIPTS_DROPPED = 10;

/** Makes room for one more receipt of the sender: at a limit, it drops the oldest ones, and those of a client before any others. */
export function makeRoom(draft: Draft): void {
  const owner = ownerOf(draft);
  const most = owner === ANONYMOUS ? LIMITS.receiptsOfNobody : LIMITS.receiptsPerUser;
  if (owner !== undefined && draft.docs.countUnder('receipt', ownerKey(owner)) >= most) {
    dropOldest(draft, draft.docs.under('receipt', ownerKey(owner)));
  } else if (draft.docs.count('receipt') >= LIMITS.receiptsKept) dropOldest(draft, draft.docs.all('receipt'));
}

function dropOldest(draft: Draft, receipts: Iterable<Receipt>): void {
  for (const id of oldest(receipts, RECEIPTS_DROPPED, () => true)) draft.stage({ t: 'doc', kind: 'receipt', id, doc: null });
}

/** The client that sends the command; undefined for a server. */
function ownerOf({ sender }: Draft): string | undefined {
  if (sender.kind === 'server') return undefined;
  return sender.kind === 'user' ? sender.id : ANONYMOUS;
}

/** Drops at most `max` receipts that are `keptMicros` old by the wall clock. */
export function dropReceipts(draft: Draft, wall: Micros, keptMicros: Micros, max: number): readonly DocChange[] {
  const ids = oldest(draft.docs.all('receipt'), max, ({ created_at }) => created_at <= wall - keptMicros, wall);
  const dropped = ids.map((id) => ({ kind: 'receipt', id, doc: null }) as const);
  for (const change of dropped) draft.stage({ t: 'doc', ...change });
  return dropped;
}

/**
 * Receipts are in the order of their creation, so the first one that is not over ends the search. One from after `wall` was made while the
 * clock stood ahead, and says nothing about those after it.
 */
function oldest(
  receipts: Iterable<Receipt>,
  max: number,
  isOver: (receipt: Receipt) => boolean,
  wall = Number.POSITIVE_INFINITY,
): readonly string[] {
  const ids: string[] = [];
  if (max <= 0) return ids;
  for (const receipt of receipts) {
    if (receipt.created_at > wall) continue;
    if (!isOver(receipt)) break;
    ids.push(receipt.id);
    if (ids.length === max) break;
  }
  return ids;
}

function present(draft: Draft, id: string): StoredUser | undefined {
  const record = draft.record(id);
  return record === undefined || isTombstone(record) ? undefined : record;
}

/** The document as it is now; null if it is gone. */
function documentOf(draft: Draft, { kind: name, id }: { readonly kind: string; readonly id: string }): DocChange[] {
  const kind = DOC_KINDS.find((one) => one === name);
  return kind === undefined ? [] : [{ kind, id, doc: draft.docs.get(kind, id) ?? null } as DocChange];
}
