/**
 * The text of a long answer, in pieces: made in slices, so that no answer holds the event loop, and handed out one by one as the peer takes
 * them, so that whoever waits for the peer sees it.
 *
 * It keeps BU15 (daemon/RULES.md).
 */
import { Readable } from 'node:stream';
import type { Walk } from '../../base/slices.ts';

export type AnswerText = string | readonly Buffer[];

/** A piece has about this many bytes; a shorter answer is one text. */
export const ANSWER_PIECE_BYTES = 128 * 1024;

/** Lists and objects that are written at once: a user has a few kilobytes, and at most some ten. */
const AT_ONCE = 32;
/** How deep they are counted: an answer, its list, a user, its mutes. */
const LEVELS = 4;

/** Whether `body` has so many lists and objects in it that its text is made in slices. */
export function isLong(body: object): boolean {
  return counted(body, LEVELS, 0) > AT_ONCE;
}

/** `found` and what is inside `value`, as far as it is needed. */
function counted(value: object, levels: number, found: number): number {
  let count = found;
  for (const key in value) {
    if (count > AT_ONCE) break;
    const item = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof item === 'object' && item !== null) count = levels > 1 ? counted(item, levels - 1, count + 1) : count + 1;
  }
  return count;
}

/** Writes `body` as JSON: one text, or pieces. `onGrown` learns of how many bytes there are so far, and may throw. */
export function* writtenInPieces(body: object, onGrown: (bytes: number) => void): Walk<AnswerText> {
  const pieces = new Pieces(onGrown);
  yield* write(body, pieces);
  return pieces.end();
}

/** Writes a list or an object: neighbours at once as long as they have little in them, what has more in it by itself. */
function* write(value: object, into: Pieces): Walk<void> {
  const isList = Array.isArray(value);
  let count = 0;
  let separator = '';
  into.add(isList ? '[' : '{');
  for (const key of Object.keys(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key];
    if (item === undefined && !isList) continue;
    const inside = typeof item === 'object' && item !== null ? counted(item, LEVELS, 1) : 0;
    count += inside;
    if (count > AT_ONCE) {
      count = inside;
      yield;
    }
    into.add(isList ? separator : `${separator}${JSON.stringify(key)}:`);
    separator = ',';
    if (inside > AT_ONCE) yield* write(item as object, into);
    else into.add(JSON.stringify(item) ?? 'null');
  }
  into.add(isList ? ']' : '}');
}

class Pieces {
  readonly #onGrown: (bytes: number) => void;
  readonly #ready: Buffer[] = [];
  #texts: string[] = [];
  #chars = 0;
  #bytes = 0;

  constructor(onGrown: (bytes: number) => void) {
    this.#onGrown = onGrown;
  }

  add(text: string): void {
    this.#texts.push(text);
    this.#chars += text.length;
    if (this.#chars >= ANSWER_PIECE_BYTES) this.#flush();
  }

  end(): AnswerText {
    if (this.#ready.length > 0) {
      this.#flush();
      return this.#ready;
    }
    const text = this.#texts.join('');
    this.#onGrown(Buffer.byteLength(text));
    return text;
  }

  #flush(): void {
    const piece = Buffer.from(this.#texts.join(''));
    this.#texts = [];
    this.#chars = 0;
    this.#bytes += piece.length;
    this.#onGrown(this.#bytes);
    this.#ready.push(...cutUp(piece));
  }
}

/** The text in pieces, which share its memory. */
export function cutUp(text: Buffer): readonly Buffer[] {
  return Array.from({ length: Math.ceil(text.length / ANSWER_PIECE_BYTES) }, (_, at) =>
    text.subarray(at * ANSWER_PIECE_BYTES, (at + 1) * ANSWER_PIECE_BYTES),
  );
}

/** Hands out the pieces as they are taken, and keeps none that was. `onTaken`: another one is asked for. */
export function streamOf(pieces: readonly Buffer[], onTaken: () => void): Readable {
  const left = [...pieces].reverse();
  return new Readable({
    highWaterMark: ANSWER_PIECE_BYTES,
    read() {
      onTaken();
      this.push(left.pop() ?? null);
    },
  });
}
