/**
 * Brings subscribers from a past position to the present: from memory where the recent history reaches back that far, otherwise from the
 * log. The past is read in chunks, only as fast as the socket drains, so a subscriber that is ten thousand events behind costs one chunk of
 * memory, not ten thousand events. Subscribers that want everything share their chunks. These end at round positions, so that subscribers
 * with different starts soon read the same chunks. A subscriber that asked for conflation gets only the newest state of each user in a
 * chunk.
 *
 * It keeps HB9 (daemon/RULES.md).
 */
import pLimit from 'p-limit';
import type { DocLookups } from '../../../protocol/live/document-events.ts';
import { type Log, LogClosed, LogTrimmed } from '../../../store/log.ts';
import { Turns } from '../../base/turns.ts';
import type { RecentPast } from '../../core/directory/recent-past.ts';
import { Conflation } from './conflation.ts';
import type { Hub } from './hub.ts';
import { decoration } from './interest.ts';
import type { Subscriber, SubscriberState } from './subscriber.ts';
import { type AnyEvent, batchFromLog, type EventBatch } from './user-event.ts';

/** Bytes of frames handed to a socket before it must have drained them. */
const CHUNK_BYTES = 128 * 1024;
/** Positions after which a shared chunk ends: about as many events as make a full chunk. */
const SHARED_SEQS = 256;
/** Events in a chunk of one subscriber, even when none concerns it. */
const OWN_EVENTS = 1_000;
/** How long events are judged by filters without a pause. */
const OWN_MS = 2;
/** Shared chunks kept: those of sixteen thousand events, so that subscribers who come back one after the other still share them. */
const CHUNKS_KEPT = 64;
/** Subscribers that read the log at the same time. Each holds one chunk. */
const LOG_READERS = 4;

/** Frames of the past, and the position after them. */
interface Chunk {
  readonly bytes: Buffer | undefined;
  readonly count: number;
  readonly position: number;
}

/** A request for the past: a stretch that turns events into frames, and where to stop. */
interface Wanted {
  readonly stretch: Stretch;
  readonly isEnd: (event: AnyEvent, bytes: number, events: number) => boolean;
}

/** Events that are collected for one chunk. */
interface Stretch {
  take(event: AnyEvent): void;
  readonly bytes: number;
  /** The frames, and undefined for an event that the receiver does not get. Making the next one may take the time of a filter. */
  readonly frames: Iterable<Buffer | undefined>;
}

/** Renders an event for the receiver; undefined: the receiver does not get it. */
type Tell = (event: AnyEvent) => Buffer | undefined;

/** Gets the events of a stretch, each as its frame is made. */
type OnTold = (event: AnyEvent) => void;

interface Sources {
  readonly log: Log;
  readonly history: RecentPast<EventBatch>;
  readonly hub: () => Hub;
  readonly lookups: DocLookups;
  readonly onError: (error: unknown) => void;
}

