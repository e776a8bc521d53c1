/**
 * The start position of each webhook, and its protection from positions that arrive late. The outbox of a hook is the log: its
 * document holds the position up to which the hook has everything. The entry that changes the settings creates and removes it. Pure.
 *
 * It keeps WH1 and WH2 (daemon/RULES.md).
 */
import type { AppSettings } from '../../../protocol/app/settings.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import { hooksOf, isCollecting } from '../../../protocol/hooks/hooks.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Draft } from '../directory/draft.ts';

/** Call this after staging the settings: their seq is the start position. */
export function stageOutboxes(draft: Draft, before: AppSettings, after: AppSettings, now: Micros): void {
  const old = collecting(before);
  const wanted = collecting(after);
  const seq = draft.nextSeq - 1;
  for (const id of wanted) {
    if (old.has(id)) continue;
    draft.stage({ t: 'doc', kind: 'outbox', id, doc: { id, epoch: draft.epoch, seq, updated_at: now } });
  }
  for (const id of old) {
    if (!wanted.has(id) && draft.docs.get('outbox', id) !== undefined) draft.stage({ t: 'doc', kind: 'outbox', id, doc: null });
  }
}

/** Whether the position comes too late: the hook was removed or set anew meanwhile, or has advanced at least as far. */
export function isLateOutbox(draft: Draft, change: DocChange): boolean {
  if (change.kind !== 'outbox' || change.doc === null) return false;
  const known = draft.docs.get('outbox', change.id);
  if (known !== undefined && known.epoch === change.doc.epoch && known.seq >= change.doc.seq) return true;
  return !collecting(draft.app).has(change.id);
}

function collecting(app: AppSettings): ReadonlySet<string> {
  return new Set(hooksOf(app).flatMap((hook) => (isCollecting(hook) ? [hook.id] : [])));
}
