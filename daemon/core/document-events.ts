/** The event that a change to an export or import causes: the end of an export, each step of an import. Pure. */
import type { DocChange, DocEvent, Task } from '../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import type { DocReader } from './directory/documents.ts';

/** Undefined when the change causes no event. A document that expires causes none. */
export function docEvent(docs: DocReader, { kind, id, doc }: DocChange): DocEvent | undefined {
  if (doc === null) return undefined;
  switch (kind) {
    case 'task':
      return exportEvent(docs.get('task', id), doc);
    case 'import':
      // A running import writes its document seldom, so each step causes an event.
      return { type: 'import.updated' };
    default:
      return undefined;
  }
}

/** The end of an export causes one event, whatever is written to its task later. */
function exportEvent(before: Task | undefined, { kind, status }: Task): DocEvent | undefined {
  if (kind !== EXPORT_TASK || status === before?.status) return undefined;
  if (status === 'completed') return { type: 'export.users.success' };
  return status === 'failed' ? { type: 'export.users.error' } : undefined;
}