export class CatchUp {
  readonly #sources: Sources;
  readonly #readers = pLimit(LOG_READERS);
  /** Of its own: whoever connects does not wait behind those who read. */
  readonly #turns = new Turns();
  readonly #shared = new Map<string, Promise<Chunk>>();

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** Runs until the subscriber is live again or gone. Never rejects. */
  start(subscriber: Subscriber): void {
    this.#run(subscriber).catch((error: unknown) => {
      // The position is older than anything that is kept, or the log is closing. In both cases the client must reconnect; it then learns
      // whether it can resume or needs a snapshot.
      if (!(error instanceof LogTrimmed || error instanceof LogClosed)) this.#sources.onError(error);
      subscriber.outlet.close('slow');
    });
  }

  /**
   * The next stretch after `position` that a subscriber which reads the past would be sent, without sending it. `onTold` gets the events in
   * it. Rejects with LogTrimmed, LogClosed.
   */
  async rehearse(subscriber: Subscriber, position: number, onTold: OnTold): Promise<Chunk> {
    await this.#turns.next();
    this.#sources.hub().flush();
    return await this.#ownChunk(subscriber, position, onTold);
  }

  async #run(subscriber: Subscriber): Promise<void> {
    const hub = this.#sources.hub();
    while (await subscriber.outlet.drained()) {
      await this.#turns.next();
      const { state } = subscriber;
      if (state.kind === 'behind' && state.position < hub.flushedSeq) await this.#feed(subscriber, state);
      if (subscriber.missedPresence && subscriber.presenceMark === undefined) await hub.gatherPresence(subscriber);
      if (hub.rejoin(subscriber)) return;
    }
  }

  async #feed(subscriber: Subscriber, state: Extract<SubscriberState, { kind: 'behind' }>): Promise<void> {
    if (state.position < this.#sources.history.tail && subscriber.isConfined) {
      // The client reconnects and then learns that it cannot resume.
      subscriber.outlet.close('slow');
      return;
    }
    const chunk = await this.#chunkFor(subscriber, state.position);
    // Discard what was read for an old state: the subscriber left, or was sent further back meanwhile.
    if (subscriber.state !== state) return;
    state.position = chunk.position;
    if (chunk.bytes !== undefined) subscriber.outlet.write(chunk.bytes, chunk.count);
  }

  #chunkFor(subscriber: Subscriber, position: number): Promise<Chunk> {
    const { form, conflates } = subscriber;
    const all = conflates ? undefined : subscriber.onlyAll;
    if (all !== undefined && all.since <= position) {
      const told = all.decoration;
      const end = (Math.floor(position / SHARED_SEQS) + 1) * SHARED_SEQS;
      const tell: Tell = (event) => event.frame(form, told, true);
      return this.#sharedChunk(`${form} ${position} ${told}`, position, end, tell);
    }
    return this.#ownChunk(subscriber, position);
  }

  #ownChunk(subscriber: Subscriber, position: number, onTold?: OnTold): Promise<Chunk> {
    const { form, interests, conflates } = subscriber;
    // What becomes one event must not depend on the clock: these are judged afterwards, with pauses.
    const endsMs = subscriber.hasFilter && !conflates ? performance.now() + OWN_MS : Number.POSITIVE_INFINITY;
    const isEnd: Wanted['isEnd'] = (_, bytes, events) => bytes >= CHUNK_BYTES || events >= OWN_EVENTS || performance.now() >= endsMs;
    if (conflates) return this.#read(position, { stretch: newestOf(new Conflation(interests.values()), subscriber, onTold), isEnd });
    const tell: Tell = (event) => {
      const told = decoration(interests.values(), event);
      if (told === undefined) return undefined;
      onTold?.(event);
      return event.frame(form, told, subscriber.isPrivyTo(event.id));
    };
    return this.#read(position, { stretch: new EachOf(tell), isEnd });
  }

  #sharedChunk(key: string, position: number, end: number, tell: Tell): Promise<Chunk> {
    const kept = this.#shared.get(key);
    if (kept !== undefined) return kept;
    const made = this.#read(position, { stretch: new EachOf(tell), isEnd: ({ seq }) => seq >= end });
    this.#shared.set(key, made);
    const [oldest] = this.#shared.keys();
    if (this.#shared.size > CHUNKS_KEPT && oldest !== undefined) this.#shared.delete(oldest);
    const forget = (): boolean => this.#shared.get(key) === made && this.#shared.delete(key);
    // A chunk that ends at the current head will be longer the next time.
    made.then((chunk) => chunk.position >= end || forget(), forget);
    return made;
  }

  async #read(position: number, wanted: Wanted): Promise<Chunk> {
    const isRecent = position >= this.#sources.history.tail;
    const filling = isRecent ? this.#fromHistory(position, wanted) : await this.#readers(() => this.#fromLog(position, wanted));
    const frames: Buffer[] = [];
    let endsMs = performance.now() + OWN_MS;
    for (const frame of wanted.stretch.frames) {
      if (frame !== undefined) frames.push(frame);
      if (performance.now() < endsMs) continue;
      await this.#turns.next();
      endsMs = performance.now() + OWN_MS;
    }
    return { bytes: frames.length === 0 ? undefined : Buffer.concat(frames), count: frames.length, position: filling.position };
  }

  /** Batches that were published but not flushed yet are in the history too; the flush sends those. */
  #fromHistory(position: number, wanted: Wanted): Filling {
    const limit = this.#sources.hub().flushedSeq;
    const filling = new Filling(position, wanted);
    for (const batch of this.#sources.history.since(position)) {
      if (batch.first > limit || !filling.take(batch)) break;
    }
    return filling;
  }

  async #fromLog(position: number, wanted: Wanted): Promise<Filling> {
    const limit = this.#sources.hub().flushedSeq;
    const filling = new Filling(position, wanted);
    // Leaving the loop ends the reading.
    for await (const entry of this.#sources.log.read(position, new AbortController().signal)) {
      const batch = batchFromLog(entry, this.#sources.lookups);
      if (batch.first > limit || !filling.take(batch) || batch.last >= limit) break;
    }
    return filling;
  }
}

/** A chunk that is being filled, with the precision of single events. */
class Filling {
  readonly #wanted: Wanted;
  #position: number;
  #events = 0;

  constructor(position: number, wanted: Wanted) {
    this.#position = position;
    this.#wanted = wanted;
  }

  /** False when the chunk is full. */
  take(batch: EventBatch): boolean {
    const { stretch, isEnd } = this.#wanted;
    for (const event of batch.events) {
      if (event.seq <= this.#position) continue;
      stretch.take(event);
      this.#position = event.seq;
      if (isEnd(event, stretch.bytes, ++this.#events)) return false;
    }
    this.#position = Math.max(this.#position, batch.last);
    return true;
  }

  /** Everything up to here was taken. */
  get position(): number {
    return this.#position;
  }
}

/** Sends every event. */
class EachOf implements Stretch {
  readonly frames: Buffer[] = [];
  readonly #tell: Tell;
  bytes = 0;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  take(event: AnyEvent): void {
    const frame = this.#tell(event);
    if (frame === undefined) return;
    this.frames.push(frame);
    this.bytes += frame.length;
  }
}

/** Sends only the newest state of each user. */
function newestOf(conflation: Conflation, subscriber: Subscriber, onTold?: OnTold): Stretch {
  return {
    take: (event) => conflation.take(event),
    get bytes() {
      return conflation.bytes;
    },
    get frames() {
      return conflation.frames(subscriber, onTold);
    },
  };
}
