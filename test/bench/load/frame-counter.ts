/**
 * Takes a stream of WebSocket frames apart as far as a load client must: finds the boundaries, counts the events, and
 * hands over the text of everything that is not one. Reads the headers and 21 bytes of each payload, no more.
 */

/** Longest unmasked header, and the bytes of a payload that tell an event from the rest. */
const PEEK_BYTES = 31;
const PAYLOAD_PEEK_BYTES = 21;
const TEXT = 1;
const COMPRESSED = 0x40;
/** Characters that tell an event from the rest: `4`, `2`, `t`, `u`. */
const MESSAGE = 0x34;
const EVENT = 0x32;
const T = 0x74;
const U = 0x75;

export interface FrameSink {
  /** `count` events arrived in one piece of the stream. */
  events(count: number): void;
  /** A text frame that is no event, whole. */
  text(text: string): void;
  ping(): void;
  close(code: number): void;
}

export class FrameCounter {
  readonly #sink: FrameSink;
  /** Start of a frame that was cut by the end of a chunk. */
  readonly #cut = Buffer.alloc(PEEK_BYTES);
  #cutBytes = 0;
  /** Payload of the current frame still to come. */
  #left = 0;
  /** Payload so far of a frame whose text is wanted. */
  #text: Buffer[] | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  take(chunk: Buffer, length: number): void {
    let at = 0;
    let events = 0;
    while (at < length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, length - at);
        this.#pass(chunk, at, step);
        at += step;
        continue;
      }
      if (this.#cutBytes > 0) {
        at += this.#mend(chunk, at, length);
        const started = this.#begin(this.#cut, 0, this.#cutBytes);
        if (started === undefined) break;
        // What was copied of the payload counts as taken; what was copied beyond this frame is read again from the chunk.
        const taken = Math.min(this.#cutBytes - started.header, this.#left);
        at -= this.#cutBytes - started.header - taken;
        this.#pass(this.#cut, started.header, taken);
        this.#cutBytes = 0;
        if (started.isEvent) events++;
        continue;
      }
      const started = this.#begin(chunk, at, length);
      if (started === undefined) {
        this.#cutBytes = chunk.copy(this.#cut, 0, at, length);
        break;
      }
      at += started.header;
      if (started.isEvent) events++;
    }
    if (events > 0) this.#sink.events(events);
  }

  /** Adds bytes to a cut frame, as many as tell what it is. */
  #mend(chunk: Buffer, at: number, length: number): number {
    const added = chunk.copy(this.#cut, this.#cutBytes, at, Math.min(length, at + PEEK_BYTES - this.#cutBytes));
    this.#cutBytes += added;
    return added;
  }

  /** Reads a header; undefined when too few bytes are there to tell what the frame is. */
  #begin(chunk: Buffer, at: number, end: number): { readonly header: number; readonly isEvent: boolean } | undefined {
    if (end - at < 2) return undefined;
    const short = (chunk[at + 1] ?? 0) & 0x7f;
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (end - at < header) return undefined;
    const payload = short === 126 ? chunk.readUInt16BE(at + 2) : short === 127 ? chunk.readUInt32BE(at + 6) : short;
    if (end - at < header + Math.min(payload, PAYLOAD_PEEK_BYTES)) return undefined;
    const first = chunk[at] ?? 0;
    const opcode = first & 0x0f;
    // Only events are compressed.
    const isEvent = opcode === TEXT && ((first & COMPRESSED) !== 0 || isEventText(chunk, at + header, payload));
    if (opcode === TEXT && !isEvent) this.#text = [];
    if (opcode === 9) this.#sink.ping();
    if (opcode === 8) this.#sink.close(chunk.readUInt16BE(at + header));
    this.#left = payload;
    return { header, isEvent };
  }

  #pass(chunk: Buffer, at: number, bytes: number): void {
    this.#left -= bytes;
    if (this.#text === undefined) return;
    this.#text.push(Buffer.from(chunk.subarray(at, at + bytes)));
    if (this.#left > 0) return;
    const whole = Buffer.concat(this.#text).toString('utf8');
    this.#text = undefined;
    this.#sink.text(whole);
  }
}

/** `{"type":"user.…` of rosterd and the plain peers, `42["user",…` of socket.io, `42["event",{"type":"user.…` of rosterd over Socket.IO. */
function isEventText(chunk: Buffer, at: number, payload: number): boolean {
  if (chunk[at] === MESSAGE) {
    const isNamed = chunk[at + 1] === EVENT && payload > 20;
    return isNamed && (chunk[at + 4] === U || (chunk[at + 13] === T && chunk[at + 20] === U));
  }
  return payload > 9 && chunk[at + 2] === T && chunk[at + 9] === U;
}
