/**
 * Long bodies take turns: the last bytes of hundreds of them may come at the same moment, and parsing one takes milliseconds. They are
 * unpacked and parsed one after the other, for a short time in each turn of the event loop. What waits has a bound in total.
 *
 * It keeps BU3 and BU9 (daemon/RULES.md).
 */
import { setImmediate } from 'node:timers/promises';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';

/** Shorter bodies, as nearly all of clients are, wait for nothing and always have room. */
const LONG_BYTES = 32 * 1024;
/** Milliseconds of one turn of the event loop in which another body may begin. */
const SLICE_MS = 2;
/** What follows a body that took longer than this has a turn of its own: decoding takes as long again. */
const LONG_MS = 8;

export class BodyLane {
  readonly #bytesMax: number;
  #bytes = 0;
  /** Settled when the last body so far has been read. */
  #last: Promise<unknown> = Promise.resolve();
  #sliceEndsMs = 0;

  /** `bytesMax`: of all bodies that arrive or wait. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a body have arrived, `size` by now. Throws RosterError `unavailable` when a long body has no room. */
  arrived(bytes: number, size: number): void {
    this.#bytes += bytes;
    if (size <= LONG_BYTES || this.#bytes <= this.#bytesMax) return;
    throw new RosterError('unavailable', 'too many long bodies are arriving; try again in a moment, or send fewer items per request');
  }

  /** Called when nothing of a body is needed any more. */
  released(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Runs `read`, which takes time in proportion to the body, when it is its turn. */
  async turn<T>(size: number, isCompressed: boolean, read: () => Promise<T>): Promise<T> {
    if (size <= LONG_BYTES && !isCompressed) return await read();
    const before = this.#last;
    const mine = (async () => {
      await before;
      if (performance.now() >= this.#sliceEndsMs) {
        await setImmediate();
        this.#sliceEndsMs = performance.now() + SLICE_MS;
      }
      const beganMs = performance.now();
      const body = await read();
      if (performance.now() - beganMs > LONG_MS) await setImmediate();
      return body;
    })();
    // Not the promise itself, which would keep the body in memory.
    this.#last = mine.then(
      () => {},
      () => {},
    );
    return await mine;
  }
}

/** Servers are trusted, and do not wait behind clients. */
const lanes = { server: new BodyLane(Number.POSITIVE_INFINITY), client: new BodyLane(LIMITS.clientBodiesBytes) };

export function bodyLaneOf(caller: Caller): BodyLane {
  return caller.kind === 'server' ? lanes.server : lanes.client;
}
