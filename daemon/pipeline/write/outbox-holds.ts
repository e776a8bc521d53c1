/** WH3: the log keeps what a webhook has not had yet, from the moment it is opened: what outboxes say is what is held. */
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import type { Log } from '../../../store/log.ts';

/** Called with everything that is loaded, and then with every entry before anything of it can be trimmed. */
export function holdOutboxes(log: Pick<Log, 'head' | 'keepAfter'>, facts: Iterable<Fact>): void {
  for (const fact of facts) if (fact.t === 'doc' && fact.kind === 'outbox') holdOutbox(log, fact);
}

/** A position in another history holds nothing. */
export function holdOutbox(log: Pick<Log, 'head' | 'keepAfter'>, { id, doc }: DocChange & { readonly kind: 'outbox' }): void {
  log.keepAfter(`webhook ${id}`, doc?.epoch === log.head.epoch ? doc.seq : undefined);
}
