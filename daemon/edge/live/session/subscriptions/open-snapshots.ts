/** The snapshots that a connection pages through, by subscription. */
import { randomUUID } from 'node:crypto';
import { RosterError } from '../../../../../protocol/base/errors.ts';
import type { SnapshotPager } from './snapshot-pager.ts';

export class OpenSnapshots {
  readonly #open = new Map<string, { readonly pager: SnapshotPager; readonly cursor: string }>();
  readonly #onChange: () => void;
  #isClosed = false;

  /** `onChange`: called when their number may have changed. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#open.size;
  }

  /** How many there would be after this subscription was named anew, with a snapshot or without. */
  sizeWith(sub: string, withSnapshot: boolean): number {
    return this.#open.size - (this.#open.has(sub) ? 1 : 0) + (withSnapshot ? 1 : 0);
  }

  /** In place of the one that the subscription had before. */
  begin(sub: string, pager: SnapshotPager): void {
    this.drop(sub);
    // The connection ended before it came to this.
    if (this.#isClosed) pager.release();
    else this.#open.set(sub, { pager, cursor: '' });
    this.#onChange();
  }

  /** Throws RosterError `input` when the page is not the next one of an open snapshot. */
  find(sub: string, cursor: string): SnapshotPager {
    if (this.#open.get(sub)?.pager.isOver === true) this.drop(sub);
    const open = this.#open.get(sub);
    if (open !== undefined && open.cursor !== '' && open.cursor === cursor) return open.pager;
    throw new RosterError('input', 'more: there is no such page; it was read already, or waited too long: subscribe again', [
      { path: 'more', message: 'unknown or expired' },
    ]);
  }

  /** Returns the name of the next page. When nobody asks for it, the snapshot ends after a while. */
  nextPage(sub: string, pager: SnapshotPager): string {
    const cursor = randomUUID();
    if (this.#open.get(sub)?.pager !== pager) return cursor;
    this.#open.set(sub, { pager, cursor });
    pager.releaseAfterIdle(() => this.drop(sub));
    return cursor;
  }

  drop(sub: string): void {
    this.#open.get(sub)?.pager.release();
    if (this.#open.delete(sub)) this.#onChange();
  }

  close(): void {
    this.#isClosed = true;
    for (const sub of [...this.#open.keys()]) this.drop(sub);
  }
}
