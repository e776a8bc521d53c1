/**
 * Frames of messages that are compressed once for all who get the same bytes (permessage-deflate, RFC 7692).
 *
 * The messages of one buffer are compressed one after the other, each with those before it as its dictionary, and the first one with none:
 * a receiver gets them all in this order, so the result is the same for everyone, whatever each was sent before. That is allowed where
 * the receiver keeps what it unpacked from one message to the next, which is what it does unless it asks for a reset.
 */
import type { IncomingMessage } from 'node:http';
import { Z_OK, Z_SYNC_FLUSH, ZStream, zlibDeflate, zlibDeflateInit2, zlibDeflateReset } from 'pako';
import { eachPayload, FINAL_TEXT, frameHeader, HEADER_BYTES_MAX } from '../../../pipeline/tell/frame.ts';

/** Below this, the bytes fit into one packet anyway. */
const BYTES_MIN = 1_400;
/** Above this, packing would hold up other work for some milliseconds. */
const BYTES_MAX = 256 * 1024;
/** Receivers that are sent the same bytes unpacked: packing them takes as long as some twenty to sixty writes. */
const UNPACKED_FIRST = 16;
/** Packed bytes that are no less than this part of the others are not worth unpacking. */
const WORTH = 0.7;

/** The first byte of a frame: the whole of a text message, compressed. */
const FINAL_PACKED_TEXT = 0xc1;
/** The end of what a flush leaves. A message ends before it (RFC 7692 §7.2.1). */
const FLUSH_END_BYTES = 4;

const BEST_SPEED = 1;
const DEFLATE = 8;
const RAW_WINDOW_BITS = -15;
const MEMORY_LEVEL = 8;
const DEFAULT_STRATEGY = 0;

interface Known {
  receivers: number;
  /** The bytes to send; undefined while few had them. */
  packed: Buffer | undefined;
}

export class PackedFrames {
  readonly #stream = new ZStream();
  readonly #known = new WeakMap<Buffer, Known>();

  constructor() {
    if (zlibDeflateInit2(this.#stream, BEST_SPEED, DEFLATE, RAW_WINDOW_BITS, MEMORY_LEVEL, DEFAULT_STRATEGY) !== Z_OK)
      throw new Error('the compression of frames cannot be set up');
  }

  /** What to send to the next receiver in place of `frames`, whole frames of texts: the same, or fewer bytes that say the same. */
  of(frames: Buffer): Buffer {
    if (frames.length < BYTES_MIN || frames.length > BYTES_MAX) return frames;
    const known = this.#known.get(frames);
    if (known === undefined) {
      this.#known.set(frames, { receivers: 1, packed: undefined });
      return frames;
    }
    if (known.packed !== undefined) return known.packed;
    if (known.receivers++ < UNPACKED_FIRST) return frames;
    known.packed = this.#packed(frames);
    return known.packed;
  }

  #packed(frames: Buffer): Buffer {
    const stream = this.#stream;
    zlibDeflateReset(stream);
    const limit = Math.floor(frames.length * WORTH);
    const into = Buffer.allocUnsafeSlow(limit);
    let end = 0;
    for (const payload of eachPayload(frames)) {
      const start = end + HEADER_BYTES_MAX;
      if (start >= limit) return frames;
      if (payload.length === 0) {
        end += frameHeader(into, end, FINAL_TEXT, 0);
        continue;
      }
      stream.input = payload;
      stream.next_in = 0;
      stream.avail_in = payload.length;
      stream.output = into;
      stream.next_out = start;
      stream.avail_out = limit - start;
      if (zlibDeflate(stream, Z_SYNC_FLUSH) !== Z_OK || stream.avail_out === 0) return frames;
      const length = stream.next_out - FLUSH_END_BYTES - start;
      const header = frameHeader(into, end, FINAL_PACKED_TEXT, length);
      into.copyWithin(end + header, start, start + length);
      end += header + length;
    }
    return Buffer.from(into.subarray(0, end));
  }
}

/** For `ws`, which unpacks what clients send, and packs nothing. Small windows, and few threads: they are those that write to the disk. */
export const INBOUND_DEFLATE = {
  clientNoContextTakeover: true,
  clientMaxWindowBits: 9,
  concurrencyLimit: 2,
  zlibInflateOptions: { chunkSize: 1_024 },
};

/** Leaves in a request the one offer that may be accepted, where the daemon compresses. `ws` refuses a connection for one that it cannot accept. */
export function keepAcceptableOffer({ headers }: IncomingMessage, compresses: boolean): void {
  headers['sec-websocket-extensions'] = compresses ? acceptableOffer(headers['sec-websocket-extensions']) : undefined;
}

/** Parameters of an offer that leave the compression to the daemon. */
const CLIENT_ONLY = /^client_(no_context_takeover|max_window_bits(=(9|1[0-5]|"(9|1[0-5])"))?)$/;
/**
 * An offer that `ws` can accept: the client's own messages are compressed with a small window, or each connection would take 40 kB for
 * unpacking them.
 */
const OFFER = 'permessage-deflate; client_max_window_bits';

/**
 * The offer to answer to, from a `Sec-WebSocket-Extensions` header: that of a client that keeps what it unpacked, and can do with a
 * small window for what it sends itself. Undefined when there is none: the connection is then not compressed.
 */
export function acceptableOffer(header: string | undefined): string | undefined {
  const isAcceptable = (offer: string): boolean => {
    const [name, ...params] = offer.split(';').map((part) =>
      part
        .trim()
        .toLowerCase()
        .replace(/\s*=\s*/, '='),
    );
    if (name !== 'permessage-deflate' || !params.every((param) => CLIENT_ONLY.test(param))) return false;
    return params.some((param) => param.startsWith('client_max_window_bits'));
  };
  return header?.split(',').some(isAcceptable) === true ? OFFER : undefined;
}
