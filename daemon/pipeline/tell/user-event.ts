/**
 * An outgoing event. Its JSON is made once per dialect and its frame once per decoration (the subscription names sent to a receiver),
 * however many sockets it goes to.
 */

import { type Micros, toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import type { DocLookups } from '../../../protocol/live/document-events.ts';
import { type Audience, audienceOf, type EventDialect, eventType, renderEvent } from '../../../protocol/live/user-events.ts';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { isPartlyPrivate, type Reader } from '../../../protocol/users/render.ts';
import { roughDataBytes } from '../../../protocol/users/size.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { SeqSpan } from '../../core/directory/recent-past.ts';
import type { UserChange } from '../../core/directory/record.ts';
import { documentEventsOf, type OutgoingDocumentEvent } from './document-event.ts';
import { dialectOf, type EventForm, wrapped } from './event-form.ts';
import { textFrame } from './frame.ts';
import { mayShowOnline } from './presence.ts';
import { HIDDEN, type ToldOfUser } from './told.ts';

/** Frames kept per event. More decorations than this are framed again for each receiver: rare, and bounded in memory. */
const FRAMES_KEPT = 4;

const STATES: ReadonlySet<string> = new Set(['user.updated', 'user.deactivated', 'user.reactivated', 'user.deleted']);

interface Body {
  readonly dialect: EventDialect;
  readonly reader: Reader;
  readonly json: string;
}

interface Framed {
  readonly form: EventForm;
  readonly reader: Reader;
  readonly decoration: string;
  readonly frame: Buffer;
}

/** Most events are rendered in one form only; a map in each of them would be most of their memory. */
const NOTHING: readonly never[] = [];

export class OutgoingUserEvent implements ToldOfUser {
  readonly seq: number;
  readonly type: string;
  readonly audience: Audience;
  readonly after: StoredUser;
  readonly before: StoredUser | undefined;
  readonly knowsBefore: boolean;
  readonly online: boolean;
  readonly #fact: UserChange['fact'];
  readonly #at: Micros;
  #bodies: readonly Body[] = NOTHING;
  #frames: readonly Framed[] = NOTHING;

  constructor(change: UserChange, type: string, at: Micros, online: boolean, knowsBefore: boolean) {
    this.seq = change.seq;
    this.type = type;
    this.audience = audienceOf(change.fact);
    this.before = change.before;
    this.after = change.after;
    this.knowsBefore = knowsBefore;
    this.online = online;
    this.#fact = change.fact;
    this.#at = at;
  }

  get id(): string {
    return this.after.id;
  }

  /** Whether it says only what the user's state is now: a later such event replaces it. */
  get isState(): boolean {
    return STATES.has(this.type) && this.audience === 'all';
  }

  /** Set when the user exists from this event on: it was created or restored. */
  get arrival(): 'created' | 'restored' | undefined {
    const event = this.#fact.t === 'user' ? this.#fact.event : undefined;
    return event === 'created' || event === 'restored' ? event : undefined;
  }

  /**
   * The text for a receiver with this decoration: `""`, or JSON that starts with a comma, such as `,"sub":["all"]`. `isPrivy`: the
   * receiver is a server or the user itself.
   */
  text(form: EventForm, decoration: string, isPrivy: boolean): string {
    return this.#text(form, decoration, this.#readerOf(isPrivy));
  }

  /** Like `text`, as a frame that several receivers share. */
  frame(form: EventForm, decoration: string, isPrivy: boolean): Buffer {
    const reader = this.#readerOf(isPrivy);
    for (const kept of this.#frames) {
      if (kept.form === form && kept.decoration === decoration && kept.reader === reader) return kept.frame;
    }
    const frame = textFrame(this.#text(form, decoration, reader));
    if (this.#frames.length < FRAMES_KEPT) this.#frames = [...this.#frames, { form, reader, decoration, frame }];
    return frame;
  }

  /** Few records hold anything private. Of all others, everyone gets the same bytes. No event shows a shadow ban, not even to servers. */
  #readerOf(isPrivy: boolean): Reader {
    return isPrivy || !isPartlyPrivate(this.after) ? 'self' : 'other';
  }

  #text(form: EventForm, decoration: string, reader: Reader): string {
    const dialect = dialectOf(form);
    const body = decoration === HIDDEN ? this.#hiddenBody(dialect) : this.#body(dialect, reader) + decoration;
    return wrapped(form, `${body}}`);
  }

  /**
   * Called when every live subscriber has it. For later readers the JSON is made again: there are few, and it is then kept for the next
   * ones.
   */
  release(): void {
    this.#bodies = NOTHING;
    this.#frames = NOTHING;
  }

  /** Names the user and shows nothing else of it. */
  #hiddenBody(dialect: EventDialect): string {
    const created_at = dialect === 'live-ns' ? toNanos(this.#at) : toRfc3339(this.#at);
    return JSON.stringify({ type: 'user.hidden', seq: this.seq, created_at, user: { id: this.id } }).slice(0, -1);
  }

  /** The JSON of the event without its closing brace. */
  #body(dialect: EventDialect, reader: Reader): string {
    for (const kept of this.#bodies) if (kept.dialect === dialect && kept.reader === reader) return kept.json;
    // A user that this event makes invisible or deletes is not shown as online. Its receivers are chosen by the presence that was sent
    // before.
    const online = this.online && mayShowOnline(this.after);
    const json = JSON.stringify(renderEvent(this.type, this.#fact, this.seq, this.#at, { online, reader }, dialect)).slice(0, -1);
    this.#bodies = [...this.#bodies, { dialect, reader, json }];
    return json;
  }
}

/** Everything that has a position and is sent to subscribers. */
export type AnyEvent = OutgoingUserEvent | OutgoingDocumentEvent;

export function isAboutUser(event: AnyEvent): event is OutgoingUserEvent {
  return event.after !== undefined;
}

/** The events of one entry, in order. The span covers the entry's positions even when no event is sent. */
export interface EventBatch extends SeqSpan {
  readonly events: readonly AnyEvent[];
}

/**
 * Memory of an event beside the user's data until it is sent. The data itself is held about five times: the record, the one before it, the
 * JSON, the frame, and object overhead: 2.8 kB per event with users of 400 bytes. JSON and frame are freed once everyone has the event
 * (`release`), which leaves 0.9 kB, measured. They are made again when a subscriber resumes, so all of it counts.
 */
const EVENT_OVERHEAD_BYTES = 700;

/** Events of an entry that was just applied. */
export function batchOf(entry: Entry, changes: readonly UserChange[], lookups: DocLookups): EventBatch {
  const events: OutgoingUserEvent[] = [];
  for (const change of changes) {
    const type = eventType(change.fact);
    if (type !== undefined) events.push(new OutgoingUserEvent(change, type, entry.time, lookups.online(change.after.id), true));
  }
  const docs = documentEventsOf(entry, lookups);
  const bytes = events.reduce((sum, { after }) => sum + EVENT_OVERHEAD_BYTES + roughDataBytes(after), 200);
  const docBytes = docs.reduce((sum, event) => sum + event.bytes, 0);
  return { first: entry.first, last: lastSeq(entry), bytes: bytes + docBytes, events: inOrder(events, docs) };
}

/** Events of an entry read back from the log. */
export function batchFromLog(entry: Entry, lookups: DocLookups): EventBatch {
  const events: OutgoingUserEvent[] = [];
  for (const [index, fact] of entry.facts.entries()) {
    if (fact.t === 'app' || fact.t === 'doc') continue;
    const type = eventType(fact);
    if (type === undefined) continue;
    const change = { seq: entry.first + index, fact, before: undefined, after: fact.user };
    events.push(new OutgoingUserEvent(change, type, entry.time, lookups.online(fact.user.id), false));
  }
  return { first: entry.first, last: lastSeq(entry), bytes: 0, events: inOrder(events, documentEventsOf(entry, lookups)) };
}

function inOrder(events: readonly OutgoingUserEvent[], docs: readonly OutgoingDocumentEvent[]): readonly AnyEvent[] {
  return docs.length === 0 ? events : [...events, ...docs].sort((a, b) => a.seq - b.seq);
}
