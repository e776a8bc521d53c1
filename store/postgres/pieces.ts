/** Bytes in the pieces in which rows hold them. */

/** Of one row; the last one of its kind has fewer. */
export const PIECE_BYTES = 1024 * 1024;

/**
 * Pieces of `PIECE_BYTES`. Only the last one is shorter, and one that would otherwise wait for its end for longer than `withinMs`. Copies into one
 * buffer, however small the chunks are: a piece is valid until the next one is requested.
 */
export async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  withinMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let length = 0;
  let lastMs = performance.now();
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + PIECE_BYTES - length);
      buffer.set(part, length);
      at += part.length;
      length += part.length;
      if (length < PIECE_BYTES && performance.now() - lastMs < withinMs) continue;
      yield buffer.subarray(0, length);
      length = 0;
      lastMs = performance.now();
    }
  }
  if (length > 0) yield buffer.subarray(0, length);
}
