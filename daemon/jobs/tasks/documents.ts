/** Reads and writes the documents of tasks and imports for the jobs that carry them out. */
import type { Doc, DocChange } from '../../../protocol/log/documents.ts';
import type { Roster } from '../../pipeline/roster.ts';

type Kind = 'task' | 'import';

export class Documents<K extends Kind> {
  readonly #roster: Pick<Roster, 'directory' | 'submit'>;
  readonly #kind: K;
  readonly #nowMs: () => number;

  constructor(roster: Pick<Roster, 'directory' | 'submit'>, kind: K, nowMs: () => number) {
    this.#roster = roster;
    this.#kind = kind;
    this.#nowMs = nowMs;
  }

  get(id: string): Doc<K> | undefined {
    return this.#roster.directory.docs.get(this.#kind, id);
  }

  all(): Iterable<Doc<K>> {
    return this.#roster.directory.docs.all(this.#kind);
  }

  /** Wall clock, microseconds. */
  now(): number {
    return Math.round(this.#nowMs() * 1_000);
  }

  /** Changes these fields of the document. Resolves when it is durable; does nothing when it no longer exists. Rejects with RosterError. */
  async change(id: string, fields: Partial<Doc<K>>): Promise<void> {
    const doc = this.get(id);
    if (doc === undefined) return;
    const next = { ...doc, ...fields, updated_at: Math.max(this.now(), doc.created_at) };
    await this.#roster.submit({ kind: 'docs', changes: [{ kind: this.#kind, id, doc: next } as DocChange] }, 'bulk');
  }
}
