/**
 * Durable consumers. The log decides which session speaks for one and how far it acknowledged, so nodes that share the log agree on both. Pure.
 *
 * It keeps DC3 and DC8 (daemon/RULES.md).
 */
import { fieldErrors, RosterError } from '../../protocol/base/errors.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { ConsumerAckCommand, ConsumerOpenCommand, ConsumerRemoveCommand, Outcome } from '../../protocol/log/command.ts';
import type { Draft } from './directory/draft.ts';

/**
 * Of `consumer-open`, the document of the outcome is the consumer, and its name is in `missing` if it is new: then it begins at the end of the log.
 * Throws RosterError: `input` for one beyond the limit, `not_found` for one to remove.
 */
export function decideConsumer(
  draft: Draft,
  command: ConsumerOpenCommand | ConsumerAckCommand | ConsumerRemoveCommand,
  now: Micros,
): Outcome {
  switch (command.kind) {
    case 'consumer-open':
      return decideOpen(draft, command, now);
    case 'consumer-ack':
      return decideAck(draft, command, now);
    case 'consumer-remove':
      return decideRemove(draft, command);
  }
}

function decideOpen(draft: Draft, { name, holder }: ConsumerOpenCommand, now: Micros): Outcome {
  const known = draft.docs.get('consumer', name);
  if (known === undefined && draft.docs.count('consumer') >= LIMITS.consumers) {
    throw fieldErrors('input', [{ path: 'durable', message: `there are ${LIMITS.consumers} consumers already; remove one` }]);
  }
  const doc = {
    ...(known ?? { name, epoch: draft.epoch, seq: draft.nextSeq - 1, created_at: now, updated_at: now }),
    ...(holder === undefined ? undefined : { holder }),
  };
  const change = { kind: 'consumer' as const, id: name, doc };
  if (known === undefined || known.holder !== doc.holder) draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: [change], seq: draft.nextSeq - 1, ...(known === undefined ? { missing: [name] } : undefined) };
}

/** A position of this epoch never goes back, whichever node acknowledges last, and a consumer that was removed stays so. */
function decideAck(draft: Draft, { positions }: ConsumerAckCommand, now: Micros): Outcome {
  for (const { name, seq } of positions) {
    const known = draft.docs.get('consumer', name);
    if (known === undefined || (known.epoch === draft.epoch && known.seq >= seq)) continue;
    draft.stage({ t: 'doc', kind: 'consumer', id: name, doc: { ...known, epoch: draft.epoch, seq, updated_at: now } });
  }
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

function decideRemove(draft: Draft, { name }: ConsumerRemoveCommand): Outcome {
  if (draft.docs.get('consumer', name) === undefined) throw new RosterError('not_found', `the consumer ${name} does not exist`);
  draft.stage({ t: 'doc', kind: 'consumer', id: name, doc: null });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}
