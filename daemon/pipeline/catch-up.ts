/**
 * Brings a subscriber from a past position to the present: from memory where
 * the recent history reaches back that far, else from the log. It takes the past
 * in chunks, only as fast as the socket drains, so a subscriber that is ten
 * thousand events behind costs a chunk, not ten thousand events.
 */
import pLimit from 'p-limit';
import { type Log, LogClosed, LogTrimmed } from '../../store/log.ts';
import type { History } from '../core/history.ts';
import type { Hub } from './hub.ts';
import { decoration } from './interest.ts';
import { batchFromLog, type EventBatch } from './live-event.ts';
import type { Subscriber, SubscriberState } from './subscriber.ts';

/** Frames handed to a socket before it must have drained them. */
const CHUNK_BYTES = 128 * 1024;
/** Events looked at in one go, also when none concerns the subscriber: keeps a turn of the event loop short. */
const CHUNK_EVENTS = 1_000;
/** Subscribers that read the log at the same time. Each holds one chunk. */
const LOG_READERS = 4;

interface Sources {
  readonly log: Log;
  readonly history: History<EventBatch>;
  readonly hub: () => Hub;
  readonly online: (id: string) => boolean;
  readonly onError: (error: unknown) => void;
}

export class CatchUp {
  readonly #sources: Sources;
  readonly #readers = pLimit(LOG_READERS);

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** Runs until the subscriber is live again or gone. Never rejects. */
  start(subscriber: Subscriber): void {
    this.#run(subscriber).catch((error: unknown) => {
      // The position is older than anything that is kept, or the log is closing. Either way the client must come back:
      // it is then told whether it can resume or has to take a snapshot.
      if (!(error instanceof LogTrimmed || error instanceof LogClosed)) this.#sources.onError(error);
      subscriber.outlet.close('slow');
    });
  }

  async #run(subscriber: Subscriber): Promise<void> {
    while (await subscriber.outlet.drained()) {
      if (this.#sources.hub().rejoin(subscriber)) return;
      const { state } = subscriber;
      if (state.kind !== 'behind') return;
      const chunk = new Chunk(subscriber, state);
      if (state.position >= this.#sources.history.tail) this.#fill(chunk, state.position);
      else await this.#readers(() => this.#fillFromLog(chunk, state.position));
      chunk.send();
    }
  }

  /** Batches that were published but not flushed yet are in the history too; they are left for the flush. */
  #fill(chunk: Chunk, position: number): void {
    const limit = this.#sources.hub().flushedSeq;
    for (const batch of this.#sources.history.since(position)) {
      if (batch.first > limit || !chunk.take(batch)) return;
    }
  }

  async #fillFromLog(chunk: Chunk, position: number): Promise<void> {
    const limit = this.#sources.hub().flushedSeq;
    const stop = new AbortController();
    for await (const entry of this.#sources.log.read(position, stop.signal)) {
      const batch = batchFromLog(entry, this.#sources.online);
      if (batch.first > limit || !chunk.take(batch) || batch.last >= limit) break;
    }
    stop.abort();
  }
}

/**
 * Frames of the past for one subscriber, up to the bounds above; exact to the event. Nothing counts until `send`: a
 * subscriber that was sent further back meanwhile, or left, gets none of it and is read for again.
 */
class Chunk {
  readonly #subscriber: Subscriber;
  readonly #startedIn: SubscriberState;
  readonly #frames: Buffer[] = [];
  #position: number;
  #bytes = 0;
  #events = 0;

  constructor(subscriber: Subscriber, state: SubscriberState & { readonly kind: 'behind' }) {
    this.#subscriber = subscriber;
    this.#startedIn = state;
    this.#position = state.position;
  }

  /** False when the chunk is full. */
  take(batch: EventBatch): boolean {
    const { interests, dialect } = this.#subscriber;
    for (const event of batch.events) {
      if (event.seq <= this.#position) continue;
      const told = decoration(interests.values(), event);
      if (told !== undefined) {
        const frame = event.frame(dialect, told);
        this.#frames.push(frame);
        this.#bytes += frame.length;
      }
      this.#position = event.seq;
      if (this.#bytes >= CHUNK_BYTES || ++this.#events >= CHUNK_EVENTS) return false;
    }
    this.#position = Math.max(this.#position, batch.last);
    return true;
  }

  send(): void {
    const { state, outlet } = this.#subscriber;
    if (state !== this.#startedIn || state.kind !== 'behind') return;
    state.position = this.#position;
    if (this.#frames.length > 0) outlet.write(Buffer.concat(this.#frames));
  }
}
