/**
 * WH3: from the moment it is opened, the log keeps the entries that a webhook has not received yet. The outboxes decide which entries are
 * kept.
 */
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import type { Log } from '../../../store/log.ts';

/** Called with everything that is loaded, then with every entry before any part of it can be trimmed. */
export function holdOutboxes(log: Pick<Log, 'head' | 'keepAfter'>, facts: Iterable<Fact>): void {
  for (const fact of facts) if (fact.t === 'doc' && fact.kind === 'outbox') holdOutbox(log, fact);
}

/** A position in another epoch holds nothing. */
export function holdOutbox(log: Pick<Log, 'head' | 'keepAfter'>, { id, doc }: DocChange & { readonly kind: 'outbox' }): void {
  log.keepAfter(`webhook ${id}`, doc?.epoch === log.head.epoch ? doc.seq : undefined);
}
