/** What is told of a change to a document that has no rules of its own: when exports end, and how far imports are. Pure. */
import type { DocChange, DocEvent, Task } from '../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import type { DocReader } from './directory/documents.ts';

/** Undefined: it is stored, and nobody is told. What goes because it was kept long enough is no news. */
export function docEvent(docs: DocReader, { kind, id, doc }: DocChange): DocEvent | undefined {
  if (doc === null) return undefined;
  switch (kind) {
    case 'task':
      return exportEvent(docs.get('task', id), doc);
    case 'import':
      // Whoever brings an import forward writes seldom enough for each step to be told.
      return { type: 'import.updated' };
    default:
      return undefined;
  }
}

/** An export that ended is told once, whatever is written about it later. */
function exportEvent(before: Task | undefined, { kind, status }: Task): DocEvent | undefined {
  if (kind !== EXPORT_TASK || status === before?.status) return undefined;
  if (status === 'completed') return { type: 'export.users.success' };
  return status === 'failed' ? { type: 'export.users.error' } : undefined;
}
