/**
 * An outgoing event about a document: a user group, an export or an import. It is about no user, so only servers that want everything
 * receive it. Like events about users, it is rendered once per form and decoration. An event with a link that expires is rendered at the
 * time of sending instead.
 */

import type { Micros } from '../../../protocol/base/time.ts';
import { type DocLookups, renderDocEvent } from '../../../protocol/live/document-events.ts';
import type { DocEventType, DocFact } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { dialectOf, type EventForm, wrapped } from './event-form.ts';
import { textFrame } from './frame.ts';
import type { Concerned, Notice } from './told.ts';

/** Frames kept per event; further ones are made again for each receiver. */
const FRAMES_KEPT = 4;

/** Memory beside the JSON, which is held twice at most: a frame and the document. */
const OVERHEAD_BYTES = 700;

export class OutgoingDocumentEvent implements Notice, Concerned {
  readonly seq: number;
  readonly type: DocEventType;
  readonly audience = 'server';
  readonly after = undefined;
  readonly before = undefined;
  readonly #fact: DocFact;
  readonly #at: Micros;
  readonly #lookups: DocLookups;
  readonly #frames = new Map<string, Buffer>();

  constructor(seq: number, type: DocEventType, fact: DocFact, at: Micros, lookups: DocLookups) {
    this.seq = seq;
    this.type = type;
    this.#fact = fact;
    this.#at = at;
    this.#lookups = lookups;
  }

  /** Id of the document. */
  get id(): string {
    return this.#fact.id;
  }

  /** Approximate memory that keeping it takes, in bytes. */
  get bytes(): number {
    return OVERHEAD_BYTES + 2 * JSON.stringify(this.#fact).length;
  }

  /** See `OutgoingUserEvent.text`. */
  text(form: EventForm, decoration: string): string {
    const json = JSON.stringify(renderDocEvent(this.#fact, this.seq, this.#at, dialectOf(form), this.#lookups));
    return wrapped(form, `${json.slice(0, -1)}${decoration}}`);
  }

  frame(form: EventForm, decoration: string): Buffer {
    const key = `${form}${decoration}`;
    const kept = this.#frames.get(key);
    if (kept !== undefined) return kept;
    const frame = textFrame(this.text(form, decoration));
    if (this.type !== 'export.users.success' && this.#frames.size < FRAMES_KEPT) this.#frames.set(key, frame);
    return frame;
  }

  /** See `OutgoingUserEvent.release`. */
  release(): void {
    this.#frames.clear();
  }
}

/** The events of an entry about documents, in order. */
export function documentEventsOf(entry: Entry, lookups: DocLookups): readonly OutgoingDocumentEvent[] {
  const events: OutgoingDocumentEvent[] = [];
  let seq = entry.first;
  for (const fact of entry.facts) {
    if (fact.t === 'doc' && fact.event !== undefined)
      events.push(new OutgoingDocumentEvent(seq, fact.event.type, fact, entry.time, lookups));
    seq++;
  }
  return events;
}
