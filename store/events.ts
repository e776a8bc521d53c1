/**
 * Actions of the store that an operator should learn of. The store never logs: the code that opens it
 * passes `onEvent` and decides where the events go. An event never carries user data.
 */
export type StoreEvent =
  /** LG9: bytes that no acknowledged append can have written (or the last group alone) were cut off after a crash. `copy` holds them. */
  | { readonly type: 'torn-tail-dropped'; readonly file: string; readonly offset: number; readonly bytes: number; readonly copy: string }
  /** LG8: a history begins. `after` is the snapshot's seq when there was a snapshot but no journal, otherwise 0. */
  | { readonly type: 'epoch-started'; readonly epoch: string; readonly after: number }
  /** An append was refused and rolled back; the journal keeps working. Usually the disk is full. */
  | { readonly type: 'append-rolled-back'; readonly error: Error }
  /** The journal accepts nothing until the process restarts. */
  | { readonly type: 'journal-failed'; readonly error: Error }
  /** The journal was closed without its marker of a clean close. Nothing is lost. */
  | { readonly type: 'clean-marker-failed'; readonly error: Error }
  /** Retention removed a segment; `tail` is the smallest position from which reading is still possible. */
  | { readonly type: 'segment-removed'; readonly file: string; readonly tail: number }
  /** LG12: a held segment was removed, because held segments exceed their bound. `names` lose the entries that they had not read. */
  | { readonly type: 'held-segment-removed'; readonly file: string; readonly tail: number; readonly names: readonly string[] }
  /** Retention removed entries from the database; `tail` as above. */
  | { readonly type: 'entries-removed'; readonly tail: number }
  /** LG12, as for segments. */
  | { readonly type: 'held-entries-removed'; readonly tail: number; readonly names: readonly string[] }
  /** The database cannot be reached, or no longer acknowledges commits. What is known can be read. */
  | { readonly type: 'storage-away'; readonly reason: string }
  /** It cannot be used yet, and the start waits for it. */
  | { readonly type: 'storage-awaited'; readonly reason: string }
  /** It can again, after this time. */
  | { readonly type: 'storage-back'; readonly awayMs: number }
  /** The database refuses writes, for a reason that somebody must remove. Reads go on. */
  | { readonly type: 'writes-refused'; readonly reason: string }
  /** It no longer does. */
  | { readonly type: 'writes-accepted' }
  /** PE5: another node has other values of these settings, which all must share. */
  | { readonly type: 'settings-differ'; readonly node: string; readonly settings: readonly string[] }
  /** PL11: other nodes write what this version does not read; it must end. */
  | { readonly type: 'format-raised'; readonly error: Error }
  /** LG16: nothing is stored any more; the process must start again. */
  | { readonly type: 'history-replaced'; readonly error: Error }
  /** A snapshot failed its checks at load; an older one is used if it exists. */
  | { readonly type: 'snapshot-damaged'; readonly file: string; readonly reason: string }
  /** The lock of a process that no longer lives was taken over. */
  | { readonly type: 'lock-taken-over'; readonly pid: number }
  /** The lock file of this process vanished: somebody removed it, or another process considers this one dead. */
  | { readonly type: 'lock-lost'; readonly file: string };

export type OnStoreEvent = (event: StoreEvent) => void;
